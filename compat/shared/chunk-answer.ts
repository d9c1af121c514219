/** What comes back of a chunk. */
import { nameOriginalPlaces } from '../../lib/travel.ts'
import type { Items, Words } from './words.ts'

/** What became of the items of a chunk. */
export interface ChunkAnswer {
  readonly values: Items
  /** In mode `each`: the items that failed. In the others: at most the one at which the chunk stopped. */
  readonly failures: readonly (readonly [index: number, error: unknown])[]
}

/** What the worker sends for `map` and `starmap`, and for `each`. */
export type WorkerAnswer =
  | { readonly numbers: Words }
  | { readonly values: readonly unknown[]; readonly failedAt: number; readonly error?: unknown }
  | readonly ({ readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown })[]

export function answerOf(sent: WorkerAnswer): ChunkAnswer {
  if ('numbers' in sent) return { values: sent.numbers, failures: [] }
  if ('failedAt' in sent)
    return { values: sent.values, failures: sent.failedAt < 0 ? [] : [[sent.failedAt, nameOriginalPlaces(sent.error)]] }
  const failures: [number, unknown][] = []
  const values = sent.map((item, index) => {
    if (item.ok) return item.value
    failures.push([index, nameOriginalPlaces(item.error)])
    return undefined
  })
  return { values, failures }
}
