/** Results on their way to the owner of a task: small ones travel, large ones go into the store of this machine. */
import { objectKey, type ObjectNumber, type ProcessId } from '../base/ids.ts'
import { inlineBytes } from '../base/limits.ts'
import { compact, compactBytes } from '../objects/compact.ts'
import type { ObjectStore } from '../objects/store.ts'
import type { EncodedValue } from '../objects/value.ts'
import { refTupleOf } from '../owner/refs.ts'
import type { ResultTuple } from '../protocol/messages.ts'

/** Stores all of them, or none: rejects with why one of them could not be. `first` is the number of the first. */
export async function storeResults(
  store: ObjectStore,
  owner: ProcessId,
  first: ObjectNumber,
  values: readonly EncodedValue[],
): Promise<ResultTuple[]> {
  const keyOf = (i: number): string => objectKey({ owner, number: first + i })
  const ends = await Promise.allSettled(values.map((value, i) => storeOne(store, keyOf(i), value)))
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed === undefined) return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
  ends.forEach((end, i) => {
    // A store that is gone has nothing to be removed.
    if (end.status === 'fulfilled' && end.value[0] === 'stored') void store.delete(keyOf(i)).catch(() => {})
  })
  throw failed.reason
}

async function storeOne(store: ObjectStore, key: string, value: EncodedValue): Promise<ResultTuple> {
  const refs = value.refs.map(refTupleOf)
  if (compactBytes(value) <= inlineBytes) return ['inline', compact(value), refs]
  // An earlier attempt of this task may have left its result here.
  await store.delete(key)
  return ['stored', await store.put(key, value), refs]
}
