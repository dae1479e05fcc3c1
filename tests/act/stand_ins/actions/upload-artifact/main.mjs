import {stat} from 'node:fs/promises'
import path from 'node:path'
import artifacts, {ArtifactNotFoundError} from '@actions/artifact'
import * as core from '@actions/core'
import * as glob from '@actions/glob'
import {run} from '../../lib/common.mjs'

// The folder that all paths share: what is above it does not become part of the names inside the artifact.
function commonFolder(paths) {
  const split = paths.map(each => path.normalize(each).split(path.sep))
  const shared = []
  for (const [index, part] of split[0].entries()) {
    if (split.some(parts => parts[index] !== part)) break
    shared.push(part)
  }
  return shared.join(path.sep) || path.sep
}

async function search(pattern, hidden) {
  const globber = await glob.create(pattern, {
    followSymbolicLinks: true,
    implicitDescendants: true,
    omitBrokenSymbolicLinks: true,
    excludeHiddenFiles: !hidden
  })
  const files = []
  for (const found of await globber.glob()) {
    if (!(await stat(found)).isDirectory()) files.push(found)
  }
  const roots = globber.getSearchPaths()
  if (roots.length > 1) return {files, root: commonFolder(roots)}
  if (files.length === 1 && roots[0] === files[0]) return {files, root: path.dirname(files[0])}
  return {files, root: roots[0]}
}

function wholeNumber(name, least, most) {
  const text = core.getInput(name)
  if (!text) return undefined
  const value = Number.parseInt(text, 10)
  if (Number.isNaN(value)) throw new Error(`Invalid ${name}`)
  if (value < least || value > most) throw new Error(`Invalid ${name}. Valid values are ${least}-${most}`)
  return value
}

function nothingFound(pattern, policy) {
  const message = `No files were found with the provided path: ${pattern}. No artifacts will be uploaded.`
  if (policy === 'error') throw new Error(message)
  if (policy === 'warn') core.warning(message)
  else core.info(message)
}

async function upload() {
  const name = core.getInput('name')
  const pattern = core.getInput('path', {required: true})
  const policy = core.getInput('if-no-files-found')
  if (!['warn', 'error', 'ignore'].includes(policy)) {
    throw new Error(`Unrecognized if-no-files-found input. Provided: ${policy}. Available options: warn,error,ignore`)
  }
  const archive = core.getBooleanInput('archive')
  const {files, root} = await search(pattern, core.getBooleanInput('include-hidden-files'))
  if (files.length === 0) return nothingFound(pattern, policy)
  core.info(`With the provided path, there will be ${files.length} file${files.length === 1 ? '' : 's'} uploaded`)
  if (!archive && files.length > 1) {
    throw new Error(`When 'archive' is set to false, only a single file can be uploaded. Found ${files.length} files to upload.`)
  }
  if (core.getBooleanInput('overwrite')) {
    await artifacts.deleteArtifact(name).catch(error => {
      if (!(error instanceof ArtifactNotFoundError)) core.debug(`Unable to delete artifact: ${error.message}`)
    })
  }
  const options = {
    retentionDays: wholeNumber('retention-days', 0, Infinity) || undefined,
    compressionLevel: wholeNumber('compression-level', 0, 9),
    skipArchive: archive ? undefined : true
  }
  const done = await artifacts.uploadArtifact(name, files, root, options)
  core.info(`Artifact ${name} has been successfully uploaded! Final size is ${done.size} bytes. Artifact ID is ${done.id}`)
  core.setOutput('artifact-id', done.id)
  core.setOutput('artifact-digest', done.digest)
  const {GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: id} = process.env
  core.setOutput('artifact-url', `${server}/${repository}/actions/runs/${id}/artifacts/${done.id}`)
}

await run(upload)
