import { expect } from 'chai'
import fc from 'fast-check'
import { placeInTime, rowsOf } from '../../../lib/cli/trace-rows.ts'

describe('rows of a trace', () => {
  it('hold spans that follow each other or lie within each other, whatever they are', () => {
    const span = fc.record({ ts: fc.nat(50), dur: fc.nat(20) })
    fc.assert(
      fc.property(fc.array(span, { maxLength: 40 }), (spans) => {
        const rows = rowsOf(spans)
        expect(rows).to.have.length(spans.length)
        for (const [i, a] of spans.entries())
          for (const [j, b] of spans.entries()) {
            if (i === j || rows[i] !== rows[j]) continue
            const [endA, endB] = [a.ts + a.dur, b.ts + b.dur]
            const apart = endA <= b.ts || endB <= a.ts
            const within = (a.ts <= b.ts && endB <= endA) || (b.ts <= a.ts && endA <= endB)
            expect(apart || within, `${JSON.stringify([a, b])} in one row`).equal(true)
          }
      }),
    )
  })

  it('are no more than there are spans at a time', () => {
    expect(rowsOf([])).deep.equal([])
    expect(
      rowsOf([
        { ts: 0, dur: 10 },
        { ts: 10, dur: 5 },
        { ts: 2, dur: 3 },
        { ts: 4, dur: 4 },
        { ts: 8, dur: 1 },
      ]),
    ).deep.equal([0, 0, 0, 1, 0])
  })
})

describe('the time of tasks whose end was heard of later', () => {
  it('is one after the other, though they were heard of together', () => {
    const heard = [
      { sentAt: 0, heardAt: 10, ran: 3 },
      { sentAt: 0, heardAt: 10, ran: 4 },
    ]
    expect(placeInTime(heard)).to.have.deep.members([
      { ts: 7, dur: 3 },
      { ts: 3, dur: 4 },
    ])
    expect(new Set(rowsOf(placeInTime(heard)))).deep.equal(new Set([0]))
  })

  it('overlaps where it must: a task that awaits lets others run', () => {
    const side = [
      { sentAt: 0, heardAt: 100, ran: 99 },
      { sentAt: 20, heardAt: 31, ran: 10 },
    ]
    expect(placeInTime(side)).deep.equal([
      { ts: 1, dur: 99 },
      { ts: 21, dur: 10 },
    ])
  })

  it('is as long as it ran, after it was sent and before it was heard of', () => {
    const piece = fc
      .record({ sentAt: fc.nat(100), late: fc.nat(20), ran: fc.nat(30) })
      .map(({ sentAt, late, ran }) => ({ sentAt, ran, heardAt: sentAt + ran + late }))
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        for (const [i, { ts, dur }] of placeInTime(pieces).entries()) {
          const { sentAt, heardAt, ran } = pieces[i] as (typeof pieces)[number]
          expect(dur).equal(ran)
          expect(ts).at.least(sentAt)
          expect(ts + dur).at.most(heardAt)
        }
      }),
    )
  })
})
