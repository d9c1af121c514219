/** The way from a store in shared memory to the ledger of its arena: a link, or the ledger itself in its own process. */
import type { ProcessId } from '../base/ids.ts'
import type { StoreAnswer, StoreNote, StoreOperation } from '../protocol/messages.ts'
import type { Room } from './arena-space.ts'

export interface ArenaPort {
  /** Who holds what is asked for here. */
  readonly process: ProcessId
  /** Rejects with the ledger's error, or with what says that it is gone. */
  request(operation: StoreOperation): Promise<StoreAnswer>
  /** Room at once; absent where the ledger is in another process. */
  roomNow?(sizeBytes: number): Room | undefined
  note(note: StoreNote): void
  /** Resolves when what was noted has left this process, so that nobody who is told afterwards comes before it. */
  flushed(): Promise<void>
}
