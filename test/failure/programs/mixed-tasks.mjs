/** Tasks that leave a trace of each run and its time: together at the end of a turn, so that they stay short, or at once. */
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

let file
let openIn
let kept = ''

function open(folder) {
  if (openIn === folder) return
  const path = join(folder, `${process.pid}.trace`)
  // Throws where the folder is gone, as its round is over: then what is open stays so.
  const next = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND)
  if (file !== undefined) {
    write()
    closeSync(file)
  }
  file = next
  openIn = folder
}

function write() {
  if (kept !== '') writeSync(file, kept)
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
  kept += `${id} ${Date.now()}\n`
  if (atOnce) write()
  for (const until = performance.now() + ms; ms > 0 && performance.now() < until;);
  if (how === 'throws') throw new RangeError(`no ${id}`)
  return how === 'later' ? new Promise((resolve) => setTimeout(() => resolve(2 * id), ms)) : 2 * id
}
