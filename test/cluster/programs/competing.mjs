/**
 * A program that always has work queued, until a file says that it is enough. It tells how many calls it has had answered,
 * and by which processes.
 */
import { existsSync } from 'node:fs'
import { init, remote, shutdown } from 'outpool'

const [lastWord] = process.argv.slice(2)
const inFlight = 40
const tellsEvery = 20

/** Holds its worker, as a computation does. */
const hold = remote((ms) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  return process.pid
})

await init()
const pids = new Set()
let done = 0

async function keepOneUnderWay() {
  while (!existsSync(lastWord)) {
    pids.add(await hold.run(2))
    if (++done % tellsEvery === 0) console.log(JSON.stringify({ done, pids: [...pids] }))
  }
}

await Promise.all(Array.from({ length: inFlight }, keepOneUnderWay))
await shutdown()
