/**
 * Makes, uses and drops values of many sizes, here and in tasks, many at a time; then lets go of everything. Options:
 * objects or seconds (whichever ends first), leastBytes, mostBytes, users, mostTogether (so many are made by one task,
 * and used by one), seed, cutEvery (so many objects: its link to its home breaks). With `through`: puts so many bytes
 * that are all kept, reads them back in another order, and goes on until there is no room; everything that was put must
 * be readable then.
 */
import { explain, get, init, put, remote, shutdown } from 'outpool'
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
  mostTogether = 1,
} = options
const tasks = new URL('./object-tasks.mjs', import.meta.url)
const makeOne = remote(tasks, 'makeOne', { maxRetries: -1 })
/** By how many it makes. */
const make = Array.from({ length: mostTogether + 1 }, (_, count) =>
  remote(tasks, 'make', { maxRetries: -1, numReturns: Math.max(2, count) }),
)
const use = remote(tasks, 'use', { maxRetries: -1 })
await init()

let state = seed
/** 0 to 1; the same for a seed. */
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state / 2 ** 32
}

/**
 * Of every order of size, and of the smaller ones somewhat more: from 64 KB to 16 MB, half of them have less than 450 KB,
 * one in ten more than 7 MB, and all 2.1 MB on average. Each is compared byte by byte whenever it is used.
 */
const sizeNow = () => Math.floor(leastBytes * (mostBytes / leastBytes) ** (random() ** 1.5))
/** Made by this process, the others by tasks; and read by it, the others by tasks. */
const madeHere = 0.25
const usedHere = 0.1
/** Values that this process has got and holds for a while, doing nothing with them. */
const held = []
const mostHeld = users / 4

const counts = { objects: 0, bytes: 0, wrong: 0, ms: 0 }
const errors = []

/** For how long a task holds its worker, in milliseconds: mostly no longer than it needs. */
const busyNow = () => (random() < 0.01 ? 50 : 0)

/** What is held is right when it is let go, too: nobody has got its memory meanwhile. */
function useHere(value, id, size) {
  held.push({ value, id, size })
  const out = held.length > mostHeld ? held.shift() : undefined
  return isRight(value, id, size) && (out === undefined || isRight(out.value, out.id, out.size))
}

/** How many of the objects that are used at once were wrong. */
async function useAll(refs, ids, sizes) {
  if (random() >= usedHere) return use.run(busyNow(), ids, sizes, ...refs)
  const values = await get(refs)
  return values.filter((value, i) => !useHere(value, ids[i], sizes[i])).length
}

/** Objects that are made together, by this process or by one task. */
async function makeAll(ids, sizes) {
  if (random() < madeHere) return Promise.all(ids.map((id, i) => put(contentOf(id, sizes[i]))))
  return ids.length === 1 ? [makeOne.remote(ids, sizes)] : make[ids.length].remoteMany(ids, sizes)
}

async function someObjects(ids) {
  const sizes = ids.map(sizeNow)
  const refs = await makeAll(ids, sizes)
  const times = random() < 0.3 ? 2 : 1
  for (let i = 0; i < times; i++) {
    const wrong = await useAll(refs, ids, sizes)
    counts.wrong += wrong
  }
  // Some are dropped here, some by the collector.
  for (const ref of refs) if (random() < 0.8) ref[Symbol.dispose]()
  counts.objects += ids.length
  counts.bytes += sizes.reduce((sum, size) => sum + size, 0)
}

let cuts = 0

/** Breaks the link to the home, while others are in the middle of something. */
function cut() {
  if (currentRuntime().home.mode !== 'connected') return
  cuts++
  currentRuntime().home.link.close(new Error('cut by the test'))
}

async function churn() {
  const startedAt = performance.now()
  const until = startedAt + seconds * 1000
  let next = 0
  let said = 0
  const user = async () => {
    while (next < objects && performance.now() < until) {
      const count = Math.min(1 + Math.floor(random() * mostTogether), objects - next)
      const ids = Array.from({ length: count }, () => next++)
      try {
        await someObjects(ids)
      } catch (error) {
        errors.push(`${error.name}: ${error.message}`)
      }
      if (cutEvery > 0 && counts.objects >= cutEvery * (cuts + 1)) cut()
      if (counts.objects >= said + 500) void say('progress', { ...counts, said: (said = counts.objects) })
    }
  }
  await Promise.all(Array.from({ length: users }, user))
  counts.ms = performance.now() - startedAt
  held.length = 0
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
