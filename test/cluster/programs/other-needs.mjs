/** Work of other needs than that before it, which keeps its workers at hand for ten seconds: each begins sooner. */
import { init, remote } from 'outpool'

const keptMs = 10_000
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

await init({ numCpus: 2 })
const wait = remote((ms) => new Promise((resolve) => setTimeout(resolve, ms)))
const one = remote(() => 1)
const nested = remote(async () => {
  const { remote: inner } = await import('outpool')
  return inner(() => 1, { numCpus: 2 }).run()
})

async function soon(what, call) {
  await Promise.all([wait.run(20), wait.run(20)])
  // Longer than others keep theirs.
  await pause(200)
  const start = performance.now()
  await call()
  console.log(what, performance.now() - start < keptMs / 2 ? 'soon' : 'late')
}

await soon('more CPUs', () => one.options({ numCpus: 2 }).run())
await soon('another environment', () => one.options({ runtimeEnv: { env: { A: '1' } } }).run())
await soon('calls of a task', () => nested.run())
await soon('the same again', () => one.run())
