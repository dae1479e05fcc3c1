// Restore and save with the rules of actions/cache: an exact hit is not saved again, and failing to save is no failure.
import path from 'node:path'
import * as cache from '@actions/cache'
import * as core from '@actions/core'
import {isTrue, list} from './common.mjs'

const PRIMARY = 'CACHE_KEY'
const MATCHED = 'CACHE_RESULT'

// A hosted runner's folders have the same names in every job; here they do not, and an entry belongs to its paths' names.
// So the job's own folder is made `~` for the toolkit, and paths below it are told from there on, as in every other job.
function stable(paths) {
  const {RUNNER_TEMP: temporary = '', GITHUB_WORKSPACE: workspace = '', HOME: home = ''} = process.env
  const own = path.dirname(temporary) + path.sep
  if (!workspace.startsWith(own)) return paths
  process.env.HOME = own
  return paths.map(each => {
    const [, not, rest] = /^(!?)(.*)$/.exec(each)
    const whole = /^~(\/|$)/.test(rest) ? path.join(home, rest.slice(1)) : rest
    return whole.startsWith(own) ? `${not}~/${whole.slice(own.length)}` : each
  })
}

// GitHub compares keys without regard to case.
function same(key, other) {
  return Boolean(other) && other.localeCompare(key, undefined, {sensitivity: 'accent'}) === 0
}

export async function restore({remember}) {
  if (!cache.isFeatureAvailable()) {
    core.info('[warning]The cache service is not available.')
    core.setOutput('cache-hit', 'false')
    return
  }
  const key = core.getInput('key', {required: true})
  const paths = stable(list('path', {required: true}))
  const restoreKeys = list('restore-keys')
  if (remember) core.saveState(PRIMARY, key)
  else core.setOutput('cache-primary-key', key)
  const options = {lookupOnly: isTrue('lookup-only')}
  const matched = await cache.restoreCache(paths, key, restoreKeys, options, isTrue('enableCrossOsArchive'))
  if (!matched) {
    if (isTrue('fail-on-cache-miss')) {
      throw new Error(`Failed to restore cache entry. Exiting as fail-on-cache-miss is set. Input key: ${key}`)
    }
    core.info(`Cache not found for input keys: ${[key, ...restoreKeys].join(', ')}`)
    return
  }
  if (remember) core.saveState(MATCHED, matched)
  else core.setOutput('cache-matched-key', matched)
  core.setOutput('cache-hit', String(same(key, matched)))
  core.info(options.lookupOnly ? `Cache found and can be restored from key: ${matched}` : `Cache restored from key: ${matched}`)
}

// Answers whether the entry was saved, or needed no saving.
export async function save({remembered}) {
  try {
    if (!cache.isFeatureAvailable()) {
      core.info('[warning]The cache service is not available.')
      return true
    }
    const key = (remembered && core.getState(PRIMARY)) || core.getInput('key')
    if (!key) {
      core.info('[warning]Key is not specified.')
      return true
    }
    if (remembered && same(key, core.getState(MATCHED))) {
      core.info(`Cache hit occurred on the primary key ${key}, not saving cache.`)
      return true
    }
    const chunk = Number.parseInt(core.getInput('upload-chunk-size'), 10)
    const options = chunk > 0 ? {uploadChunkSize: chunk} : {}
    const id = await cache.saveCache(stable(list('path', {required: true})), key, options, isTrue('enableCrossOsArchive'))
    if (id === -1) return false
    core.info(`Cache saved with key: ${key}`)
  } catch (error) {
    core.info(`[warning]${error.message}`)
  }
  return true
}
