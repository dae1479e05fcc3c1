import {save} from '../../lib/cache.mjs'
import {run} from '../../lib/common.mjs'

await run(() => save({remembered: true}))
