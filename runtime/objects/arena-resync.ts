/**
 * A process says what it holds of the arena, after its link was broken: its word counts. Objects that it has sealed and
 * the ledger has not heard of come first; then what the ledger had granted beyond what the process knows of, or has
 * given back unheard, is free.
 */
import type { ProcessId } from '../base/ids.ts'
import type { HeldParts } from '../protocol/store-messages.ts'
import type { ArenaLedger } from './arena-ledger-state.ts'
import { roundUp, type Room } from './arena-space.ts'

/** Throws ProtocolError where the process says to have rooms that it was not given. */
export function resync(ledger: ArenaLedger, process: ProcessId, [rooms, pins, sealed]: HeldParts): void {
  const { holders } = ledger.objects
  for (const [, key, segment, offset, sizeBytes, primary] of sealed) {
    const room = { segment, offset, sizeBytes: roundUp(Math.max(1, sizeBytes)) }
    // Otherwise it was heard.
    if (holders.roomsOf(process).some((known) => isWithin(room, known)))
      ledger.sealed(process, key, room, sizeBytes, primary)
  }
  const kept = rooms.map(([segment, offset, sizeBytes]): Room => ({ segment, offset, sizeBytes }))
  for (const room of kept) holders.carve(process, room)
  for (const room of [...holders.roomsOf(process)]) ledger.returned(process, room)
  for (const room of kept) holders.grant(process, room)
  const counts = new Map(pins)
  for (const [entry, count] of [...holders.pinsOf(process)])
    ledger.released(
      process,
      Array.from({ length: Math.max(0, count - (counts.get(entry) ?? 0)) }, () => entry),
    )
  // What it was asked to collect was lost with the link, or its answer was.
  holders.answered(process)
}

function isWithin(part: Room, { segment, offset, sizeBytes }: Room): boolean {
  return part.segment === segment && part.offset >= offset && part.offset + part.sizeBytes <= offset + sizeBytes
}
