/**
 * What a program has around its work: input from the command line, progress, and a place for its result. Started by
 * hand it writes progress to stderr and the summary as JSON to stdout; started by `main-job.mjs` it sends both there.
 *
 * Usage: node before.mjs [--dir PATH] [--files N]
 */
import { readInput } from './input.mjs'
import { summarise } from './summary.mjs'

const { directory, files } = readInput(process.argv.slice(2))

const largeBytes = 64 * 1024
export const smallFilesPerCall = 16

/** Paths of the files that the command line names, the largest first: a large one is worth a call, a small one is not. */
export function inputFiles() {
  const pathsOf = (some) => some.map(({ path }) => path)
  return {
    large: pathsOf(files.filter(({ bytes }) => bytes >= largeBytes)),
    small: pathsOf(files.filter(({ bytes }) => bytes < largeBytes)),
    count: files.length,
  }
}

/** The same as lists of paths, one for each call. */
export function inputBatches() {
  const { large, small, count } = inputFiles()
  const batches = large.map((path) => [path])
  for (let at = 0; at < small.length; at += smallFilesPerCall) batches.push(small.slice(at, at + smallFilesPerCall))
  return { batches, count }
}

/** Starts the clock. `advance` and `advanceTo` tell how many files are done (and where), `end` stops the clock. */
export function beginJob(total) {
  const startCpu = process.cpuUsage()
  const startMs = performance.now()
  let done = 0
  let told = 0
  tell({ kind: 'begin', total })
  const advanceTo = (count, where) => {
    done = Math.max(done, count)
    if (done - told < total / 100 && done < total) return
    told = done
    tell({ kind: 'progress', done, total, where })
  }
  return {
    advance: (count) => advanceTo(done + count),
    advanceTo,
    end() {
      const wallMs = performance.now() - startMs
      const { user, system } = process.cpuUsage(startCpu)
      tell({ kind: 'end' })
      return { wallMs, cpuMs: (user + system) / 1000 }
    },
  }
}

/** The last word of the program. */
export async function report(facts, took, where = {}) {
  facts.sort((a, b) => (a.path < b.path ? -1 : 1))
  const summary = summarise(facts, directory)
  if (process.send === undefined) return console.log(JSON.stringify({ ...summary, ...took }, undefined, 2))
  await new Promise((sent) => process.send({ kind: 'result', result: { summary, facts }, took, where }, sent))
  process.disconnect()
}

let toldQuarter = 0

function tell(message) {
  if (process.send !== undefined) return process.send(message)
  if (message.kind !== 'progress') return
  const quarter = Math.floor((message.done / message.total) * 4)
  if (quarter > toldQuarter) console.error(`${message.done} of ${message.total} files`)
  toldQuarter = quarter
}
