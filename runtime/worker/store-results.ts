/** Results on their way to the owner of a task: small ones travel, large ones go into the store of this machine. */
import type { Clock } from '../base/clock.ts'
import { ObjectStoreFullError, OutOfDiskError } from '../base/errors.ts'
import { objectKey, type ObjectNumber, type ProcessId } from '../base/ids.ts'
import { compact, compactBytes } from '../objects/compact.ts'
import { goesToStore } from '../objects/inline.ts'
import type { ObjectStore } from '../objects/store.ts'
import type { EncodedValue } from '../objects/value.ts'
import { refTupleOf } from '../owner/refs.ts'
import type { ResultTuple } from '../protocol/messages.ts'

/** Whose results they are. */
export interface ResultsOf {
  readonly owner: ProcessId
  /** Of the first of them. */
  readonly number: ObjectNumber
  /** 0 is the first. */
  readonly attempt: number
}

/**
 * Stores all of them, or none: rejects with why one of them could not be. What was there before, of an earlier attempt, is
 * there in any case: it may be a value that was never lost.
 */
export async function storeResults(
  store: ObjectStore,
  { owner, number, attempt }: ResultsOf,
  values: readonly EncodedValue[],
): Promise<ResultTuple[]> {
  const keyOf = (i: number): string => objectKey({ owner, number: number + i })
  let inlineBytes = 0
  const isNew = new Set<string>()
  const one = async (value: EncodedValue, i: number): Promise<ResultTuple> => {
    const sizeBytes = compactBytes(value)
    if (goesToStore(sizeBytes, inlineBytes)) {
      if (attempt === 0 || !(await store.contains(keyOf(i)))) isNew.add(keyOf(i))
      return ['stored', await storeAnew(store, keyOf(i), attempt, value), value.refs.map(refTupleOf)]
    }
    inlineBytes += sizeBytes
    return ['inline', compact(value), value.refs.map(refTupleOf)]
  }
  const ends = await Promise.allSettled(values.map(one))
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed === undefined) return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
  ends.forEach((end, i) => {
    // A store that is gone has nothing to be removed.
    if (end.status === 'fulfilled' && isNew.has(keyOf(i))) void store.delete(keyOf(i)).catch(() => {})
  })
  throw failed.reason
}

/**
 * Stores a value in the place of what an earlier attempt may have left under its key; returns its size in bytes. What is
 * there stays until the new value is whole: this process may end at any moment. Its owner may free a value as soon as
 * it is told of it, and that may reach the node before the value does. The node remembers that and lets the seal go by;
 * so a first attempt asks nothing further, and after others it is asked whether it was the free of an earlier one.
 */
export async function storeAnew(
  store: ObjectStore,
  key: string,
  attempt: number,
  value: EncodedValue,
): Promise<number> {
  if (attempt === 0) return store.put(key, value)
  try {
    const sizeBytes = await store.put(key, value)
    if ((await store.size(key)) !== undefined) return sizeBytes
  } catch (error) {
    // Two of them may be too much for it, where one is not.
    if (!isFull(error) || !(await store.contains(key))) throw error
  }
  await store.delete(key)
  const sizeBytes = await store.put(key, value)
  await store.size(key)
  return sizeBytes
}

/** Within this the end of a node manager is known to its workers, in milliseconds. */
const nodeEndMs = 500

/**
 * Why something could not be stored. A node manager that is gone takes its store along, and in a moment this worker,
 * whose end is then the answer: only a store that is full says so at once.
 */
export async function notStored(clock: Clock, error: unknown): Promise<unknown> {
  if (!isFull(error)) await new Promise<void>((resolve) => void clock.after(nodeEndMs, resolve))
  return error
}

function isFull(error: unknown): boolean {
  return error instanceof ObjectStoreFullError || error instanceof OutOfDiskError
}
