import {execFileSync} from 'node:child_process'
import {copyFileSync, existsSync, mkdirSync, renameSync} from 'node:fs'
import path from 'node:path'
import * as core from '@actions/core'
import {run} from '../../lib/common.mjs'

// A copy in the job's own tool cache, because that is where a hosted runner's PATH would point.
function install(source) {
  const version = execFileSync(source, ['--version'], {encoding: 'utf8'}).trim().split(' ')[1]
  const folder = path.join(process.env.RUNNER_TOOL_CACHE, 'uv', version, process.arch)
  mkdirSync(folder, {recursive: true})
  for (const name of ['uv', 'uvx']) {
    const from = path.join(path.dirname(source), name)
    const to = path.join(folder, name)
    if (existsSync(from) && !existsSync(to)) {
      copyFileSync(from, `${to}.${process.pid}`)
      renameSync(`${to}.${process.pid}`, to)
    }
  }
  return {version, folder, program: path.join(folder, 'uv')}
}

function activate(uv, python) {
  const place = path.resolve(core.getInput('working-directory'), core.getInput('venv-path') || '.venv')
  const options = core.getBooleanInput('no-project') ? ['--no-project'] : []
  if (python) options.push('--python', python)
  execFileSync(uv, ['venv', place, '--clear', ...options], {stdio: 'inherit', cwd: core.getInput('working-directory') || undefined})
  core.exportVariable('VIRTUAL_ENV', place)
  core.addPath(path.join(place, 'bin'))
  core.setOutput('venv', place)
}

function setUp() {
  const source = process.env.CI_KIT_ACT_UV
  if (!source) throw new Error('uv was not found on this machine. Install it (for example from PyPI: pip install uv).')
  const found = install(source)
  const wanted = core.getInput('version')
  if (wanted && !found.version.startsWith(wanted.replace(/^v/, '')) && /^v?[0-9]/.test(wanted)) {
    core.warning(`uv ${wanted} was asked for; the stand-in uses this machine's ${found.version}`)
  }
  if (core.getInput('enable-cache') === 'true') core.warning('the stand-in for astral-sh/setup-uv does not cache')
  core.addPath(found.folder)
  for (const [input, variable] of [
    ['python-version', 'UV_PYTHON'],
    ['tool-dir', 'UV_TOOL_DIR'],
    ['tool-bin-dir', 'UV_TOOL_BIN_DIR'],
    ['cache-local-path', 'UV_CACHE_DIR']
  ]) {
    if (core.getInput(input)) core.exportVariable(variable, core.getInput(input))
  }
  core.setOutput('uv-version', found.version)
  core.setOutput('uv-path', found.program)
  core.setOutput('uvx-path', path.join(found.folder, 'uvx'))
  core.setOutput('cache-hit', 'false')
  core.setOutput('python-cache-hit', 'false')
  core.setOutput('python-version', core.getInput('python-version'))
  if (core.getBooleanInput('activate-environment')) activate(found.program, core.getInput('python-version'))
  core.info(`Successfully installed uv version ${found.version}`)
}

await run(async () => setUp())
