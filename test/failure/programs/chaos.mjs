/**
 * Works while things go wrong: tasks, tasks that must not run again, nested ones, cancelled ones, large values and
 * Pool.map's, in several streams, by a seed. When its home is gone for good, everything under way has to fail by name;
 * it then joins another node and goes on. Options: addresses, seed, streams, least, most, folder.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { cancel, explain, init, remote, shutdown } from 'outpool'
import { Pool } from 'outpool/multiprocessing'
import { numbers } from './numbers.mjs'
import { end, leftInTables, options, say, told } from './report.mjs'

const { addresses, seed, streams, leastMs, mostMs, folder } = options
const url = new URL('./tasks.mjs', import.meta.url)
const sign = remote(url, 'sign', { maxRetries: -1 })
const once = remote(url, 'sign', { maxRetries: 0 })
const family = remote(url, 'family', { maxRetries: -1 })
const fill = remote(url, 'fill', { maxRetries: -1 })
const bytes = 200_000

/** What may be told of a call of each kind when it fails; whatever fails may do so because the home is gone. */
const lost = ['WorkerCrashedError', 'NodeDiedError']
const mayFail = {
  task: [],
  once: lost,
  nested: [],
  cancelled: ['TaskCancelledError', ...lost],
  large: ['ObjectLostError', ...lost],
  map: lost,
}
/** A value that is being made again when the home is gone cannot be. */
const reasonsOfAnEnd = ['ConnectionLostError', 'ObjectReconstructionFailedError']

/** Holds its worker for some milliseconds, as a computation does, and leaves the CPU to the others. */
function square(x) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, x % 4)
  return x * x
}

let over = false
/** Nothing is under way any more: until the test has looked, this program stays, and collects garbage. What it holds then it keeps. */
let quiet = false
async function beQuiet() {
  if (quiet) return
  quiet = true
  await say('quiet')
  await told('leave')
}
void told('enough').then(() => (over = true))

let next = 0
const counts = Object.fromEntries(Object.keys(mayFail).map((kind) => [kind, { accepted: 0, succeeded: 0, failed: {} }]))
const wrong = []
/** Calls that have not settled, and since when. */
const pending = new Map()
/** Longer than anything that goes wrong may last. */
const longMs = 30_000
const succeededOnce = []
let retried = 0

function complain(text) {
  if (wrong.length < 50) wrong.push(text)
}

/** One call of that kind; resolves with what is wrong with its value, '' for nothing. */
const kinds = {
  async task(id, ms) {
    const value = await sign.run(id, folder, ms)
    return value.id === id ? '' : `got ${value.id}`
  },
  async once(id, ms) {
    const value = await once.run(id, folder, ms)
    succeededOnce.push(id)
    return value.id === id ? '' : `got ${value.id}`
  },
  async nested(id, ms) {
    const value = await family.run(id, folder, ms / 4)
    return value === `${id}: 3` ? '' : `got ${value}`
  },
  async cancelled(id, ms, random) {
    const ref = once.remote(id, folder, ms)
    const value = ref.get()
    // Not told as unhandled while the call waits to be cancelled.
    value.catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, random() * 2 * ms))
    cancel(ref)
    return (await value).id === id ? '' : 'got another value'
  },
  async large(id, ms) {
    const value = await fill.run(bytes, ms % 256)
    return value.length === bytes && value[0] === ms % 256 && value.at(-1) === ms % 256 ? '' : 'other bytes'
  },
  async map(_id, _ms, _random, pool) {
    const squares = await pool.map(
      square,
      Array.from({ length: 40 }, (_, i) => i),
      5,
    )
    return squares.every((result, i) => result === i * i) ? '' : `got ${squares.join()}`
  },
}
const drawn = [
  ...Array(8).fill('task'),
  ...Array(5).fill('once'),
  'nested',
  'nested',
  'cancelled',
  'cancelled',
  'large',
]

/** One call from its beginning to its end. When the home is gone, this life of the program is over. */
async function call(kind, random, pool) {
  const id = `${seed}-${kind}-${next++}`
  const count = counts[kind]
  count.accepted++
  pending.set(id, performance.now())
  try {
    const ms = Math.round(leastMs + random() * (mostMs - leastMs))
    const problem = await kinds[kind](id, ms, random, pool)
    count.succeeded++
    if (problem !== '') complain(`${id} ${problem}`)
  } catch (error) {
    const name = error?.name ?? String(error)
    count.failed[name] = (count.failed[name] ?? 0) + 1
    if (reasonsOfAnEnd.includes(name) && /home node \w+ at .* is gone|shut down|nothing listens at/.test(error.message))
      alive = false
    else if (!mayFail[kind].includes(name)) complain(`${id} failed: ${error?.stack ?? String(error)}`)
  } finally {
    pending.delete(id)
  }
}

/** Joins one of the nodes; those that are away just now are tried again. */
async function join(random) {
  for (let at = Math.floor(random() * addresses.length); ; at++) {
    try {
      return await init({ address: addresses[at % addresses.length] })
    } catch (error) {
      if (over) return undefined
      void say('waits', { reason: error.message })
      await shutdown()
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** The life goes on. */
let alive = true

async function work(random) {
  while (alive && !over) await call(drawn[Math.floor(random() * drawn.length)], random)
}

/** One after the other, and a new pool now and then: each takes workers of its own. */
async function maps(random) {
  while (alive && !over) {
    const pool = new Pool(1)
    for (let i = 0; i < 20 && alive && !over; i++) await call('map', random, pool)
    await pool.terminate()
  }
}

function held() {
  globalThis.gc()
  const { heapUsed } = process.memoryUsage()
  // Without the object store, which is shared and counts as external memory of whoever has it mapped.
  const ownKilobytes = /RssAnon:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0
  const files = readdirSync('/proc/self/fd').length
  const handles = process.getActiveResourcesInfo().length
  return { heapBytes: heapUsed, ownBytes: ownKilobytes * 1024, files, handles }
}

const random = numbers(seed)
/** Once its home is gone, a program has nothing to explain. */
let newest = 0
/** The ids of this program in its lives so far. */
const ids = []
const watch = setInterval(() => {
  if (quiet) globalThis.gc()
  newest = explain().retried || newest
  const late = [...pending].filter(([, sinceMs]) => performance.now() - sinceMs > longMs).map(([id]) => id)
  void say('progress', { next, retried: retried + newest, counts, late, ids })
}, 250)
for (let life = 1; !over; life++) {
  const joined = await join(random)
  if (joined === undefined) break
  alive = true
  ids.push(joined.process)
  void say('life', { life, node: joined.node })
  const all = Array.from({ length: streams }, (_, i) => work(numbers(seed * 1_000 + life * 100 + i)))
  await Promise.all([...all, maps(numbers(seed * 1_000 + life * 100 + 99))])
  retried += explain().retried || newest
  newest = 0
  const left = await leftInTables(explain)
  if (over) await beQuiet()
  await shutdown()
  await say('lived', { life, left, held: held() })
}
clearInterval(watch)
await beQuiet()
await say('outcomes', { counts, wrong, succeededOnce, retried, held: held() })
await end({})
