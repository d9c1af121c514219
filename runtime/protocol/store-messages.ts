/** Messages between the processes of a machine and the node manager that keeps the ledger of its shared memory. */
import type { NodeId, ObjectNumber, ProcessId } from '../base/ids.ts'
import type { MessageType } from './message-type.ts'
import type { Holder } from './messages.ts'

type T = typeof MessageType

/** What is asked of the ledger; the answers are in `StoreAnswer`, in the same order. */
export type StoreOperation =
  /** Room to write to: at least so many bytes, better the second number. Waits while the store is full. */
  | readonly [kind: 'room', leastBytes: number, wantedBytes: number]
  /**
   * Where an object is; it is pinned for the asker until `released`. `expected`: it is here, or its seal is under way on
   * another link. `anywhere`: a copy on disk will do.
   */
  | readonly [kind: 'get', key: string, expected: boolean, anywhere: boolean]
  | readonly [kind: 'size', key: string]
  /** The first over a link that was made again: what the asker holds, whatever was said over the one before. */
  | readonly [kind: 'resync', held: HeldParts]

/** Rooms; how often each entry is pinned; objects of which the ledger may not have heard. */
export type HeldParts = readonly [
  rooms: readonly (readonly [segment: number, offset: number, sizeBytes: number])[],
  pins: readonly (readonly [entry: number, count: number])[],
  sealed: readonly SealedNote[],
]

/** `[segment, offset, sizeBytes]` | a place, or nothing where there is no such object | `[sizeBytes]`, or nothing. */
export type StoreAnswer =
  | readonly [segment: number, offset: number, sizeBytes: number]
  | readonly ['arena', entry: number, sizeBytes: number, segment: number, offset: number]
  | readonly ['file', entry: number, sizeBytes: number, path: string, offset: number, checksum: number]
  | readonly [sizeBytes: number]
  | readonly []

/** What the ledger is told. */
export type StoreNote =
  | SealedNote
  /** A part of a room that the sender does not use. */
  | readonly [kind: 'returned', segment: number, offset: number, sizeBytes: number]
  /** Entries that the sender has let go of, one number for each time it was given one. */
  | readonly [kind: 'released', entries: readonly number[]]
  | readonly [kind: 'delete', key: string]
  | readonly [kind: 'deleteOwner', owner: ProcessId]
  /** The sender has collected garbage, as it was asked to. */
  | readonly [kind: 'collected']

/** An object was written to a room of the sender. `primary`: it is no copy of one that another node keeps. */
type SealedNote = readonly [
  kind: 'sealed',
  key: string,
  segment: number,
  offset: number,
  sizeBytes: number,
  primary: boolean,
]

export type StoreRequest = readonly [type: T['storeRequest'], requestId: number, operation: StoreOperation]
/** `error`: '' or a compact value, the error that the asker throws. */
export type StoreReply = readonly [type: T['storeReply'], requestId: number, error: Uint8Array | null, StoreAnswer]
export type StoreNotes = readonly [type: T['storeNotes'], notes: readonly StoreNote[]]
/** To a process that has mapped objects, or holds room: memory is short; collect garbage, and give back what is unused. */
export type StoreCollect = readonly [type: T['storeCollect']]

// Copies and their end.
/**
 * Process -> owner: a copy of your object is about to be brought to my node, where it has to be freed with the others.
 * `elsewhere`: may have been brought to that node instead, by a process that is gone.
 */
type ObjectCopied = readonly [type: T['objectCopied'], number: ObjectNumber, elsewhere?: NodeId]
/** Owner -> node manager: these are wanted no more. */
type Free = readonly [type: T['free'], keys: readonly string[]]
/** As `pull`, where nobody waits for it yet: a task that needs it is on its way to this node. Not answered. */
export type Prefetch = readonly [
  type: T['prefetch'],
  job: ProcessId,
  key: string,
  sizeBytes: number,
  holders: readonly Holder[],
]
/** Process -> owner: a task of mine that needs your object may run on that node; have it brought there. Not answered. */
type ObjectBring = readonly [type: T['objectBring'], number: ObjectNumber, to: NodeId]
export type CopyMessage = ObjectCopied | Free | Prefetch | ObjectBring
