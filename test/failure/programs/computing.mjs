/**
 * Calls that a seed draws, by a program and in workers that again and again compute for longer than a connection takes:
 * nobody is dead, and every value has to be right. Options: seed, rounds, calls (in each), nodes (resources).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { cancel, explain, get, init, put, remote, shutdown, wait } from 'outpool'
import { hold, items, valueOf, whole } from './computing-tasks.mjs'
import { numbers } from './numbers.mjs'
import { end, leftInTables, options, say } from './report.mjs'

const { seed, rounds, calls, nodes, leastMs, mostMs } = options
const random = numbers(seed)
const oneOf = (...choices) => choices[Math.floor(random() * choices.length)]
const computes = () => leastMs + Math.floor(random() * (mostMs - leastMs))
const seldom = () => (random() < 0.3 ? computes() : 0)
const sizeOf = () => oneOf(10, 1_000, 300_000, 2_000_000)
const somewhere = () => ({ numCpus: 0, resources: { [oneOf(...nodes)]: 1 } })
const tasks = new URL('./computing-tasks.mjs', import.meta.url)
const task = (name) => remote(tasks, name, somewhere())
const boxed = async (size) => ({ ref: await put(valueOf(size)), size })

/** What each kind of call says when it is as it has to be is true. */
const kinds = {
  async plain(size) {
    return whole(await task('make').run(size, seldom()), size)
  },
  async argument(size) {
    const ref = oneOf(true, false) ? await put(valueOf(size)) : task('make').remote(size, seldom())
    return (await task('sizeOf').run(ref, seldom())) === size
  },
  async ofProgram(size) {
    return task('read').run(await boxed(size), seldom())
  },
  async ofWorker(size) {
    return task('read').run(await task('own').run(size, seldom()), seldom())
  },
  async ofTask(size) {
    return task('read').run({ ref: task('make').remote(size, seldom()), size }, 0)
  },
  async nested(size) {
    const box = await (oneOf(true, false) ? boxed(size) : task('own').run(size, seldom()))
    return task('readTwice').run(box, seldom(), seldom(), somewhere())
  },
  async generator(size) {
    let made = 0
    for await (const ref of remote(items, somewhere()).remote(5, size, seldom())) {
      if (!whole(await get(ref), size + made)) return false
      made++
    }
    return made === 5
  },
  async cancelled(size) {
    const ref = task('make').remote(size, 0)
    await sleep(random() * 300)
    // One that computes would be ended with its worker, and with that what it owns.
    cancel(ref)
    return get(ref).then(
      (value) => whole(value, size),
      ({ name }) => name === 'TaskCancelledError' || name,
    )
  },
  async waited(size) {
    const refs = [1, 2, 3].map(() => task('make').remote(size, seldom()))
    const [ready, rest] = await wait(refs, { count: 3 })
    return ready.length === 3 && rest.length === 0
  },
}

/** Undefined where it is as it has to be. */
async function call(kind) {
  const says = await kinds[kind](sizeOf()).catch((error) => `${error.name}: ${error.message}`)
  return says === true ? undefined : `${kind}: ${String(says)}`
}

await init()
for (let round = 0; round < rounds; round++) {
  const under = []
  for (let i = 0; i < calls; i++) {
    under.push(call(oneOf(...Object.keys(kinds))))
    if (random() < 0.3) await sleep(random() * 100)
  }
  await sleep(random() * 300)
  const ms = random() < 0.6 ? computes() : 0
  hold(ms)
  const wrong = (await Promise.all(under)).filter((problem) => problem !== undefined)
  await say('round', { computedMs: ms, calls, wrong })
}
const left = await leftInTables(explain)
await shutdown()
await end({ left })
