// What several stand-ins need: reading inputs as the genuine actions do.
import * as core from '@actions/core'

// A multi-line input as a list, blank lines left out.
export function list(name, options) {
  return core
    .getInput(name, options)
    .split('\n')
    .map(line => line.replace(/^!\s+/, '!').trim())
    .filter(line => line !== '')
}

// `true` in any case; everything else is false (actions/cache is this lenient).
export function isTrue(name) {
  return core.getInput(name).toLowerCase() === 'true'
}

// Run, and turn whatever is thrown into the step's failure. Node must not linger on open sockets afterwards.
export async function run(main, prefix = '') {
  try {
    await main()
  } catch (error) {
    core.setFailed(`${prefix}${error instanceof Error ? error.message : error}`)
  }
  // When a step fails, act stops reading at once; what it has not read by then is lost.
  if (process.exitCode) await new Promise(resolve => setTimeout(resolve, 300))
  process.exit(process.exitCode ?? 0)
}
