import {execFileSync} from 'node:child_process'
import {existsSync, mkdirSync, readdirSync, rmSync} from 'node:fs'
import path from 'node:path'
import {pathToFileURL} from 'node:url'
import * as core from '@actions/core'
import {run} from '../../lib/common.mjs'

function git(folder, ...words) {
  const env = {...process.env, GIT_TERMINAL_PROMPT: '0'}
  const options = {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env, maxBuffer: 1 << 28}
  try {
    return execFileSync('git', ['-C', folder, '-c', 'safe.directory=*', ...words], options).trim()
  } catch (error) {
    throw new Error(`git ${words[0]} failed: ${(error.stderr || error.message).trim()}`)
  }
}

// [full name on the server, its place here, how to check it out] of what the step wants.
function target(wanted, server) {
  const event = process.env.GITHUB_REF
  if (/^[0-9a-f]{40}$/.test(wanted)) return [wanted, '', ['--detach', wanted]]
  const names = git(server, 'for-each-ref', '--format=%(refname)').split('\n')
  const full = wanted.startsWith('refs/') ? wanted : [`refs/heads/${wanted}`, `refs/tags/${wanted}`].find(n => names.includes(n))
  if (!full || !names.includes(full)) {
    throw new Error(`A branch or tag with the name '${wanted || event}' could not be found`)
  }
  if (full.startsWith('refs/heads/')) {
    const branch = full.slice('refs/heads/'.length)
    return [full, `refs/remotes/origin/${branch}`, ['-B', branch, `refs/remotes/origin/${branch}`]]
  }
  const place = full.replace(/^refs\/pull\//, 'refs/remotes/pull/')
  return [full, place, ['--detach', place]]
}

function prepareFolder(folder, url) {
  mkdirSync(folder, {recursive: true})
  if (existsSync(path.join(folder, '.git')) && core.getBooleanInput('clean')) {
    git(folder, 'clean', '-ffdx')
    git(folder, 'reset', '--hard', '-q')
  } else if (!existsSync(path.join(folder, '.git'))) {
    for (const name of readdirSync(folder)) rmSync(path.join(folder, name), {recursive: true, force: true})
    git(folder, 'init', '-q')
    git(folder, 'remote', 'add', 'origin', url)
  }
}

function checkOut() {
  const {GITHUB_REPOSITORY: own, GITHUB_REF: ref, GITHUB_WORKSPACE: workspace, CI_KIT_ACT_ORIGIN: server} = process.env
  const repository = core.getInput('repository')
  if (repository.toLowerCase() !== own.toLowerCase()) {
    throw new Error(`the stand-in for actions/checkout has only ${own}, not ${repository}`)
  }
  for (const name of ['sparse-checkout', 'lfs', 'submodules']) {
    if (core.getInput(name) && core.getInput(name) !== 'false') core.warning(`the stand-in for actions/checkout ignores '${name}'`)
  }
  const folder = path.resolve(workspace, core.getInput('path'))
  if (path.relative(workspace, folder).startsWith('..')) throw new Error(`Repository path '${folder}' is not under '${workspace}'`)
  const depth = Number(core.getInput('fetch-depth'))
  if (!Number.isInteger(depth)) throw new Error(`fetch-depth: a number, not '${core.getInput('fetch-depth')}'`)
  const [name, place, how] = target(core.getInput('ref') || ref, server)
  prepareFolder(folder, pathToFileURL(server).href)
  const wanted = place ? `+${name}:${place}` : name
  const all = ['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*']
  const tags = core.getBooleanInput('fetch-tags') ? all.slice(1) : []
  const what = depth > 0 ? ['--no-tags', `--depth=${depth}`, 'origin', wanted, ...tags] : ['origin', ...all, wanted]
  git(folder, 'fetch', '-q', '--prune', '--no-recurse-submodules', ...what)
  git(folder, 'checkout', '-q', '--force', ...how)
  const commit = git(folder, 'rev-parse', 'HEAD')
  core.setOutput('ref', core.getInput('ref') || ref)
  core.setOutput('commit', commit)
  core.info(`${name} is ${commit}`)
}

await run(async () => checkOut())
