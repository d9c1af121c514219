import { expect } from 'chai'
import fc from 'fast-check'
import { ArenaSpace, pageBytes, roundUp, type Room } from '../../../runtime/objects/arena-space.ts'

const pages = (count: number): number => count * pageBytes

describe('ArenaSpace', () => {
  it('gives whole pages, in one piece, until there are no more', () => {
    const space = new ArenaSpace([pages(4), pages(2)])
    expect(space.take(1)).to.deep.equal({ segment: 0, offset: 0, sizeBytes: pages(1) })
    expect(space.take(pages(2) + 1)).to.deep.equal({ segment: 0, offset: pages(1), sizeBytes: pages(3) })
    expect(space.take(pages(3))).to.equal(undefined)
    expect(space.take(pages(2))).to.deep.equal({ segment: 1, offset: 0, sizeBytes: pages(2) })
    expect(space.take(1)).to.equal(undefined)
    expect(space.freeBytes).to.equal(0)
    expect(space.largestBytes).to.equal(pages(4))
  })

  it('uses pages that were used before it touches fresh ones, those that were freed last first', () => {
    const space = new ArenaSpace([pages(100)])
    const rooms = Array.from({ length: 6 }, () => space.take(pages(1)) as Room)
    space.give(rooms[1] as Room)
    space.give(rooms[3] as Room)
    expect(space.take(1)).to.deep.equal(rooms[3])
    expect(space.take(1)).to.deep.equal(rooms[1])
    expect(space.frontier(0)).to.equal(pages(6))
  })

  it('joins neighbours, also with what was never used', () => {
    const space = new ArenaSpace([pages(8)])
    const [a, b, c] = [space.take(pages(2)), space.take(pages(2)), space.take(pages(2))] as [Room, Room, Room]
    space.give(a)
    space.give(c)
    space.give(b)
    space.validate()
    expect(space.take(pages(8))).to.deep.equal({ segment: 0, offset: 0, sizeBytes: pages(8) })
  })

  it('takes back a part of a room, and refuses what is free already or lies outside', () => {
    const space = new ArenaSpace([pages(8)])
    const room = space.take(pages(4)) as Room
    space.give({ ...room, offset: pages(2), sizeBytes: pages(2) })
    expect(space.usedBytes).to.equal(pages(2))
    expect(() => space.give({ ...room, offset: pages(2), sizeBytes: pages(2) })).to.throw(RangeError, /freed twice/)
    expect(() => space.give({ segment: 1, offset: 0, sizeBytes: pages(1) })).to.throw(RangeError)
    expect(() => space.give({ segment: 0, offset: 1, sizeBytes: pages(1) })).to.throw(RangeError)
    expect(() => space.give({ segment: 0, offset: pages(7), sizeBytes: pages(1) })).to.throw(RangeError)
  })

  it('never gives a page twice, and loses none, whatever is taken and given', () => {
    const step = fc.record({ take: fc.boolean(), sizeBytes: fc.integer({ min: 1, max: pages(12) }), which: fc.nat() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const sizes = [pages(40), pages(17)]
        const space = new ArenaSpace(sizes)
        const rooms: Room[] = []
        const used = sizes.map((sizeBytes) => new Uint8Array(sizeBytes / pageBytes))
        const mark = ({ segment, offset, sizeBytes }: Room, value: number): void => {
          for (let page = offset / pageBytes; page < (offset + sizeBytes) / pageBytes; page++) {
            expect(used[segment]?.[page]).to.equal(1 - value)
            ;(used[segment] as Uint8Array)[page] = value
          }
        }
        for (const { take, sizeBytes, which } of steps) {
          if (take) {
            const room = space.take(sizeBytes)
            if (room === undefined) continue
            expect(room.sizeBytes).to.equal(roundUp(sizeBytes))
            mark(room, 1)
            rooms.push(room)
          } else if (rooms.length > 0) {
            const [room] = rooms.splice(which % rooms.length, 1) as [Room]
            mark(room, 0)
            space.give(room)
          }
          space.validate()
        }
        for (const room of rooms) space.give(room)
        space.validate()
        expect(space.usedBytes).to.equal(0)
      }),
    )
  })
})
