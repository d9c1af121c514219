/** What the ledger of an arena says to those around it. */
import type { ProcessId } from '../base/ids.ts'
import type { Room } from './arena-space.ts'

/** Where the bytes of an object are; valid until what pins it is released. */
export type Place =
  | { readonly kind: 'arena'; readonly entry: number; readonly sizeBytes: number; readonly room: Room }
  | { readonly kind: 'file'; readonly entry: number; readonly sizeBytes: number; readonly disk: DiskPlace }

/** A copy in a spill file. */
export interface DiskPlace {
  readonly path: string
  readonly offset: number
  readonly sizeBytes: number
  readonly checksum: number
}

/** Why there is no room: `disk`: nothing can be spilled any more; `large`: it would never fit. */
/** Processes that wait for room to write to. */
export interface RoomWaits {
  readonly count: number
  /** Of the one that has waited longest, and since when. */
  readonly sizeBytes: number
  readonly waitedMs: number
  /** After so long without any becoming free it gets none. */
  readonly failsAfterMs: number
  /** Some will be free when it has been written to the disk. */
  readonly isSpilling: boolean
  /** Why nothing can be written to the disk. */
  readonly cause: Error | undefined
}

export interface NoRoom {
  readonly why: 'full' | 'disk' | 'large'
  readonly sizeBytes: number
  readonly waitedMs: number
  readonly cause?: Error
}

export interface SpillItem {
  readonly entry: number
  readonly room: Room
  readonly sizeBytes: number
}

export interface LedgerEffects {
  /** Write these to disk; then say `spilled` or `spillFailed`, for all of them. */
  spill(items: readonly SpillItem[]): void
  /** Read an object back into the room; then say `restored`. */
  restore(entry: number, disk: DiskPlace, room: Room): void
  /** A copy on disk is not needed any more. */
  dropDisk(disk: DiskPlace): void
  /** Ask these processes to collect garbage and to give back what they hold unused; they answer with `collected`. */
  collect(processes: readonly ProcessId[], askId: number): void
}

export interface LedgerOptions {
  readonly effects: LedgerEffects
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** Sizes of the segments, in bytes. */
  readonly segments: readonly number[]
  /** The share of the arena above which it spills. Default 0.8. */
  readonly spillAbove?: number
  /** How long a writer waits without any progress before it fails, in milliseconds. Default 10,000. */
  readonly fullWaitMs?: number
  /** How long a read waits for room before it is answered from the disk, in milliseconds. Default 1,000. */
  readonly restoreWaitMs?: number
  /** Bytes written in one go. Default 100 MB. */
  readonly spillBatchBytes?: number
}

/** What one process holds of the arena. */
export interface HolderReport {
  readonly process: ProcessId
  /** Room that it has and has not filled. */
  readonly roomBytes: number
  /** Objects that it has mapped. */
  readonly objects: number
  readonly pinnedBytes: number
  /** How long it has not answered the request to collect garbage, in milliseconds; 0 where it has. */
  readonly silentMs: number
}

/** One object of the store, as people see it. */
export interface ObjectReport {
  readonly key: string
  readonly sizeBytes: number
  readonly state: 'memory' | 'spilling' | 'spilled' | 'restoring'
  /** Whether this node keeps it as long as it is referenced; other copies may be dropped when memory is short. */
  readonly primary: boolean
  readonly holders: readonly ProcessId[]
}
