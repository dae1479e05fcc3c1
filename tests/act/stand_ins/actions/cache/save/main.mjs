import * as core from '@actions/core'
import {save} from '../../../lib/cache.mjs'
import {run} from '../../../lib/common.mjs'

await run(async () => {
  if (!(await save({remembered: false}))) core.warning('Cache save failed.')
})
