import { expect } from 'chai'
import fc from 'fast-check'
import { ProtocolError } from '../../../runtime/base/errors.ts'
import { objectKey, type ProcessId } from '../../../runtime/base/ids.ts'
import { ArenaJournal } from '../../../runtime/objects/arena-journal.ts'
import { ArenaLedger } from '../../../runtime/objects/arena-ledger-state.ts'
import { resync } from '../../../runtime/objects/arena-resync.ts'
import { pageBytes, type Room } from '../../../runtime/objects/arena-space.ts'
import type { StoreAnswer, StoreNote, StoreOperation } from '../../../runtime/protocol/messages.ts'

const me = '1111111111111111' as ProcessId
const keyOf = (number: number): string => objectKey({ owner: me, number })

/** A process and a ledger with a link between them that delivers in order, until it is cut: then what is on it is lost. */
class Linked {
  readonly ledger = new ArenaLedger({
    now: () => 0,
    segments: [64 * pageBytes],
    spillAbove: 1,
    effects: { spill: () => {}, restore: () => {}, dropDisk: () => {}, collect: () => {} },
  })
  readonly journal = new ArenaJournal(me)
  readonly rooms: Room[] = []
  readonly pins: number[] = []
  /** What this process has told to be whole. */
  readonly sealed = new Set<number>()
  #toLedger: (() => void)[] = []
  #toProcess: (() => void)[] = []
  #nextId = 1
  #nextObject = 1

  #ask(operation: StoreOperation, then: (answer: StoreAnswer) => void): void {
    const id = this.#nextId++
    this.journal.asks(id)
    const link = this.#toProcess
    const answer = (fields: StoreAnswer): void => {
      // As the node manager does with what it cannot tell any more.
      if (link !== this.#toProcess) {
        if (fields.length === 3)
          this.ledger.returned(me, {
            segment: 0,
            offset: fields[1],
            sizeBytes: pageBytes * Math.ceil(fields[2] / pageBytes),
          })
        else if (fields[0] === 'arena') this.ledger.released(me, [fields[1]])
        return
      }
      this.#toProcess.push(() => {
        this.journal.answered(id, operation, fields)
        then(fields)
      })
    }
    this.#toLedger.push(() => {
      if (operation[0] === 'room')
        this.ledger.room(me, operation[1], operation[2], (room) =>
          answer('segment' in room ? [room.segment, room.offset, room.sizeBytes] : []),
        )
      else if (operation[0] === 'get')
        this.ledger.get(me, operation[1], {}, (place) =>
          answer(place?.kind === 'arena' ? ['arena', place.entry, place.sizeBytes, 0, place.room.offset] : []),
        )
      else if (operation[0] === 'resync') {
        resync(this.ledger, me, operation[1])
        answer([])
      }
    })
  }

  #note(note: StoreNote): void {
    this.journal.notes(note)
    this.#toLedger.push(() => {
      if (note[0] === 'sealed') this.ledger.sealed(me, note[1], { segment: note[2], offset: note[3] }, note[4], note[5])
      else if (note[0] === 'returned')
        this.ledger.returned(me, { segment: note[1], offset: note[2], sizeBytes: note[3] })
      else if (note[0] === 'released') this.ledger.released(me, note[1])
    })
  }

  room(pages: number): void {
    this.#ask(['room', pageBytes, pages * pageBytes], ([segment, offset, sizeBytes]) => {
      if (typeof segment === 'number' && typeof offset === 'number' && typeof sizeBytes === 'number')
        this.rooms.push({ segment, offset, sizeBytes })
    })
  }

  /** Fills the first page of a room. */
  seal(which: number): void {
    const room = this.rooms[which % Math.max(1, this.rooms.length)]
    if (room === undefined) return
    const number = this.#nextObject++
    this.#cut(room)
    this.sealed.add(number)
    this.#note(['sealed', keyOf(number), room.segment, room.offset, pageBytes - 100, true])
  }

  giveBack(which: number): void {
    const room = this.rooms[which % Math.max(1, this.rooms.length)]
    if (room === undefined) return
    this.#cut(room)
    this.#note(['returned', room.segment, room.offset, pageBytes])
  }

  get(which: number): void {
    this.#ask(['get', keyOf(1 + (which % Math.max(1, this.sealed.size))), false, false], (answer) => {
      if (answer[0] === 'arena') this.pins.push(answer[1])
    })
  }

  release(which: number): void {
    const entry = this.pins.splice(which % Math.max(1, this.pins.length), 1)
    if (entry.length > 0) this.#note(['released', entry])
  }

  deliver(count: number): void {
    for (let i = 0; i < count; i++) (i % 2 === 0 ? this.#toLedger : this.#toProcess).shift()?.()
  }

  /** The link breaks; the first over the next one is all that the process holds. */
  cut(): void {
    this.#toLedger = []
    this.#toProcess = []
    this.#ask(['resync', this.journal.held], () => {})
  }

  settle(): void {
    while (this.#toLedger.length + this.#toProcess.length > 0) this.deliver(2)
  }

  #cut(room: Room): void {
    const at = this.rooms.indexOf(room)
    const left = { ...room, offset: room.offset + pageBytes, sizeBytes: room.sizeBytes - pageBytes }
    this.rooms.splice(at, 1, ...(left.sizeBytes > 0 ? [left] : []))
  }
}

