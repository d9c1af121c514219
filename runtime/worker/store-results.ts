/** Results on their way to the owner of a task: small ones travel, large ones go into the store of this machine. */
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

/** Stores all of them, or none: rejects with why one of them could not be. */
export async function storeResults(
  store: ObjectStore,
  { owner, number, attempt }: ResultsOf,
  values: readonly EncodedValue[],
): Promise<ResultTuple[]> {
  const keyOf = (i: number): string => objectKey({ owner, number: number + i })
  let inlineBytes = 0
  const one = async (value: EncodedValue, i: number): Promise<ResultTuple> => {
    const sizeBytes = compactBytes(value)
    if (goesToStore(sizeBytes, inlineBytes)) return storeOne(store, keyOf(i), attempt, value)
    inlineBytes += sizeBytes
    return ['inline', compact(value), value.refs.map(refTupleOf)]
  }
  const ends = await Promise.allSettled(values.map(one))
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed === undefined) return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
  ends.forEach((end, i) => {
    // A store that is gone has nothing to be removed.
    if (end.status === 'fulfilled' && end.value[0] === 'stored') void store.delete(keyOf(i)).catch(() => {})
  })
  throw failed.reason
}

async function storeOne(store: ObjectStore, key: string, attempt: number, value: EncodedValue): Promise<ResultTuple> {
  return ['stored', await storeAnew(store, key, attempt, value), value.refs.map(refTupleOf)]
}

/**
 * Stores a value in the place of what an earlier attempt may have left under its key; returns its size in bytes. Its
 * owner may free it as soon as it is told of it, and that may reach the node before the value does. The node remembers
 * it, unless the value is removed meanwhile: so a first attempt removes nothing, and after others the node has it when
 * this resolves.
 */
export async function storeAnew(
  store: ObjectStore,
  key: string,
  attempt: number,
  value: EncodedValue,
): Promise<number> {
  if (attempt === 0) return store.put(key, value)
  await store.delete(key)
  const sizeBytes = await store.put(key, value)
  await store.size(key)
  return sizeBytes
}
