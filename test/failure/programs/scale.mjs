/**
 * Submits very many small tasks at once, in rounds, and reports after each round what it holds. Options: tasks, rounds,
 * kind ('count': each leaves a trace; 'none': nothing but the call), init.
 */
import { context, explain, init, remote, shutdown } from 'outpool'
import { end, leftInTables, options, say, told } from './report.mjs'

const { tasks, rounds, kind, folder } = options
await init(options.init ?? {})
const url = new URL('./tasks.mjs', import.meta.url)
const count = remote(url, 'count')
const tables = remote(url, 'tables', { numCpus: 0.001 })

/** Memory that lasts, after the finalizers had their turns. */
async function heldBytes() {
  let least = Infinity
  for (let i = 0; i < 5; i++) {
    globalThis.gc()
    await new Promise((resolve) => setTimeout(resolve, 20))
    const { heapUsed, external } = process.memoryUsage()
    least = Math.min(least, heapUsed + external)
  }
  return least
}

/** Submits a whole round before anything is awaited, and looks at every result without keeping it. */
async function round(name) {
  const startedAt = performance.now()
  let settled = 0
  let wrong = 0
  let failed = 0
  let firstError
  let done
  const all = new Promise((resolve) => (done = resolve))
  const note = () => {
    if (++settled % 10_000 === 0) void say('progress', { round: name, settled })
    if (settled === tasks) done()
  }
  for (let i = 0; i < tasks; i++) {
    const expected = kind === 'count' ? `${name}-${i}` : i
    count.run(expected, kind === 'count' ? folder : '').then(
      (value) => {
        if (value !== expected) wrong++
        note()
      },
      (error) => {
        failed++
        firstError ??= error.stack
        note()
      },
    )
  }
  const queuedMs = performance.now() - startedAt
  const most = process.memoryUsage().rss
  await all
  return { name, wrong, failed, firstError, queuedMs, totalMs: performance.now() - startedAt, mostRssBytes: most }
}

for (let i = 0; i < rounds; i++) {
  const facts = await round(`r${i}`)
  const left = await leftInTables(explain)
  await say('round', { ...facts, left, heldBytes: await heldBytes() })
}
const { tasksByNode, retried, recalled, fenced } = explain()
// Workers answer for themselves: as often as it takes to have met each of them.
const seen = new Map()
for (let i = 0; i < 40 && seen.size < (options.workers ?? 1); i++) {
  const answers = await Promise.all(Array.from({ length: options.workers ?? 1 }, () => tables.run(60)))
  for (const { pid, sizes } of answers) {
    const left = Object.entries(sizes).filter(([, size]) => size > 0)
    seen.set(pid, left)
  }
}
const workers = [...seen].map(([pid, left]) => ({ pid, left: Object.fromEntries(left) }))
await say('ended', { tasksByNode, retried, recalled, fenced, workers, node: context().node })
await told('leave')
await shutdown()
await end({})
