/** How an input is cut into chunks, as Python's `Pool.map` does it. Pure. */

/** The default: about four chunks for each worker, so that a slow chunk delays little and a call costs little. */
export function defaultChunkSize(items: number, processes: number): number {
  return Math.max(1, Math.ceil(items / (4 * Math.max(1, processes))))
}

/** Consecutive parts of `items`, each of `size` items but for the last. */
export function* chunksOf<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size)
}

/** The items of any iterable as an array; an array (or a typed array) is copied as it is at the call. */
export async function collect<T>(iterable: Iterable<T> | AsyncIterable<T>): Promise<T[]> {
  if (isIterable(iterable)) return [...iterable]
  const items: T[] = []
  for await (const item of iterable) items.push(item)
  return items
}

export function isIterable<T>(value: Iterable<T> | AsyncIterable<T>): value is Iterable<T> {
  return typeof (value as Partial<Iterable<T>>)[Symbol.iterator] === 'function'
}

export function isAsyncIterable<T>(value: Iterable<T> | AsyncIterable<T>): value is AsyncIterable<T> {
  return typeof (value as Partial<AsyncIterable<T>>)[Symbol.asyncIterator] === 'function'
}
