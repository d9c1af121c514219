/** A user's program around one pool: what it measures is the same for every pool, `pools/*.mjs` says how each is called. */
import { memoryOfTree } from './memory.mjs'
import { serve, timed } from './serve.mjs'

/** Long enough that a pool which starts workers on demand has started all of them. */
const warmUpIterations = 10_000_000

async function inFlight(pool, calls) {
  const results = new Array(calls)
  for (let i = 0; i < calls; i++) results[i] = pool.noop()
  await Promise.all(results)
}

async function warmUp(pool, workers) {
  await Promise.all(Array.from({ length: workers * 3 }, () => pool.burn(warmUpIterations)))
}

/** `warmCalls`: so many calls in flight, twice, before anything is measured: by then the code is compiled. */
async function setUp({ pool, workers, warmCalls = 0, ...options }) {
  const { open } = await import(`./pools/${pool}.mjs`)
  const opened = await open({ workers, ...options })
  await warmUp(opened, workers)
  for (let i = 0; i < 2; i++) await inFlight(opened, warmCalls)
  return { pool: opened, workers }
}

const operations = {
  /** Calls per second with all of them in flight. */
  async flight({ calls }, { pool }) {
    await inFlight(pool, Math.ceil(calls / 10))
    return (calls / (await timed(() => inFlight(pool, calls)))) * 1000
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
    // Workers that ended meanwhile, for want of work, start before the clock does.
    await Promise.all(Array.from({ length: workers * 2 }, () => pool.burn(warmUpIterations / 4)))
    return timed(() => Promise.all(iterations.map((count) => pool.burn(count))))
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
  /** Milliseconds of a call with an array of so many bytes. */
  async argument({ sizeBytes, byReference }, { pool }) {
    const array = new Float64Array(sizeBytes / 8).fill(1.5)
    const argument = byReference ? await pool.share(array) : array
    const call = async () => {
      if ((await pool.ends(argument)) !== 3 + array.length) throw new Error('the array did not arrive as it was')
    }
    await call()
    if (byReference) await call()
    return timed(call)
  },
  /** Memory of this process and all below it, with idle workers. */
  async memory({ restMs }, { pool, workers }) {
    await warmUp(pool, workers)
    await new Promise((resolve) => setTimeout(resolve, restMs))
    return memoryOfTree(process.pid)
  },
}

await serve({ setUp, operations, tearDown: ({ pool }) => pool.close() })
