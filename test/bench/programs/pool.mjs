/** A user's program around one pool: what it measures is the same for every pool, `pools/*.mjs` says how each is called. */
import { memoryOfTree } from './memory.mjs'
import { serve, timed } from './serve.mjs'
import { timelineOf } from './timeline.mjs'

/** Long enough that a pool which starts workers on demand has started all of them. */
const warmUpIterations = 10_000_000

async function inFlight(call, calls) {
  const results = new Array(calls)
  for (let i = 0; i < calls; i++) results[i] = call()
  await Promise.all(results)
}

async function warmUp(pool, workers) {
  await Promise.all(Array.from({ length: workers * 3 }, () => pool.burn(warmUpIterations)))
}

/** Workers that ended meanwhile, for want of work, start before the clock does. */
async function wake(pool, workers) {
  await Promise.all(Array.from({ length: workers * 2 }, () => pool.burn(warmUpIterations / 4)))
}

/** `warmCalls`: so many calls in flight, `warmFlights` times, before anything is measured: by then the code is compiled. */
async function setUp({ pool, workers, warmCalls = 0, warmFlights = 2, ...options }) {
  const { open } = await import(`./pools/${pool}.mjs`)
  const opened = await open({ workers, ...options })
  await warmUp(opened, workers)
  for (let i = 0; i < warmFlights; i++) await inFlight(opened.noop, warmCalls)
  return { pool: opened, workers }
}

const operations = {
  /** Calls per second with all of them in flight, `times` times one after the other. */
  async flight({ calls, times = 1 }, { pool }) {
    await inFlight(pool.noop, Math.ceil(calls / 10))
    const elapsedMs = await timed(async () => {
      for (let i = 0; i < times; i++) await inFlight(pool.noop, calls)
    })
    return ((calls * times) / elapsedMs) * 1000
  },
  /** Milliseconds of each of `calls` calls, one after the other. */
  async oneByOne({ calls }, { pool }) {
    const samples = []
    for (let i = 0; i < calls; i++) {
      const start = performance.now()
      await pool.noop()
      samples.push(performance.now() - start)
    }
    return samples.slice(Math.floor(calls / 10))
  },
  /** Milliseconds for tasks of these sizes, submitted at once in this order. */
  async work({ iterations }, { pool, workers }) {
    await wake(pool, workers)
    return timed(() => Promise.all(iterations.map((count) => pool.burn(count))))
  },
  /** The same, and where the time of the workers goes. */
  async timeline({ iterations }, { pool, workers }) {
    await wake(pool, workers)
    return timelineOf(workers, () => Promise.all(iterations.map((count) => pool.timedBurn(count))))
  },
  /** Microseconds for each of `tasks` tasks that are queued at once and then read, `times` times. */
  async queued({ tasks, times }, { pool }) {
    const { get } = await import('outpool')
    let totalMs = 0
    for (let i = 0; i < times; i++) {
      totalMs += await timed(async () => {
        const refs = new Array(tasks)
        for (let k = 0; k < tasks; k++) refs[k] = pool.submit()
        await get(refs)
      })
    }
    return (totalMs * 1000) / (tasks * times)
  },
  /**
   * Milliseconds for each of `tasks` tasks at once with an array of so many bytes. `how` it gets there: `inline`, the
   * same array each time; `fresh`, a new one for each task; `first`, put once and passed by reference; `reference`, the
   * same again, when the workers have used it before.
   */
  async argument({ sizeBytes, tasks, how }, { pool }) {
    const arrayOf = (value) => new Float64Array(sizeBytes / 8).fill(value)
    const call = async (argument, value) => {
      if ((await pool.ends(argument)) !== 2 * value + sizeBytes / 8)
        throw new Error('the array did not arrive as it was')
    }
    const all = (argumentOf, value) => Promise.all(Array.from({ length: tasks }, (_, i) => call(argumentOf(i), value)))
    const array = arrayOf(1.5)
    if (how === 'fresh') {
      const fresh = Array.from({ length: tasks }, () => arrayOf(2.5))
      await all((i) => fresh[i], 2.5)
      const again = Array.from({ length: tasks }, () => arrayOf(2.5))
      return (await timed(() => all((i) => again[i], 2.5))) / tasks
    }
    if (how === 'first')
      return (await timed(async () => all(await pool.share(array).then((ref) => () => ref), 1.5))) / tasks
    const argument = how === 'reference' ? await pool.share(array) : array
    for (let i = 0; i < 2; i++) await all(() => argument, 1.5)
    return (await timed(() => all(() => argument, 1.5))) / tasks
  },
  /** Bytes per second, in GB/s: copied within this process, or put into the store, over pages that were used before. */
  async putting({ sizeBytes, times, how }, { pool }) {
    const array = new Uint8Array(sizeBytes).fill(1)
    const target = new Uint8Array(sizeBytes).fill(2)
    const once = async () => {
      if (how === 'copy') return target.set(array)
      const ref = await pool.share(array)
      ref[Symbol.dispose]()
    }
    for (let i = 0; i < 2; i++) await once()
    const samples = []
    for (let i = 0; i < times; i++) samples.push(await timed(once))
    samples.sort((a, b) => a - b)
    return sizeBytes / samples[Math.floor(times / 2)] / 1e6
  },
  /**
   * Microseconds by the piece: so many calls, refs as arguments of one task, results of one, refs in one `get`, items of
   * one generator; `times` times.
   */
  async refs({ count, how, times }, { pool }) {
    const { get } = await import('outpool')
    const sum = (count * (count - 1)) / 2
    const total = (values) => values.reduce((all, value) => all + value, 0)
    const share = () => Promise.all(Array.from({ length: count }, (_, i) => pool.share(i)))
    const ways = {
      calls: () => async () => {
        await get(Array.from({ length: count }, () => pool.submit()))
        return sum
      },
      async arguments() {
        const refs = await share()
        return () => pool.sum(refs)
      },
      results: () => async () => total(await get(pool.many(count))),
      async get() {
        const refs = await share()
        return async () => total(await get(refs))
      },
      generator: () => async () => {
        let found = 0
        for await (const ref of pool.generate(count)) {
          found += await ref.get()
          ref[Symbol.dispose]()
        }
        return found
      },
    }
    let totalMs = 0
    for (let i = 0; i < times; i++) {
      const play = await ways[how]()
      totalMs += await timed(async () => {
        if ((await play()) !== sum) throw new Error('the values did not arrive as they were')
      })
    }
    return (totalMs * 1000) / (count * times)
  },
  /** Memory of this process and all below it, with idle workers. */
  async memory({ restMs }, { pool, workers }) {
    await warmUp(pool, workers)
    await new Promise((resolve) => setTimeout(resolve, restMs))
    return memoryOfTree(process.pid)
  },
}

await serve({ setUp, operations, tearDown: ({ pool }) => pool.close() })
