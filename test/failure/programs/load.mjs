/**
 * Keeps a number of tasks under way until the test says that it is enough; then reports each of them. Options:
 * inFlight, maxRetries, leastMs, mostMs, folder.
 */
import { explain, init, remote, shutdown } from 'outpool'
import { end, leftInTables, options, say, tally, told } from './report.mjs'

const { inFlight, maxRetries, leastMs, mostMs, folder } = options
const { node } = await init()
const url = new URL('./tasks.mjs', import.meta.url)
const sign = remote(url, 'sign', { maxRetries })
const where = remote(url, 'where')

let over = false
for (const event of ['enough', 'leave']) void told(event).then(() => (over = event))

const outcomes = []
let submitted = 0

/** One after the other, as long as there is to be load. */
async function stream() {
  while (over === false) {
    const number = submitted++
    const ms = leastMs + (number % (mostMs - leastMs + 1))
    const [outcome] = await Promise.allSettled([sign.run(`t${number}`, folder, ms)])
    outcomes.push({ number, ...outcome })
  }
}

const streams = Array.from({ length: inFlight }, stream)
const watch = setInterval(() => {
  const { retried, fenced, tasksByNode } = explain()
  void say('progress', { settled: outcomes.length, retried, fenced, tasksByNode })
}, 50)
await say('submitted', { node })
await Promise.all(streams)
clearInterval(watch)
const { retried, recalled, fenced, tasksByNode } = explain()
const rejected = outcomes.filter(({ status }) => status === 'rejected')
await say('outcomes', {
  ...{ submitted, tally: tally(outcomes), retried, recalled, fenced, tasksByNode },
  wrong: outcomes.filter(({ status, value, number }) => status === 'fulfilled' && value.id !== `t${number}`).length,
  answeredBy: outcomes.flatMap(({ status, value }) => (status === 'fulfilled' ? [[value.id, value.pid]] : [])),
  errors: rejected.slice(0, 20).map(({ number, reason }) => [`t${number}`, reason.message]),
})
// More work for whoever is there now, until the test has seen enough of it; each time by a function that is new, too.
for (let round = 1; over !== 'leave'; round++) {
  // oxlint-disable-next-line typescript/no-implied-eval -- a text that no node has seen before
  const fresh = remote(new Function('n', `return n + ${round}`))
  const answers = await Promise.all(Array.from({ length: 40 }, () => where.run(5)))
  const sums = await Promise.all(Array.from({ length: 40 }, (_, i) => fresh.run(i)))
  const wrong = sums.filter((value, i) => value !== i + round).length
  await say('seen', { nodes: [...new Set(answers.map((answer) => answer.node))], wrong })
}
const left = await leftInTables(explain)
await shutdown()
await end({ left })
