/**
 * Tasks with large results that say what they were made of. Each leaves a line in a file of its node, of which Outpool
 * knows nothing: how often it ran, and where.
 */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { context } from 'outpool'

/** Above what travels inline. */
export const numbers = 14_000

const cell = new Int32Array(new SharedArrayBuffer(4))

/** It takes a while, so that many of them need all workers. */
function trace(id, folder) {
  Atomics.wait(cell, 0, 0, 4)
  appendFileSync(join(folder, `${context().node}.${process.pid}.trace`), `${id}\n`)
}

/** All numbers of a value are the same one. */
export function valueOf(array) {
  if (array.length !== numbers || array[0] !== array[numbers - 1] || array[0] !== array[numbers >> 1])
    throw new Error(`a value of ${array.length} numbers, from ${array[0]} to ${array.at(-1)}`)
  return array[0]
}

/** What came before, and one more. */
export function link(before, id, folder) {
  trace(id, folder)
  return new Float64Array(numbers).fill((before === null ? 0 : valueOf(before)) + 1)
}

export function leaf(number, id, folder) {
  trace(id, folder)
  return new Float64Array(numbers).fill(number)
}

/** The sum over everything that it is given. */
export function total(id, folder, ...arrays) {
  trace(id, folder)
  return new Float64Array(numbers).fill(arrays.reduce((sum, array) => sum + valueOf(array), 0))
}