const bytesOf = (rooms: readonly Room[]): [number, number][] =>
  rooms
    .flatMap(({ offset, sizeBytes }) => Array.from({ length: sizeBytes / pageBytes }, (_, i) => offset + i * pageBytes))
    .sort((a, b) => a - b)
    .map((offset) => [offset, pageBytes])

describe('runtime/objects/arena-resync', () => {
  it('does not wait any more for what it asked before the link broke', () => {
    const asked: ProcessId[] = []
    const ledger = new ArenaLedger({
      now: () => 10_000,
      segments: [4 * pageBytes],
      spillAbove: 1,
      effects: { spill: () => {}, restore: () => {}, dropDisk: () => {}, collect: (who) => asked.push(...who) },
    })
    ledger.room(me, 4 * pageBytes, 4 * pageBytes, () => {})
    ledger.room('2222222222222222' as ProcessId, pageBytes, pageBytes, () => {})
    expect(asked).to.deep.equal([me])
    resync(ledger, me, [[], [], []])
    expect(ledger.objects.report(10_000).holders.map(({ process }) => process)).not.to.include(me)
  })

  it('makes known what was sealed, and free what was given back or never came, when the link is there again', () => {
    const linked = new Linked()
    linked.room(4)
    linked.settle()
    linked.seal(0)
    linked.settle()
    // From here on nothing arrives.
    linked.seal(0)
    linked.giveBack(0)
    linked.room(8)
    linked.get(0)
    linked.cut()
    linked.settle()
    const { objects, space } = linked.ledger
    expect([keyOf(1), keyOf(2)].map((key) => objects.find(key)?.sizeBytes)).to.deep.equal([3996, 3996])
    expect(objects.holders.roomsOf(me)).to.deep.equal([{ segment: 0, offset: 3 * pageBytes, sizeBytes: pageBytes }])
    expect(objects.holders.pinsOf(me).size).to.equal(0)
    expect(space.usedBytes).to.equal(3 * pageBytes)
  })

  it('refuses a process that says to have room which it was not given', () => {
    const linked = new Linked()
    expect(() => resync(linked.ledger, me, [[[0, 0, pageBytes]], [], []])).to.throw(ProtocolError)
  })

  it('agrees with the process about every room, pin and object, wherever the link was cut, and how often', () => {
    const step = fc.record({
      what: fc.constantFrom('room', 'seal', 'seal', 'give back', 'get', 'get', 'release', 'deliver', 'deliver', 'cut'),
      which: fc.nat(20),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const linked = new Linked()
        for (const { what, which } of steps) {
          if (what === 'room') linked.room(1 + (which % 6))
          else if (what === 'seal') linked.seal(which)
          else if (what === 'give back') linked.giveBack(which)
          else if (what === 'get') linked.get(which)
          else if (what === 'release') linked.release(which)
          else if (what === 'deliver') linked.deliver(which)
          else linked.cut()
        }
        linked.cut()
        linked.settle()
        const { objects } = linked.ledger
        objects.validate()
        expect(bytesOf(objects.holders.roomsOf(me))).to.deep.equal(bytesOf(linked.rooms))
        const counts = new Map<number, number>()
        for (const entry of linked.pins) counts.set(entry, (counts.get(entry) ?? 0) + 1)
        expect(new Map(objects.holders.pinsOf(me))).to.deep.equal(counts)
        for (const number of linked.sealed)
          expect(objects.find(keyOf(number)), `object ${number}`).not.to.equal(undefined)
      }),
      { numRuns: 500 },
    )
  })
})
