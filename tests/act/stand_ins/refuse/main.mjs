import {run} from '../lib/common.mjs'

const {GITHUB_ACTION_REPOSITORY: repository, GITHUB_ACTION_REF: ref} = process.env

await run(async () => {
  throw new Error(`There is no stand-in for ${repository}@${ref}. Run with --actions genuine where github.com can be reached.`)
})
