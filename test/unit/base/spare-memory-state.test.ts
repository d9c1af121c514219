import { expect } from 'chai'
import fc from 'fast-check'
import { SpareMemoryState } from '../../../runtime/base/spare-memory-state.ts'
import { ManualClock } from '../manual-clock.ts'

const mebibyte = 2 ** 20
const pauseMs = 60_000
/** Of the shortest rest, where nothing is drawn; looks are as far apart. */
const quietMs = 150

function stateOf(drawn = 0) {
  const clock = new ManualClock()
  const process = { cpuMs: 0, heldBytes: 8 * mebibyte, usedBytes: 5 * mebibyte, busy: false, keptBytes: 5 * mebibyte }
  /** When memory was given back. */
  const given: number[] = []
  const looks: number[] = []
  const memory = new SpareMemoryState({
    clock,
    random: { next: () => drawn },
    cpuMs() {
      looks.push(clock.now())
      return process.cpuMs
    },
    heap: () => process,
    isBusy: () => process.busy,
    giveBack(done) {
      given.push(clock.now())
      process.heldBytes = process.keptBytes
      done()
    },
    pauseMs,
  })
  return { clock, process, given, looks, memory }
}

describe('runtime/base/spare-memory-state', () => {
  it('gives back once a rest has lasted, and then sets no timer more', () => {
    const { clock, given, memory } = stateOf()
    memory.rest()
    clock.advance(2 * quietMs - 1)
    expect(given).to.deep.equal([])
    clock.advance(1_000_000)
    expect(given).to.deep.equal([2 * quietMs])
    expect(clock.pending).to.equal(0)
  })

  it('does nothing before the first work has ended, and sets no timer while something runs', () => {
    const { clock, given, memory } = stateOf()
    memory.work()
    clock.advance(10_000)
    expect(clock.pending).to.equal(0)
    memory.rest()
    memory.work()
    clock.advance(10_000)
    expect([given, clock.pending]).to.deep.equal([[], 0])
  })

  it('is put off by work, however short', () => {
    const { clock, given, memory } = stateOf()
    for (let i = 0; i < 50; i++) {
      memory.work()
      memory.rest()
      clock.advance(quietMs - 1)
    }
    expect(given).to.deep.equal([])
    clock.advance(2 * quietMs)
    expect(given).to.have.length(1)
  })

  it('does not come at the same moment in all processes of a machine', () => {
    const waits = [0, 0.25, 0.5, 0.75, 0.999].map((drawn) => {
      const { clock, given, memory } = stateOf(drawn)
      memory.rest()
      clock.advance(10_000)
      return given[0]
    })
    expect(new Set(waits).size).to.equal(waits.length)
    expect(Math.max(...waits.map(Number))).to.be.at.most(400)
  })

  const cases: readonly [title: string, change: Partial<ReturnType<typeof stateOf>['process']>, times: number][] = [
    ['a heap that has grown by a mebibyte', { heldBytes: mebibyte, usedBytes: mebibyte }, 1],
    ['a heap that is smaller than what is worth it', { heldBytes: mebibyte - 1 }, 0],
    ['a heap of 32 MiB', { usedBytes: 32 * mebibyte, heldBytes: 64 * mebibyte }, 1],
    ['a larger heap, which would take long', { usedBytes: 32 * mebibyte + 1, heldBytes: 64 * mebibyte }, 0],
    ['a process with something under way', { busy: true }, 0],
  ]
  for (const [title, change, times] of cases) {
    it(`${times === 0 ? 'leaves alone' : 'collects'} ${title}`, () => {
      const { clock, process, given, memory } = stateOf()
      Object.assign(process, change)
      memory.rest()
      clock.advance(10_000)
      expect(given).to.have.length(times)
    })
  }

  it('waits for a process that is busy with something else, and looks at it ever more seldom', () => {
    const { clock, process, given, looks, memory } = stateOf()
    memory.rest()
    for (; clock.now() < 60_000; clock.advance(1)) process.cpuMs += 0.2
    expect(given).to.deep.equal([])
    expect(looks).to.have.length.within(8, 15)
    clock.advance(10_000)
    expect(given).to.have.length(1)
  })

  it('leaves alone for longer what has computed for long, for half of that, at most for ten seconds', () => {
    for (const [computedMs, restMs] of [
      [299, quietMs],
      [1_000, 500],
      [1_000_000, 10_000],
    ] as const) {
      const { clock, process, given, memory } = stateOf()
      process.cpuMs = computedMs
      memory.rest()
      clock.advance(quietMs + restMs - 1)
      expect(given).to.deep.equal([])
      clock.advance(1)
      expect(given).to.have.length(1)
    }
  })

  it('gives back again after its pause, when as much has been taken since as is worth it', () => {
    const { clock, process, given, memory } = stateOf()
    const work = (grownBytes: number): void => {
      memory.work()
      process.heldBytes += grownBytes
      memory.rest()
    }
    work(0)
    clock.advance(1_000)
    work(mebibyte - 1)
    clock.advance(2 * pauseMs)
    expect([given.length, clock.pending]).to.deep.equal([1, 0])
    work(1)
    clock.advance(1_000)
    work(mebibyte)
    clock.advance(1_000)
    expect(given).to.have.length(2)
    clock.advance(pauseMs)
    expect(given).to.have.length(3)
    expect((given[2] as number) - (given[1] as number)).to.be.at.least(pauseMs)
  })

  it('leaves no timer when it is stopped', () => {
    const { clock, given, memory } = stateOf()
    memory.rest()
    memory.stop()
    expect(clock.pending).to.equal(0)
    clock.advance(10_000)
    expect(given).to.deep.equal([])
  })

  it('never stops a process that works, keeps its pause, and gives back in the end, whatever happens', () => {
    const step = fc.record({
      act: fc.constantFrom('work', 'rest', 'both', 'nothing'),
      afterMs: fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 100_000 })),
      cpuPart: fc.constantFrom(0, 0.05, 0.5),
      grown: fc.integer({ min: 0, max: 3 * mebibyte }),
      busy: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (steps, drawn) => {
        const { clock, process, given, memory } = stateOf(drawn)
        let rests = false
        let restedMs = 0
        for (const { act, afterMs, cpuPart, grown, busy } of steps) {
          const before = given.length
          if (act === 'work' || act === 'both') memory.work()
          if (act === 'rest' || act === 'both') memory.rest()
          rests = act === 'nothing' ? rests : act !== 'work'
          if (act !== 'nothing') restedMs = clock.now()
          process.busy = busy
          process.heldBytes += grown
          process.cpuMs += cpuPart * afterMs
          clock.advance(afterMs)
          expect(clock.pending).to.be.at.most(1)
          if (given.length === before) continue
          expect(rests && !busy && given.length === before + 1).to.equal(true)
          expect((given[before] as number) - restedMs).to.be.at.least(quietMs)
          if (before > 0) expect((given[before] as number) - (given[before - 1] as number)).to.be.at.least(pauseMs)
        }
        process.busy = false
        process.heldBytes = process.keptBytes + mebibyte
        memory.rest()
        clock.advance(pauseMs + 30_000)
        expect([process.heldBytes, clock.pending]).to.deep.equal([process.keptBytes, 0])
      }),
      { numRuns: 300 },
    )
  })
})
