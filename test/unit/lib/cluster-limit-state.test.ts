import { expect } from 'chai'
import fc from 'fast-check'
import { deadMs, LimitState, type LimitRow, type LimitTerms } from '../../../lib/cluster-limit-state.ts'

const two: LimitTerms = { concurrency: 2, intervalCap: null, intervalMs: 0 }
const beats = (...pairs: [string, number][]): Map<string, number> => new Map(pairs)
const nobody = beats()

describe('LimitState', () => {
  it('makes the row with the first permits', () => {
    const step = new LimitState('a', two).step(
      { row: undefined, beats: nobody },
      { held: 0, started: 0, waiting: 3 },
      0,
    )
    expect(step).to.deep.equal({
      kind: 'write',
      row: { terms: two, permits: { a: 2 }, about: {}, first: 0, next: 0 },
      granted: 2,
    })
  })

  it('counts what others hold, and gives back', () => {
    const row: LimitRow = { terms: two, permits: { b: 1, a: 1 }, about: {}, first: 0, next: 0 }
    const state = new LimitState('a', two)
    expect(state.step({ row, beats: nobody }, { held: 1, started: 0, waiting: 1 }, 0).kind).to.equal('wait')
    expect(state.step({ row, beats: nobody }, { held: 0, started: 0, waiting: 0 }, 1)).to.deep.include({
      kind: 'write',
      granted: 0,
    })
    expect(state.step({ row, beats: nobody }, { held: 0, started: 0, waiting: 5 }, 2)).to.deep.include({
      kind: 'write',
      granted: 1,
    })
  })

  it('counts on its own memory, when the row says something else of it', () => {
    const row: LimitRow = { terms: two, permits: { a: 2 }, about: {}, first: 0, next: 0 }
    const step = new LimitState('a', two).step({ row, beats: nobody }, { held: 0, started: 0, waiting: 1 }, 0)
    expect(step).to.deep.include({ kind: 'write', granted: 1 })
  })

  it('frees the permits of a process whose beat stands still, and not before', () => {
    const row: LimitRow = { terms: two, permits: { b: 2 }, about: {}, first: 0, next: 0 }
    const state = new LimitState('a', two)
    const at = (now: number, beat: number): string =>
      state.step({ row, beats: beats(['b', beat]) }, { held: 0, started: 0, waiting: 1 }, now).kind
    expect([at(0, 1), at(deadMs - 1, 2), at(2 * deadMs - 2, 2)]).to.deep.equal(['wait', 'wait', 'wait'])
    expect(at(2 * deadMs - 1, 2)).to.equal('write')
  })

  it('refuses other terms as soon as somebody who shares the name shows that he is alive', () => {
    const row: LimitRow = { terms: { ...two, concurrency: 3 }, permits: { b: 1 }, about: {}, first: 0, next: 0 }
    const state = new LimitState('a', two)
    const at = (now: number, beat: number): string =>
      state.step({ row, beats: beats(['b', beat]) }, { held: 0, started: 0, waiting: 1 }, now).kind
    expect([at(0, 1), at(100, 1), at(2500, 2)]).to.deep.equal(['wait', 'wait', 'refused'])
  })

  it('takes the name over with other terms when nobody shares it any more', () => {
    const row: LimitRow = { terms: { ...two, concurrency: 3 }, permits: {}, about: {}, first: 0, next: 0 }
    const state = new LimitState('a', two)
    expect(state.step({ row, beats: nobody }, { held: 0, started: 0, waiting: 1 }, 0).kind).to.equal('write')
    const left: LimitRow = { ...row, permits: { b: 1 } }
    expect(state.step({ row: left, beats: nobody }, { held: 0, started: 0, waiting: 1 }, 0).kind).to.equal('wait')
    expect(state.step({ row: left, beats: nobody }, { held: 0, started: 0, waiting: 1 }, deadMs).kind).to.equal('write')
  })

  it('lets no more start in an interval than it says, however late who was granted one makes it', () => {
    const terms: LimitTerms = { concurrency: null, intervalCap: 3, intervalMs: 100 }
    const action = fc.record({ process: fc.constantFrom('a', 'b', 'c'), waitMs: fc.nat(60), waiting: fc.nat(4) })
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        // Each has a clock of its own, and makes what it was granted when it acts the next time.
        const offsets: Record<string, number> = { a: 0, b: 1e6, c: -1e6 }
        const states = new Map(Object.keys(offsets).map((name) => [name, new LimitState(name, terms)]))
        const granted = new Map<string, number>()
        const starts: number[] = []
        let row: LimitRow | undefined
        let now = 0
        for (const { process, waitMs, waiting } of actions) {
          now += waitMs
          const started = granted.get(process) ?? 0
          for (let i = 0; i < started; i++) starts.push(now)
          granted.set(process, 0)
          const clock = now + (offsets[process] ?? 0)
          const step = states.get(process)!.step({ row, beats: nobody }, { held: 0, started, waiting }, clock)
          if (step.kind !== 'write') continue
          row = { ...step.row, permits: {} }
          granted.set(process, step.granted)
        }
        for (const start of starts)
          expect(starts.filter((at) => at >= start && at < start + 100).length).to.be.at.most(3)
      }),
    )
  })
})
