import {execFileSync} from 'node:child_process'
import {cpSync, existsSync, readFileSync, readdirSync, writeFileSync} from 'node:fs'
import path from 'node:path'
import * as core from '@actions/core'
import semver from 'semver'
import {list, run} from '../../lib/common.mjs'

const DESCRIBE = `import json, platform, sys, sysconfig
print(json.dumps([platform.python_version(), sys.executable, platform.python_implementation(), sysconfig.get_path("purelib")]))`

// 3.14.0rc1 is 3.14.0-rc.1 in semver.
function comparable(version) {
  return version.replace(/\+$/, '').replace(/(a|b|rc)([0-9]+)$/, '-$1.$2')
}

function describe(program) {
  try {
    const options = {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 20000}
    const [version, executable, implementation, purelib] = JSON.parse(execFileSync(program, ['-I', '-c', DESCRIBE], options))
    return implementation === 'CPython' ? {version, executable, purelib} : null
  } catch {
    return null
  }
}

const folders = text => (text || '').split(path.delimiter).filter(folder => folder && existsSync(folder))

// [version, program] of installations whose folder is named after the version, as pyenv's and uv's are: nothing is run.
function* installed() {
  for (const folder of folders(process.env.CI_KIT_ACT_PYTHONS)) {
    for (const name of readdirSync(folder)) {
      const version = /^(?:cpython-)?([0-9]+\.[0-9]+\.[0-9]+(?:(?:a|b|rc)[0-9]+)?)(?:-|$)/.exec(name)?.[1]
      const program = ['', process.arch].map(part => path.join(folder, name, part, 'bin', 'python3')).find(existsSync)
      if (version && program) yield [version, program]
    }
  }
}

// The same of programs on PATH with a version in their name; only running one tells its whole version.
function* onPath() {
  for (const folder of folders(process.env.PATH)) {
    for (const name of readdirSync(folder)) {
      if (!/^python3\.[0-9]+$/.test(name)) continue
      const found = describe(path.join(folder, name))
      if (found) yield [found.version, found.executable]
    }
  }
}

function best(candidates, range, includePrerelease) {
  const matching = [...candidates].filter(([version]) => semver.satisfies(comparable(version), range, {includePrerelease}))
  matching.sort(([a], [b]) => semver.rcompare(comparable(a), comparable(b)))
  return matching.map(([, program]) => describe(program)).find(Boolean)
}

// `3.13-dev` means any 3.13, pre-releases included.
function find(wanted, prereleases) {
  const dev = /^([0-9]+\.[0-9]+)-dev$/.exec(wanted)
  const range = dev ? `~${dev[1]}.0-0` : comparable(wanted)
  if (!semver.validRange(range)) throw new Error(`Invalid version or range: '${wanted}'`)
  const attempts = dev ? [true] : prereleases ? [false, true] : [false]
  for (const allowed of attempts) {
    const found = best(installed(), range, allowed) || best(onPath(), range, allowed)
    if (found) return found
  }
  const have = [...installed(), ...onPath()].map(([version]) => version)
  throw new Error(
    `The version '${wanted}' with architecture '${process.arch}' was not found on this machine. ` +
      `It has: ${[...new Set(have)].join(', ') || 'none'}.`
  )
}

// On a hosted runner each job has an interpreter of its own that it may install into; here a virtual environment is one.
function privateCopy(found) {
  const folder = path.join(process.env.RUNNER_TOOL_CACHE, 'Python', found.version, process.arch)
  const program = path.join(folder, 'bin', 'python')
  if (!existsSync(program)) {
    execFileSync(found.executable, ['-I', '-m', 'venv', '--without-pip', folder], {stdio: 'inherit'})
    const target = describe(program).purelib
    for (const each of readdirSync(found.purelib)) {
      if (each === 'pip' || /^pip-[0-9.]+\.dist-info$/.test(each)) {
        cpSync(path.join(found.purelib, each), path.join(target, each), {recursive: true})
      }
    }
    for (const name of ['pip', 'pip3']) {
      const script = `#!${program}\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n`
      writeFileSync(path.join(folder, 'bin', name), script, {mode: 0o755})
    }
  }
  return {folder, program}
}

function versionsFromFile(name) {
  if (!existsSync(name)) throw new Error(`The specified python version file at: ${name} doesn't exist.`)
  const found = readFileSync(name, 'utf8').split('\n').map(line => line.trim()).filter(line => line && !line.startsWith('#'))
  if (found.some(line => !/^[0-9]+(\.[0-9]+)*$/.test(line))) throw new Error(`the stand-in reads plain version files only: ${name}`)
  return found
}

function wantedVersions() {
  const versions = list('python-version')
  const file = core.getInput('python-version-file')
  if (versions.length) return versions
  if (file) return versionsFromFile(file)
  if (existsSync('.python-version')) return versionsFromFile('.python-version')
  core.warning(`Neither 'python-version' nor 'python-version-file' inputs were supplied. Attempting to find '.python-version' file.`)
  return ['3.x']
}

function setUp() {
  for (const name of ['cache', 'pip-version']) {
    if (core.getInput(name)) core.warning(`the stand-in for actions/setup-python ignores the input '${name}'`)
  }
  const update = core.getBooleanInput('update-environment')
  for (const wanted of wantedVersions()) {
    const found = find(wanted, core.getBooleanInput('allow-prereleases'))
    let program = found.executable
    if (update) {
      const own = privateCopy(found)
      program = own.program
      for (const name of ['pythonLocation', 'Python_ROOT_DIR', 'Python2_ROOT_DIR', 'Python3_ROOT_DIR']) {
        core.exportVariable(name, own.folder)
      }
      core.exportVariable('PKG_CONFIG_PATH', path.join(own.folder, 'lib', 'pkgconfig'))
      core.addPath(own.folder)
      core.addPath(path.join(own.folder, 'bin'))
    }
    core.setOutput('python-version', found.version)
    core.setOutput('python-path', program)
    core.info(`Successfully set up CPython (${found.version})`)
  }
}

await run(async () => setUp())
