/**
 * One call of each kind that is pending when the home of the driver is killed. Options: address, elsewhere (a resource
 * that its home has not).
 */
import { cancel, drained, get, init, put, remote, shutdown, wait } from 'outpool'
import { end, options, say, told } from './report.mjs'

await init({ address: options.address })
const resources = { [options.elsewhere]: 1 }
const there = (fn, extra = {}) => remote(fn, { resources, numCpus: 0, ...extra })
const sleep = there(async (ms) => new Promise((resolve) => setTimeout(resolve, ms)))
const large = there((length) => new Uint8Array(length).fill(1))
const endless = there(async function* (ms) {
  yield 1
  await new Promise((resolve) => setTimeout(resolve, ms))
})
const kept = await put(new Uint8Array(1_000_000).fill(7), { replicas: 2 })
const made = large.remote(1_000_000)
await wait([made], { fetchLocal: false })
const items = endless.run(600_000)
await items.next()
const running = sleep.remote(600_000)
const began = there(() => 1)
await began.run()
const small = await put('here')
const queued = remote(() => 1, { resources: { nowhere: 1 } }).remote()
const pending = {
  'a running task': running.get(),
  'a queued task': queued.get(),
  'an argument that waits': remote((value) => value).run(running),
  'the next item of a generator': items.next(),
  wait: wait([running]),
  'get of many': get([running, queued]),
}
const how = (promise) =>
  Promise.resolve(promise).then(
    (value) => ({ value: typeof value === 'string' ? value : typeof value }),
    (error) => ({ error: error.name, message: error.message }),
  )
const settled = Promise.all(Object.entries(pending).map(async ([name, promise]) => [name, await how(promise)]))
await say('pending', {})
await told('killed')
const outcomes = Object.fromEntries(await settled)
const later = {
  'a value that another node keeps': () => kept.get(),
  'a result that lies on another node': () => made.get(),
  'a value that this process has': () => small.get(),
  'cancel of a task': () => String(cancel(running)),
  put: () => put(new Uint8Array(1_000_000)),
  drained: () => drained(),
}
for (const [name, act] of Object.entries(later)) outcomes[name] = await how(Promise.resolve().then(act))
await say('outcomes', { outcomes })
await shutdown()
await end({})
