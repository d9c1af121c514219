/** Submits many tasks of 1 to 20 ms and reports what became of each. Options: tasks, maxRetries, folder, leastMs, mostMs. */
import { explain, init, remote, shutdown } from 'outpool'
import { end, leftInTables, options, say, tally, told } from './report.mjs'

const { tasks, maxRetries, folder, leastMs = 1, mostMs = 20 } = options
const joined = await init(options.init ?? {})
const url = new URL('./tasks.mjs', import.meta.url)
// Every second one holds its worker, the others leave its loop free.
const kinds = ['hold', 'idle'].map((name) => remote(url, name, { maxRetries }))
const running = Array.from({ length: tasks }, (_, i) => {
  const ms = leastMs + (i % (mostMs - leastMs + 1))
  return kinds[i % 2].run(`t${i}`, folder, ms).finally(() => {
    settled++
    if (settled % 100 === 0) void say('progress', { settled })
  })
})
let settled = 0
await say('submitted', { node: joined.node })
const outcomes = await Promise.allSettled(running)
const wrong = outcomes.filter(({ status, value }, i) => status === 'fulfilled' && value !== `t${i}`).length
const succeeded = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [`t${i}`] : []))
const errors = outcomes.flatMap(({ status, reason }, i) => (status === 'rejected' ? [[`t${i}`, reason.message]] : []))
const { retried, recalled, fenced, tasksByNode } = explain()
await say('outcomes', {
  ...{ tally: tally(outcomes), wrong, ids: succeeded, errors: errors.slice(0, 20) },
  ...{ retried, recalled, fenced, tasksByNode },
})
await told('leave')
const left = await leftInTables(explain)
await shutdown()
await end({ left })
