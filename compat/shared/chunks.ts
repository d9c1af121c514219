/** How an input is cut into chunks, as Python's `Pool.map` does it. Pure. */

import { given } from '../../lib/given.ts'
import { leastWords, type Items, type Words } from './words.ts'

/** The default: about four chunks for each worker, so that a slow chunk delays little and a call costs little. */
export function defaultChunkSize(items: number, processes: number): number {
  return Math.max(1, Math.ceil(items / (4 * Math.max(1, processes))))
}

/** Consecutive parts of `items`, each of `size` items but for the last. Words are not copied, unless they are few. */
export function chunksOf<T>(items: readonly T[], size: number): Generator<readonly T[]>
export function chunksOf(items: Items, size: number): Generator<Items>
export function* chunksOf(items: Items, size: number): Generator<Items> {
  for (let start = 0; start < items.length; start += size) {
    const end = start + size
    if (Array.isArray(items)) yield items.slice(start, end)
    else {
      const words = (items as Words).subarray(start, end)
      yield words.length < leastWords ? Array.from(words) : words
    }
  }
}

/** Throws TypeError for an item that is no list of arguments. */
export function checkTuples(items: Items): void {
  for (const [i, item] of items.entries())
    if (!isIterable(item as Iterable<unknown>))
      throw new TypeError(`starmap: item ${i} is no list of arguments such as [1, 2], but ${given(item)}`)
}

export function isIterable<T>(value: Iterable<T> | AsyncIterable<T>): value is Iterable<T> {
  return typeof (value as Partial<Iterable<T>> | null | undefined)?.[Symbol.iterator] === 'function'
}

export function isAsyncIterable<T>(value: Iterable<T> | AsyncIterable<T>): value is AsyncIterable<T> {
  return typeof (value as Partial<AsyncIterable<T>> | null | undefined)?.[Symbol.asyncIterator] === 'function'
}

export function checkInput(value: Iterable<unknown> | AsyncIterable<unknown>, caller: string): void {
  if (isIterable(value) || isAsyncIterable(value)) return
  throw new TypeError(`${caller}: the input is not iterable: pass an array or an (async) iterable, not ${given(value)}`)
}
