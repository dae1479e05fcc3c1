import {restore} from '../../../lib/cache.mjs'
import {run} from '../../../lib/common.mjs'

await run(() => restore({remember: false}))
