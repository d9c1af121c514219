/** Tasks of the failure tests. Each leaves a trace that Outpool knows nothing of: a line in a file of its worker. */
import { closeSync, constants, existsSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const cell = new Int32Array(new SharedArrayBuffer(4))
let file
let openIn

/** One write of one line to a file opened with O_APPEND: it is there as a whole, or not at all, however the worker ends. */
function trace(folder, line) {
  if (openIn !== folder) {
    if (file !== undefined) closeSync(file)
    file = openSync(join(folder, `${process.pid}.trace`), constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND)
    openIn = folder
  }
  writeSync(file, `${line}\n`)
}

/** Says that it began, unless there is no folder to say it in, and returns its id. */
export function count(id, folder) {
  if (folder !== '') trace(folder, id)
  return id
}

/** Says that it began, holds its worker for a while, as a computation does, and returns its id. */
export function hold(id, folder, ms) {
  trace(folder, id)
  Atomics.wait(cell, 0, 0, ms)
  return id
}

/** Says that it began, lets its worker's loop turn for a while, and returns its id. */
export async function idle(id, folder, ms) {
  trace(folder, id)
  await new Promise((resolve) => setTimeout(resolve, ms))
  return id
}

/** Says that it began, holds its worker, and tells who did it. */
export function sign(id, folder, ms) {
  hold(id, folder, ms)
  return { id, pid: process.pid }
}

/** Where it runs; it takes a while, so that many of them need many workers. */
export async function where(ms) {
  const { context } = await import('outpool')
  Atomics.wait(cell, 0, 0, ms)
  const { node, pid } = context()
  return { node, pid }
}

/** Says that it began, and, when that file is there, has a task of its own say where it runs. */
export async function whereLater(id, folder, file, options) {
  const { remote } = await import('outpool')
  trace(folder, id)
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20))
  return remote(import.meta.url, 'where', options).run(0)
}

/** The tables of the worker's own owner, after its finalizers had their chance. */
export async function tables(ms) {
  const { explain } = await import('outpool')
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, ms / 3))
  }
  const { node, tables: sizes } = explain()
  return { pid: process.pid, node, sizes }
}

/** Sums what it was given, in tasks of its own: the values belong to whoever called. */
export async function nested(refs, folder) {
  const { get, remote } = await import('outpool')
  const sum = remote(import.meta.url, 'sum')
  const sums = await get(refs.map((ref, i) => sum.remote(ref, `${process.pid}-${i}`, folder)))
  return sums.reduce((total, one) => total + one, 0)
}

export function sum(values, id, folder) {
  if (folder !== undefined) trace(folder, id)
  let total = 0
  for (const value of values) total += value
  return total
}

/** A large result that says what it was made from. */
export function fill(bytes, value) {
  return new Uint8Array(bytes).fill(value)
}

/** Has three children, each with a child of its own: counts those that came back right. */
export async function family(id, folder, ms) {
  const { get, remote } = await import('outpool')
  const parent = remote(import.meta.url, 'parent', { maxRetries: -1 })
  const names = [0, 1, 2].map((i) => `${id}-${i}`)
  const answers = await get(names.map((name) => parent.remote(name, folder, ms)))
  return `${id}: ${answers.filter((answer, i) => answer === `${names[i]} of ${names[i]}`).length}`
}

export async function parent(id, folder, ms) {
  const { remote } = await import('outpool')
  const child = await remote(import.meta.url, 'hold', { maxRetries: -1 }).run(id, folder, ms)
  return `${child} of ${id}`
}
