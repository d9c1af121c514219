/**
 * What a process holds of an arena whose ledger is at the other end of a link that may break and come back: its rooms,
 * its pins, and the objects of which it does not know yet that the ledger has heard of them. When the link is there
 * again the ledger is told all of it (`resync` in arena-resync.ts): what was said over the old link, by either side, may
 * not have arrived.
 *
 * The ledger hears in order: whose answer has come, before its question everything was heard. Pure.
 */
import type { ProcessId } from '../base/ids.ts'
import type { HeldParts, StoreAnswer, StoreNote, StoreOperation } from '../protocol/store-messages.ts'
import { ArenaHolders } from './arena-holders.ts'
import { roundUp } from './arena-space.ts'

type Sealed = Extract<StoreNote, readonly ['sealed', ...unknown[]]>

export class ArenaJournal {
  readonly #process: ProcessId
  readonly #held = new ArenaHolders()
  /** In order; each with the last question before it. */
  #unheard: { readonly note: Sealed; readonly after: number }[] = []
  #lastQuestion = 0

  constructor(process: ProcessId) {
    this.#process = process
  }

  /** Questions have rising numbers. */
  asks(id: number): void {
    this.#lastQuestion = id
  }

  answered(id: number, operation: StoreOperation, answer: StoreAnswer): void {
    const heard = this.#unheard.findIndex(({ after }) => after >= id)
    this.#unheard.splice(0, heard < 0 ? this.#unheard.length : heard)
    if (operation[0] === 'room' && answer.length === 3) {
      const [segment, offset, sizeBytes] = answer as readonly number[]
      this.#held.grant(this.#process, { segment: segment!, offset: offset!, sizeBytes: sizeBytes! }) // prettier-ignore
    } else if (operation[0] === 'get' && (answer[0] === 'arena' || answer[0] === 'file'))
      this.#held.pin(this.#process, answer[1])
  }

  notes(note: StoreNote): void {
    if (note[0] === 'sealed') {
      const [, , segment, offset, sizeBytes] = note
      this.#held.carve(this.#process, { segment, offset, sizeBytes: roundUp(Math.max(1, sizeBytes)) })
      this.#unheard.push({ note, after: this.#lastQuestion })
    } else if (note[0] === 'returned')
      this.#held.carve(this.#process, { segment: note[1], offset: note[2], sizeBytes: note[3] })
    else if (note[0] === 'released') for (const entry of note[1]) this.#held.unpin(this.#process, entry)
  }

  /** All that the process holds now. */
  get held(): HeldParts {
    const rooms = this.#held.roomsOf(this.#process).map((room) => [room.segment, room.offset, room.sizeBytes] as const)
    return [rooms, [...this.#held.pinsOf(this.#process)], this.#unheard.map(({ note }) => note)]
  }
}
