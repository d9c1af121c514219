/**
 * Processes that compute for longer than a connection takes, while others need them for the first time: the program, which
 * owns what a task of a task reads; a worker that owns what another one reads; a worker that keeps what another one owns.
 * And workers that go on behind their answers, at once or some time later, while another program wants their places.
 */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { get, init, put, remote, shutdown } from 'outpool'

const [who, forMs] = [process.argv[2], Number(process.argv[3])]
const on = (node) => ({ numCpus: 0, resources: { [`n${node}`]: 1 } })

/** Keeps its process from everything else, as a computation does. */
const compute = (ms) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  return process.pid
}
const reading = async ({ ref }) => {
  const { get } = await import('outpool')
  return get(ref)
}
const computeOn = (node) => remote(compute, on(node))

/** A task waits until the program computes, and has a task of its own read what is the program's. */
async function program() {
  const outer = remote(async (box, read) => {
    await new Promise((resolve) => setTimeout(resolve, 500))
    return read.run(box)
  }, on(1))
  const answer = outer.run({ ref: await put('of the program') }, remote(reading, on(1)))
  await new Promise((resolve) => setTimeout(resolve, 250))
  compute(forMs)
  return [await answer]
}

/** The same, while the program computes in slices: what it begins in a turn of its loop between two of them has to wait. */
async function slices() {
  const outer = remote(async (box, read) => {
    await new Promise((resolve) => setTimeout(resolve, 500))
    return read.run(box)
  }, on(1))
  const answer = outer.run({ ref: await put('of slices') }, remote(reading, on(1)))
  await new Promise((resolve) => setTimeout(resolve, 250))
  for (const ms of [1_500, forMs]) {
    compute(ms)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return [await answer]
}

/** A task of a task prints, on a node to which the program has no link, while that computes. */
async function printer() {
  const outer = remote(async (print) => {
    await new Promise((resolve) => setTimeout(resolve, 500))
    await print.run()
  }, on(1))
  const printed = outer.run(remote(() => console.log('of a task of a task'), on(2)))
  await new Promise((resolve) => setTimeout(resolve, 250))
  compute(forMs)
  await printed
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  return []
}

const make = remote(async (text) => {
  const { put } = await import('outpool')
  return { box: { ref: await put(text) }, pid: process.pid }
}, on(1))

async function owner() {
  const { box, pid } = await make.run('of a worker')
  const busy = computeOn(1).run(forMs)
  await new Promise((resolve) => setTimeout(resolve, 250))
  const value = await remote(reading, on(2)).run(box)
  return [value, (await busy) === pid]
}

async function reader() {
  const keep = remote((box) => {
    globalThis.kept = box
    return process.pid
  }, on(2))
  const readKept = remote(async () => {
    const { get } = await import('outpool')
    return get(globalThis.kept.ref)
  }, on(2))
  let { box } = await make.run('of a worker, kept by another one')
  const keeping = keep.run(box)
  const busy = computeOn(2).run(forMs)
  const pid = await keeping
  box = undefined
  const isSame = (await busy) === pid
  for (let i = 0; i < 10; i++) {
    gc()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return [await readKept.run(), isSame]
}

/** Each answers, and computes in the same turn of its loop. */
async function behind() {
  const owns = remote(async (i, ms) => {
    const { put } = await import('outpool')
    // After a long task a worker takes some turns to find that it rests.
    compute(20)
    const box = { ref: await put(i) }
    setImmediate(compute, ms)
    return box
  }, on(1))
  const boxes = await Promise.all(Array.from({ length: 8 }, (_, i) => owns.run(i, forMs)))
  console.log('owned')
  await new Promise((resolve) => setTimeout(resolve, forMs))
  return Promise.all(boxes.map(({ ref }) => get(ref)))
}

/** Each answers, and some time later, when its worker rests, has a task of its own run and sees what that says. */
async function later() {
  const folder = mkdtempSync(join(tmpdir(), 'later-'))
  const calls = remote((file, slow, ms) => {
    compute(20)
    setTimeout(() => void slow.run(ms).then((said) => writeFileSync(file, said)), 500)
  }, on(1))
  const slow = remote((ms) => new Promise((resolve) => setTimeout(resolve, ms, 'slow')), on(2))
  const files = Array.from({ length: 8 }, (_, i) => join(folder, `${i}`))
  await Promise.all(files.map((file) => calls.run(file, slow, forMs)))
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  console.log('owned')
  await new Promise((resolve) => setTimeout(resolve, forMs + 2_000))
  return files.map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : 'lost'))
}

async function wants() {
  const waits = remote((ms) => new Promise((resolve) => setTimeout(resolve, ms)), on(1))
  for (let i = 0; i < 4; i++) await Promise.all(Array.from({ length: 6 }, () => waits.run(400)))
  return ['had']
}

await init()
await get((who === 'printer' ? [1] : [1, 2]).map((node) => computeOn(node).remote(0)))
console.log(
  JSON.stringify(
    await { program, slices, printer, owner, reader, behind, later, wants }
      [who]()
      .catch((error) => [`${error.name}: ${error.message}`]),
  ),
)
await shutdown()
