/**
 * The log of a node: what its process writes to stderr, which is a file where it runs in the background. A disk that is
 * full, or a reader that is gone, takes lines from it and never ends the node.
 */
import { fstatSync, writeSync } from 'node:fs'
import { systemClock } from '../base/clock.ts'

const stderr = 2
/** What stays the same is logged this often, in milliseconds. */
const sayAgainMs = 60_000

let isFile: boolean | undefined
let lostLines = 0

export function log(text: string): void {
  const line = `${new Date().toISOString()} ${text}\n`
  isFile ??= isRegularFile()
  // A stream on a file is over after the first write that fails; there may be room again later.
  if (isFile) append(line)
  else process.stderr.write(line)
}

/** From now on this process goes on where its stderr cannot be written to. */
export function outliveLog(): void {
  process.stderr.removeAllListeners('error').on('error', () => {})
}

function append(line: string): void {
  try {
    const before = lostLines === 0 ? '' : `(${lostLines} lines before this one could not be written)\n`
    writeSync(stderr, `${before}${line}`)
    lostLines = 0
  } catch {
    lostLines++
  }
}

function isRegularFile(): boolean {
  try {
    return fstatSync(stderr).isFile()
  } catch {
    return false
  }
}

/** Logs what is new; what was said last only once more in a while. */
export function sayOnce(): (text: string) => void {
  let last = ''
  let saidAtMs = 0
  return (text) => {
    const nowMs = systemClock.now()
    if (text === last && nowMs - saidAtMs < sayAgainMs) return
    last = text
    saidAtMs = nowMs
    log(text)
  }
}
