import { expect } from 'chai'
import fc from 'fast-check'
import { ProtocolError } from '../../../runtime/base/errors.ts'
import { objectKey, type ProcessId } from '../../../runtime/base/ids.ts'
import { ArenaLedger } from '../../../runtime/objects/arena-ledger-state.ts'
import { pageBytes, type Room } from '../../../runtime/objects/arena-space.ts'
import type { DiskPlace, NoRoom, Place, SpillItem } from '../../../runtime/objects/arena-types.ts'

const writer = '1111111111111111' as ProcessId
const reader = '2222222222222222' as ProcessId
const owner = '3333333333333333' as ProcessId
const keyOf = (number: number): string => objectKey({ owner, number })
const pages = (count: number): number => count * pageBytes

/** A ledger with a disk that does as it is told, when it is told. */
class Bench {
  nowMs = 0
  readonly spilling: SpillItem[][] = []
  readonly restoring: { entry: number; disk: DiskPlace; room: Room }[] = []
  readonly dropped: DiskPlace[] = []
  readonly collected: (readonly ProcessId[])[] = []
  readonly disk = new Set<number>()
  readonly ledger: ArenaLedger
  #nextDisk = 1

  constructor(pageCount: number, spillAbove = 1) {
    this.ledger = new ArenaLedger({
      now: () => this.nowMs,
      segments: [pages(pageCount)],
      spillAbove,
      fullWaitMs: 1_000,
      restoreWaitMs: 100,
      effects: {
        spill: (items) => this.spilling.push([...items]),
        restore: (entry, disk, room) => this.restoring.push({ entry, disk, room }),
        dropDisk: (disk) => {
          expect(this.disk.delete(disk.offset), 'a copy on disk is dropped once').to.equal(true)
          this.dropped.push(disk)
        },
        collect: (processes) => this.collected.push(processes),
      },
    })
  }

  room(pageCount: number, process = writer): Room | NoRoom | undefined {
    let got: Room | NoRoom | undefined
    this.ledger.room(process, pages(pageCount), pages(pageCount), (room) => (got = room))
    return got
  }

  put(number: number, pageCount: number, primary = true): void {
    const room = this.room(pageCount)
    if (room === undefined || !('segment' in room)) throw new Error('there is no room')
    this.ledger.sealed(writer, keyOf(number), room, pages(pageCount), primary)
  }

  get(number: number, process = reader, options = {}): Place | Error | undefined | 'waits' {
    let got: Place | Error | undefined | 'waits' = 'waits'
    this.ledger.get(process, keyOf(number), options, (place, error) => (got = error ?? place))
    return got
  }

  finishSpill(): void {
    for (const items of this.spilling.splice(0))
      this.ledger.spilled(
        new Map(
          items.map(({ entry, sizeBytes }) => {
            const offset = this.#nextDisk++
            this.disk.add(offset)
            return [entry, { path: '/spill', offset, sizeBytes, checksum: 0 }]
          }),
        ),
      )
  }

  failSpill(): void {
    for (const items of this.spilling.splice(0))
      this.ledger.spillFailed(
        items.map(({ entry }) => entry),
        new Error('the disk is full'),
      )
  }

  finishRestore(error?: Error): void {
    for (const { entry } of this.restoring.splice(0)) this.ledger.restored(entry, error)
  }

  stateOf(number: number): string | undefined {
    return this.ledger.objects.report(this.nowMs).objects.find(({ key }) => key === keyOf(number))?.state
  }
}

function placed(place: unknown): Place {
  expect(place).to.have.property('entry')
  return place as Place
}

