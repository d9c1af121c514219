/**
 * Makes, uses and drops values of many sizes, here and in tasks, many at a time; then lets go of everything. Options:
 * objects or seconds (whichever ends first), leastBytes, mostBytes, users, seed, cutEvery (so many objects: its link to its home breaks). With `through`: puts so many bytes that
 * are all kept, reads them back in another order, and goes on until there is no room; everything that was put must be
 * readable then.
 */
import { explain, init, put, remote, shutdown } from 'outpool'
import { currentRuntime } from '../../../dist/runtime/owner/current.js'
import { contentOf, isRight } from './object-tasks.mjs'
import { end, leftInTables, options, say, told } from './report.mjs'

const {
  objects = Infinity,
  seconds = Infinity,
  leastBytes,
  mostBytes,
  users = 8,
  seed = 1,
  through = 0,
  cutEvery = 0,
} = options
const tasks = new URL('./object-tasks.mjs', import.meta.url)
const make = remote(tasks, 'make', { maxRetries: -1 })
const use = remote(tasks, 'use', { maxRetries: -1 })
await init()

let state = seed
/** 0 to 1; the same for a seed. */
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state / 2 ** 32
}

/** Many small ones, few large ones. */
const sizeNow = () => Math.floor(leastBytes * (mostBytes / leastBytes) ** (random() ** 6))

const counts = { objects: 0, bytes: 0, wrong: 0 }
const errors = []

async function oneObject(id) {
  const size = sizeNow()
  const ref = random() < 0.5 ? await put(contentOf(id, size)) : make.remote(id, size)
  const times = random() < 0.3 ? 2 : 1
  for (let i = 0; i < times; i++) {
    const here = random() < 0.3
    const right = here ? isRight(await ref.get(), id, size) : await use.run(ref, id, size, random() < 0.02 ? 50 : 0)
    if (!right) counts.wrong++
  }
  // Some are dropped here, some by the collector.
  if (random() < 0.8) ref[Symbol.dispose]()
  counts.objects++
  counts.bytes += size
}

let cuts = 0

/** Breaks the link to the home, while others are in the middle of something. */
function cut() {
  if (currentRuntime().home.mode !== 'connected') return
  cuts++
  currentRuntime().home.link.close(new Error('cut by the test'))
}

async function churn() {
  const until = performance.now() + seconds * 1000
  let next = 0
  const user = async () => {
    while (next < objects && performance.now() < until) {
      const id = next++
      try {
        await oneObject(id)
      } catch (error) {
        errors.push(`${error.name}: ${error.message}`)
      }
      if (cutEvery > 0 && counts.objects % cutEvery === 0) cut()
      if (counts.objects % 500 === 0) void say('progress', counts)
    }
  }
  await Promise.all(Array.from({ length: users }, user))
}

async function fill() {
  const refs = []
  const read = async (id) => {
    if (!isRight(await refs[id].get(), id, mostBytes)) counts.wrong++
  }
  const putOne = async () => {
    refs.push(await put(contentOf(refs.length, mostBytes)))
    counts.objects++
    counts.bytes += mostBytes
  }
  while (counts.bytes < through) await putOne()
  for (let i = 0; i < refs.length; i++) await read((i * 7919) % refs.length)
  await say('through', counts)
  let full
  for (let more = 0; full === undefined && more < 10_000; more++)
    full = await putOne().then(
      () => undefined,
      (error) => error,
    )
  for (let id = 0; id < refs.length; id++) await read(id)
  await say('full', { name: full?.name, message: full?.message, objects: refs.length })
}

await (through > 0 ? fill() : churn())
await say('done', { cuts, ...counts, errors: errors.slice(0, 10), failed: errors.length })
await told('leave')
const left = await leftInTables(explain)
await say('left', { left })
await told('end')
await shutdown()
await end({})
