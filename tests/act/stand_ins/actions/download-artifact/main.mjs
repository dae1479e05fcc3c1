import os from 'node:os'
import path from 'node:path'
import artifacts from '@actions/artifact'
import * as core from '@actions/core'
import {minimatch} from 'minimatch'
import {run} from '../../lib/common.mjs'

const AT_ONCE = 5

function wantedIds(text) {
  const ids = text.split(',').map(id => id.trim()).filter(Boolean)
  if (ids.length === 0) throw new Error(`No valid artifact IDs provided in 'artifact-ids' input`)
  return ids.map(id => {
    if (!/^[0-9]+$/.test(id)) throw new Error(`Invalid artifact ID: '${id}'. Must be a number.`)
    return Number(id)
  })
}

async function choose(name, idText, pattern) {
  if (name) return [(await artifacts.getArtifact(name)).artifact]
  const {artifacts: all} = await artifacts.listArtifacts({latest: true})
  if (idText) {
    const ids = wantedIds(idText)
    const found = all.filter(each => ids.includes(each.id))
    if (found.length === 0) throw new Error('None of the provided artifact IDs were found')
    const missing = ids.filter(id => !found.some(each => each.id === id))
    if (missing.length) core.warning(`Could not find the following artifact IDs: ${missing.join(', ')}`)
    return found
  }
  return pattern ? all.filter(each => minimatch(each.name, pattern)) : all
}

function mismatch(name, policy) {
  const message = `Artifact '${name}' digest validation failed. Please verify the integrity of the artifact.`
  if (policy === 'info') core.info(message)
  if (policy === 'warn') core.warning(message)
}

async function download() {
  const name = core.getInput('name')
  const ids = core.getInput('artifact-ids')
  const policy = core.getInput('digest-mismatch') || 'error'
  if (name && ids) throw new Error(`Inputs 'name' and 'artifact-ids' cannot be used together. Please specify only one.`)
  if (!['ignore', 'info', 'warn', 'error'].includes(policy)) {
    throw new Error(`Invalid value for 'digest-mismatch': '${policy}'. Valid options are: ignore, info, warn, error`)
  }
  if (core.getInput('github-token') && core.getInput('run-id') !== process.env.GITHUB_RUN_ID) {
    throw new Error('this stand-in reaches only the artifacts of its own run')
  }
  const target = path.resolve((core.getInput('path') || process.env.GITHUB_WORKSPACE || '.').replace(/^~/, os.homedir()))
  const merge = core.getBooleanInput('merge-multiple')
  const found = await choose(name, ids, core.getInput('pattern'))
  for (const each of found) {
    core.info(`- ${each.name} (ID: ${each.id}, Size: ${each.size}, Expected Digest: ${each.digest})`)
  }
  // A single match goes straight into the path, however it was asked for; so does GitHub's action.
  const flat = Boolean(name) || merge || found.length === 1
  const damaged = []
  for (let start = 0; start < found.length; start += AT_ONCE) {
    const group = found.slice(start, start + AT_ONCE).map(async each => {
      const options = {
        path: flat ? target : path.join(target, each.name),
        expectedHash: each.digest,
        skipDecompress: core.getBooleanInput('skip-decompress')
      }
      const outcome = await artifacts.downloadArtifact(each.id, options)
      if (outcome.digestMismatch) {
        mismatch(each.name, policy)
        damaged.push(each.name)
      }
    })
    await Promise.all(group)
  }
  if (damaged.length && policy === 'error') throw new Error(`Digest validation failed for artifact(s): ${damaged.join(', ')}.`)
  core.info(`Total of ${found.length} artifact(s) downloaded`)
  core.setOutput('download-path', target)
}

await run(download, 'Unable to download artifact(s): ')
