import type { ObjectTuple } from '../protocol/messages.ts'

/** Who waits in the place of an object's value, as one object instead of a callback with what it closes over. */
export abstract class SlotReader {
  abstract settle(outcome: ObjectTuple): void
  /** The common end, for which no outcome is made. */
  abstract settleInline(bytes: Uint8Array): void
}
