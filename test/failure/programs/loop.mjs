/** Submits tasks, then does nothing but compute, and looks at their results afterwards. Options: tasks, loopMs, folder. */
import { context, explain, init, remote, shutdown } from 'outpool'
import { end, leftInTables, options, say, tally, told } from './report.mjs'

const { tasks, loopMs, folder } = options
const { node } = await init()
const hold = remote(new URL('./tasks.mjs', import.meta.url), 'hold')
const running = Array.from({ length: tasks }, (_, i) => hold.run(`l${i}`, folder, 5))
// Some have come back: leases are held while nobody answers for them.
await running[0]
await say('looping', { process: context().process })
const until = performance.now() + loopMs
let turns = 0
while (performance.now() < until) turns++
const outcomes = await Promise.allSettled(running)
const { retried } = explain()
await say('outcomes', { tally: tally(outcomes), turns, retried, same: context().node === node })
await told('leave')
const left = await leftInTables(explain)
await shutdown()
await end({ left })
