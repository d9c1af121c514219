/** Begins to join the cluster, then computes for some milliseconds, and calls a function when it has joined. */
import { setTimeout as sleep } from 'node:timers/promises'
import { init, remote, shutdown } from 'outpool'

const [computesMs = '0', turns = '0'] = process.argv.slice(2)

const ready = init()
// A connection is there, and nothing has been said by it yet, in one of these turns.
for (let left = Number(turns); left > 0; left--) await sleep(1)
const begin = performance.now()
while (performance.now() - begin < Number(computesMs));
await ready
console.log(await remote(() => 'ran').run())
await shutdown()
