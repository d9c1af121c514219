/** What lies on the node of a worker that is dead, or may lie there, without a word of it that arrived. */
import type { NodeId } from '../base/ids.ts'
import type { RefTuple } from '../protocol/messages.ts'
import type { Frees } from './frees.ts'
import type { LatePins } from './late-pins.ts'
import type { LeaseRecord } from './lease-record.ts'
import { mayHaveCome, type PrefetchParts } from './prefetch.ts'

export interface LeftParts extends Omit<PrefetchParts, 'nodes' | 'frees'> {
  readonly frees: Pick<Frees, 'leftBehind' | 'stray'>
  readonly latePins: Pick<LatePins, 'of'>
  /** What tasks refer to that have not settled. */
  readonly pins: ReadonlyMap<number, readonly RefTuple[]>
}

/** Results of the tasks that were there, and copies of what these could read. To be called before it is let go of. */
export function leftBehind(parts: LeftParts, lease: LeaseRecord, node: NodeId): void {
  const read = parts.latePins.of(lease.index)
  for (const sequence of lease.all()) {
    const number = lease.task(sequence)
    parts.frees.leftBehind(number, lease.resultsAt(sequence), node)
    read.push(...(parts.pins.get(number) ?? []))
  }
  for (const ref of read) mayHaveCome(parts, ref, node)
}
