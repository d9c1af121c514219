/** Writes one object into its room of the arena. */
import { OutpoolError } from '../base/errors.ts'
import type { ArenaMemory } from './arena-memory.ts'
import type { Room } from './arena-space.ts'
import { Coverage } from './coverage.ts'
import type { ObjectWriter } from './store.ts'

export interface ArenaWriterParts {
  readonly key: string
  readonly sizeBytes: number
  readonly room: Room
  readonly memory: ArenaMemory
  /** Whether this node keeps the object; otherwise it is a copy of another's. */
  readonly primary: boolean
  readonly store: {
    sealed(writer: ArenaWriter): Promise<void>
    giveBack(room: Room, writer: ArenaWriter): void
  }
}

export class ArenaWriter implements ObjectWriter {
  readonly key: string
  readonly sizeBytes: number
  readonly room: Room
  readonly primary: boolean
  readonly #parts: ArenaWriterParts
  readonly #coverage: Coverage
  #isEnded = false

  constructor(parts: ArenaWriterParts) {
    this.#parts = parts
    this.key = parts.key
    this.sizeBytes = parts.sizeBytes
    this.room = parts.room
    this.primary = parts.primary
    this.#coverage = new Coverage(parts.sizeBytes)
  }

  async write(chunk: Uint8Array, offset: number): Promise<void> {
    this.place(offset, chunk.length).set(chunk)
    this.written(offset, chunk.length)
  }

  /** Where the object's bytes from `offset` on are to be; tell `written` when they are there. */
  place(offset: number, length: number): Uint8Array {
    this.#mustBeOpen()
    this.#coverage.check(length, offset)
    const { memory, room } = this.#parts
    return memory.bytes({ segment: room.segment, offset: room.offset + offset, sizeBytes: length })
  }

  written(offset: number, length: number): void {
    this.#coverage.check(length, offset)
    this.#coverage.add(length, offset)
  }

  async seal(): Promise<void> {
    this.#mustBeOpen()
    this.#coverage.checkWhole()
    this.#isEnded = true
    await this.#parts.store.sealed(this)
  }

  async abort(): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#parts.store.giveBack(this.room, this)
  }

  #mustBeOpen(): void {
    if (this.#isEnded) throw new OutpoolError('the object is sealed or aborted already')
  }
}
