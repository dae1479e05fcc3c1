import * as core from '@actions/core'

const {GITHUB_ACTION_REPOSITORY: repository, GITHUB_ACTION_REF: ref} = process.env
core.setFailed(`There is no stand-in for ${repository}@${ref}. Run with --actions genuine where github.com can be reached.`)
