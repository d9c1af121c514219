/**
 * Many plain numbers as machine words: taken once at the call, cut without copying, sent as they are. The numbers are
 * exactly those of the input: 32-bit integers where every one is an integer and none is -0, else doubles.
 */
import { types } from 'node:util'

export type Words = Int32Array | Float64Array

/** What is cut into chunks, and what comes back of them. */
export type Items = readonly unknown[] | Words

/** Fewer are not worth it: a short array travels in fewer bytes as it is. */
export const leastWords = 16

const itemsOfArray: unknown = Array.prototype[Symbol.iterator]
const itemsOfWords: unknown = Float64Array.prototype[Symbol.iterator]

/**
 * What `[...input]` would give now; undefined where that is not numbers alone, or few, or where the input has an
 * iterator of its own.
 */
export function wordsOf(input: unknown): Words | undefined {
  if (types.isInt32Array(input)) return isPlain(input, itemsOfWords) ? new Int32Array(input) : undefined
  if (types.isFloat64Array(input)) return isPlain(input, itemsOfWords) ? new Float64Array(input) : undefined
  if (!Array.isArray(input) || types.isProxy(input) || !isPlain(input, itemsOfArray)) return undefined
  return wordsOfArray(input)
}

function isPlain(input: Items, iterator: unknown): boolean {
  return input.length >= leastWords && input[Symbol.iterator] === iterator
}

/** Each item is read once. Holes are no numbers. */
function wordsOfArray(items: readonly unknown[]): Words | undefined {
  const { length } = items
  const words = new Int32Array(length)
  for (let i = 0; i < length; i++) {
    const item = items[i]
    if (typeof item !== 'number') return undefined
    if ((item | 0) !== item || (item === 0 && Object.is(item, -0))) return doublesOf(items, words.subarray(0, i))
    words[i] = item
  }
  return words
}

function doublesOf(items: readonly unknown[], before: Int32Array): Float64Array | undefined {
  const { length } = items
  const words = new Float64Array(length)
  words.set(before)
  for (let i = before.length; i < length; i++) {
    const item = items[i]
    if (typeof item !== 'number') return undefined
    words[i] = item
  }
  return words
}