describe('ArenaLedger', () => {
  it('keeps the place of an object that somebody has mapped, after its name is gone, until the last one lets go', () => {
    const bench = new Bench(4)
    bench.put(1, 2)
    const [first, second] = [placed(bench.get(1)), placed(bench.get(1, writer))]
    bench.ledger.delete(keyOf(1))
    expect(bench.get(1)).to.equal(undefined)
    expect(bench.room(3)).to.equal(undefined)
    bench.ledger.released(reader, [first.entry])
    expect(bench.ledger.space.usedBytes).to.equal(pages(2))
    bench.ledger.released(writer, [second.entry])
    expect(bench.ledger.space.usedBytes).to.equal(pages(3))
    bench.ledger.validate()
  })

  it('takes back at once what a process held that is gone: rooms, what is left of them, and pins', () => {
    const bench = new Bench(8)
    const room = bench.room(6) as Room
    bench.ledger.sealed(writer, keyOf(1), { segment: 0, offset: room.offset + pages(1) }, 100, true)
    bench.get(1, reader)
    bench.ledger.delete(keyOf(1))
    bench.ledger.processGone(writer)
    expect(bench.ledger.space.usedBytes).to.equal(pages(1))
    bench.ledger.processGone(reader)
    expect(bench.ledger.space.usedBytes).to.equal(0)
    bench.ledger.validate()
  })

  it('refuses a process that speaks of room which it was not given', () => {
    const bench = new Bench(8)
    const room = bench.room(2) as Room
    const seal = (process: ProcessId, offset: number, sizeBytes: number): void =>
      bench.ledger.sealed(process, keyOf(1), { segment: 0, offset }, sizeBytes, true)
    expect(() => seal(reader, room.offset, 10)).to.throw(ProtocolError)
    expect(() => seal(writer, room.offset, pages(3))).to.throw(ProtocolError)
    seal(writer, room.offset, pages(2))
    expect(() => seal(writer, room.offset, 10)).to.throw(ProtocolError)
    expect(() => bench.ledger.returned(writer, room)).to.throw(ProtocolError)
  })

  it('spills what was used least recently when it is fuller than its mark, and restores it for who reads it', () => {
    const bench = new Bench(10, 0.8)
    for (let i = 1; i <= 4; i++) bench.put(i, 2)
    const used = placed(bench.get(1))
    bench.ledger.released(reader, [used.entry])
    expect(bench.spilling).to.have.length(0)
    bench.put(5, 2)
    expect(bench.spilling.flat().map(({ sizeBytes }) => sizeBytes)).to.deep.equal([pages(2)])
    bench.finishSpill()
    expect([1, 2, 3, 4, 5].map((i) => bench.stateOf(i))).to.deep.equal([
      'memory',
      'spilled',
      'memory',
      'memory',
      'memory',
    ])
    expect(bench.ledger.space.usedBytes).to.equal(pages(8))
    expect(bench.get(2)).to.equal('waits')
    bench.finishRestore()
    expect(bench.stateOf(2)).to.equal('memory')
    bench.ledger.validate()
  })

  it('writes a restored object no second time', () => {
    const bench = new Bench(4)
    bench.put(1, 3)
    expect(bench.room(2)).to.equal(undefined)
    bench.finishSpill()
    bench.ledger.processGone(writer)
    bench.get(1)
    bench.finishRestore()
    bench.ledger.processGone(reader)
    expect(bench.room(2)).to.have.property('segment')
    expect(bench.spilling).to.have.length(0)
    expect(bench.stateOf(1)).to.equal('spilled')
    bench.ledger.delete(keyOf(1))
    expect(bench.disk.size).to.equal(0)
    bench.ledger.validate()
  })

  it('drops copies of what others keep, and says so at once to who asks for one', () => {
    const bench = new Bench(4)
    bench.put(1, 3, false)
    expect(bench.room(2)).to.have.property('segment')
    expect(bench.stateOf(1)).to.equal(undefined)
    expect(bench.get(1, reader, { expected: true })).to.equal(undefined)
    expect(bench.spilling).to.have.length(0)
  })

  it('does not spill what somebody has mapped, and pins what is mapped while it is being spilled', () => {
    const bench = new Bench(4)
    bench.put(1, 2)
    bench.put(2, 2)
    bench.get(1)
    let got: unknown
    bench.ledger.room(writer, pages(2), pages(2), (room) => (got = room))
    expect(bench.spilling.flat()).to.have.length(1)
    placed(bench.get(2))
    bench.finishSpill()
    expect(bench.stateOf(2)).to.equal('memory')
    expect(got).to.equal(undefined)
    bench.ledger.processGone(reader)
    expect(got).to.have.property('segment')
    bench.ledger.validate()
  })

  it('asks who holds memory to collect garbage, then fails with what it waited for', () => {
    const bench = new Bench(4)
    bench.put(1, 4)
    bench.get(1)
    const answers: unknown[] = []
    bench.ledger.room(writer, pages(1), pages(1), (room) => answers.push(room))
    expect(bench.collected).to.deep.equal([[reader]])
    bench.nowMs = 999
    bench.ledger.tick()
    expect(answers).to.deep.equal([])
    expect(bench.ledger.objects.report(bench.nowMs).holders).to.deep.equal([
      { process: reader, roomBytes: 0, objects: 1, pinnedBytes: pages(4), silentMs: 999 },
    ])
    bench.nowMs = 1_000
    bench.ledger.tick()
    expect(answers).to.deep.equal([{ why: 'full', sizeBytes: pages(1), waitedMs: 1_000 }])
    expect(bench.ledger.waits).to.equal(false)
  })

  it('waits for a disk that is slow, and fails with its error, or has room, when it is done', () => {
    for (const fails of [true, false]) {
      const bench = new Bench(4)
      bench.put(1, 4)
      const answers: (Room | NoRoom)[] = []
      bench.ledger.room(writer, pages(1), pages(1), (room) => answers.push(room))
      bench.nowMs = 5_000
      bench.ledger.tick()
      expect(answers).to.deep.equal([])
      if (fails) bench.failSpill()
      else bench.finishSpill()
      bench.ledger.tick()
      expect(answers).to.have.length(1)
      expect(answers[0]).to.have.property(fails ? 'cause' : 'segment')
    }
  })

  it('fails with the error of the disk when nothing more can be spilled, and keeps what it has', () => {
    const bench = new Bench(4)
    bench.put(1, 4)
    const answers: unknown[] = []
    bench.ledger.room(writer, pages(1), pages(1), (room) => answers.push(room))
    for (let i = 0; i < 4; i++) {
      bench.failSpill()
      bench.nowMs += 500
      bench.ledger.tick()
    }
    expect(answers[0]).to.deep.include({ why: 'disk' })
    expect((answers[0] as NoRoom).cause?.message).to.equal('the disk is full')
    placed(bench.get(1))
    bench.failSpill()
    bench.ledger.validate()
  })

  it('looks at none of what would have to be written, message by message, while somebody waits', () => {
    const bench = new Bench(1_000)
    for (let number = 1; number <= 1_000; number++) bench.put(number, 1)
    let looks = 0
    const { objects } = bench.ledger
    const evictNow = objects.evictNow.bind(objects)
    objects.evictNow = (entry) => (looks++, evictNow(entry))
    expect(bench.room(10)).to.equal(undefined)
    const begun = looks
    for (let i = 0; i < 100; i++) bench.ledger.released(reader, [])
    expect([begun, looks]).to.deep.equal([10, 10])
    bench.finishSpill()
    bench.ledger.validate()
  })

  it('drops no copy that it was told to keep, and those that it was not, while somebody waits', () => {
    const bench = new Bench(4)
    for (let number = 1; number <= 4; number++) bench.put(number, 1, false)
    expect(bench.ledger.keep(keyOf(1))).to.equal(true)
    bench.ledger.validate()
    expect(bench.room(3)).to.have.property('sizeBytes', pages(3))
    expect([1, 2, 3, 4].map((number) => bench.stateOf(number))).to.deep.equal([
      'memory',
      undefined,
      undefined,
      undefined,
    ])
    expect(bench.spilling).to.have.length(0)
  })

  it('answers from the disk when there is no room to restore', () => {
    const bench = new Bench(4)
    bench.put(1, 3)
    bench.ledger.room(writer, pages(3), pages(3), () => {})
    bench.finishSpill()
    const answers: unknown[] = []
    bench.ledger.get(reader, keyOf(1), {}, (place) => answers.push(place))
    bench.nowMs = 100
    bench.ledger.tick()
    expect(answers[0]).to.deep.include({ kind: 'file' })
    bench.ledger.delete(keyOf(1))
    expect(bench.disk.size).to.equal(1)
    bench.ledger.processGone(reader)
    expect(bench.disk.size).to.equal(0)
    bench.ledger.validate()
  })

  it('tells who waits for a damaged copy that it is lost, and forgets it', () => {
    const bench = new Bench(4)
    bench.put(1, 3)
    bench.room(2)
    bench.finishSpill()
    bench.ledger.processGone(writer)
    let got: unknown
    bench.ledger.get(reader, keyOf(1), {}, (_, error) => (got = error))
    const lost = new Error('its bytes are wrong')
    bench.finishRestore(lost)
    expect(got).to.equal(lost)
    expect(bench.get(1)).to.equal(undefined)
    expect(bench.disk.size).to.equal(0)
    bench.ledger.validate()
  })

  it('waits for a seal that is on its way, and not for long', () => {
    const bench = new Bench(4)
    const answers: (Place | undefined)[] = []
    const ask = (): void => bench.ledger.get(reader, keyOf(1), { expected: true }, (place) => void answers.push(place))
    ask()
    bench.put(1, 1)
    expect(placed(answers[0]).sizeBytes).to.equal(pages(1))
    bench.ledger.delete(keyOf(1))
    ask()
    bench.nowMs = 1_000
    bench.ledger.tick()
    expect(answers).to.have.length(2)
    expect(answers[1]).to.equal(undefined)
  })

  it('keeps nothing of an object that was freed before its seal came, or of an owner that is gone', () => {
    const bench = new Bench(4)
    bench.ledger.delete(keyOf(1), true)
    bench.put(1, 1)
    expect(bench.ledger.space.usedBytes).to.equal(0)
    bench.put(1, 1)
    expect(bench.ledger.space.usedBytes).to.equal(pages(1))
    bench.ledger.deleteOwnedBy(owner, true)
    bench.put(2, 1)
    expect(bench.ledger.space.usedBytes).to.equal(0)
    bench.ledger.validate()
  })

  it('keeps an object that is made again right after it was freed', () => {
    const bench = new Bench(4)
    bench.ledger.delete(keyOf(1), true)
    // Who is about to write removes what may be left of an earlier attempt.
    bench.ledger.delete(keyOf(1))
    bench.put(1, 1)
    expect(bench.stateOf(1)).to.equal('memory')
  })

  it('gives a process that is gone nothing of what it waited for: neither room nor objects', () => {
    const bench = new Bench(4)
    bench.put(1, 3)
    const held = placed(bench.get(1))
    bench.ledger.room(writer, pages(2), pages(2), () => expect.fail('room for a dead process'))
    bench.ledger.get(writer, keyOf(2), { expected: true }, () => expect.fail('an object for a dead process'))
    bench.ledger.processGone(writer)
    bench.ledger.delete(keyOf(1))
    bench.ledger.released(reader, [held.entry])
    bench.put(2, 1)
    expect(bench.ledger.space.usedBytes).to.equal(pages(1))
    bench.ledger.validate()
  })

  it('restores nothing for a process that is gone', () => {
    const bench = new Bench(10, 0.5)
    for (let i = 1; i <= 3; i++) bench.put(i, 2)
    bench.finishSpill()
    expect(bench.stateOf(1)).to.equal('spilled')
    bench.ledger.get(reader, keyOf(1), {}, () => expect.fail('an object for a dead process'))
    bench.ledger.processGone(reader)
    bench.finishRestore()
    bench.ledger.delete(keyOf(1))
    for (const number of [2, 3]) bench.ledger.delete(keyOf(number))
    bench.finishSpill()
    expect(bench.ledger.space.usedBytes).to.equal(0)
    bench.ledger.validate()
  })

  it('says at once that an object would never fit', () => {
    expect(new Bench(4).room(5)).to.deep.equal({ why: 'large', sizeBytes: pages(5), waitedMs: 0 })
  })

  it('adds up after any sequence of events, and gives everything back when all is over', () => {
    const step = fc.record({
      kind: fc.constantFrom(
        'put',
        'copy',
        'get',
        'release',
        'delete',
        'spilled',
        'failed',
        'restored',
        'lost',
        'tick',
        'gone',
      ),
      number: fc.integer({ min: 1, max: 8 }),
      size: fc.integer({ min: 1, max: 5 }),
      process: fc.constantFrom(writer, reader),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const bench = new Bench(12, 0.7)
        const { ledger } = bench
        const pins: { process: ProcessId; entry: number }[] = []
        for (const { kind, number, size, process } of steps) {
          bench.nowMs += 37
          if (kind === 'put' || kind === 'copy')
            ledger.room(process, pages(size), pages(size), (room) => {
              if ('segment' in room) ledger.sealed(process, keyOf(number), room, pages(size), kind === 'put')
            })
          else if (kind === 'get')
            ledger.get(process, keyOf(number), { expected: size === 1, anywhere: size === 2 }, (place) => {
              if (place !== undefined) pins.push({ process, entry: place.entry })
            })
          else if (kind === 'release') {
            const [pin] = pins.splice(number % Math.max(1, pins.length), 1)
            if (pin !== undefined) ledger.released(pin.process, [pin.entry])
          } else if (kind === 'delete') ledger.delete(keyOf(number), size === 1)
          else if (kind === 'spilled') bench.finishSpill()
          else if (kind === 'failed') bench.failSpill()
          else if (kind === 'restored') bench.finishRestore()
          else if (kind === 'lost') bench.finishRestore(new Error('lost'))
          else if (kind === 'tick') ledger.tick()
          else {
            ledger.processGone(process)
            for (let i = pins.length - 1; i >= 0; i--) if (pins[i]?.process === process) pins.splice(i, 1)
          }
          ledger.validate()
        }
        ledger.deleteOwnedBy(owner, true)
        for (let i = 0; i < 50 && (ledger.waits || bench.spilling.length > 0 || bench.restoring.length > 0); i++) {
          bench.finishSpill()
          bench.finishRestore()
          bench.nowMs += 1_000
          for (const process of [writer, reader]) ledger.processGone(process)
          ledger.tick()
        }
        for (const process of [writer, reader]) ledger.processGone(process)
        ledger.validate()
        expect(ledger.space.usedBytes).to.equal(0)
        expect(bench.disk.size).to.equal(0)
      }),
      { numRuns: 300 },
    )
  })
})
