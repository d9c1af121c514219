/** Tasks that leave a trace of each run: together at the end of a turn, so that they stay short, or at once. */
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

let file
let openIn
let kept = ''

function open(folder) {
  if (openIn === folder) return
  if (file !== undefined) closeSync(file)
  file = openSync(join(folder, `${process.pid}.trace`), constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND)
  openIn = folder
}

function write() {
  writeSync(file, kept)
  kept = ''
}

/**
 * Holds its worker for some milliseconds and returns twice its number.
 * @param {number} id
 * @param {{ folder: string, ms?: number, how?: 'value' | 'throws' | 'later', atOnce?: boolean }} options `atOnce`: the
 * trace is there however the worker ends.
 */
export function job(id, { folder, ms = 0, how = 'value', atOnce = false }) {
  open(folder)
  if (kept === '' && !atOnce) setImmediate(write)
  kept += `${id}\n`
  if (atOnce) write()
  for (const until = performance.now() + ms; ms > 0 && performance.now() < until;);
  if (how === 'throws') throw new RangeError(`no ${id}`)
  return how === 'later' ? new Promise((resolve) => setTimeout(() => resolve(2 * id), ms)) : 2 * id
}
