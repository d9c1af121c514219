import { expect } from 'chai'
import fc from 'fast-check'
import { chaosFaults, chaosPlan, defaultChaosRules } from '../../../runtime/cluster/chaos-plan.ts'
import { messageFaults, parseChaosRules } from '../../../runtime/transport/chaos-rules.ts'

const often = { leastEveryMs: 100, mostEveryMs: 300 }

describe('a plan of chaos', () => {
  it('is the same for the same seed, and another for another', () => {
    const plan = (seed: number): object => chaosPlan({ ...often, seed, forMs: 20_000, faults: chaosFaults })
    expect(plan(7)).to.deep.equal(plan(7))
    expect(plan(7)).to.not.deep.equal(plan(8))
  })

  it('holds to its times and its faults, whatever they are', () => {
    const names = chaosFaults.filter((fault) => fault !== 'messages')
    const options = fc.record({
      seed: fc.integer({ min: 0, max: 2 ** 31 }),
      forMs: fc.integer({ min: 0, max: 20_000 }),
      faults: fc.subarray(names, { minLength: 1 }),
      mostForMs: fc.integer({ min: 0, max: 10_000 }),
    })
    fc.assert(
      fc.property(options, (given) => {
        let beforeMs = 0
        // Gathered: an assertion for each would take longer than everything else.
        const wrong = chaosPlan({ ...often, ...given }).filter(({ atMs, fault, forMs, node, other }) => {
          const pauseMs = atMs - beforeMs
          beforeMs = atMs
          const inTime = pauseMs >= often.leastEveryMs - 1 && pauseMs <= often.mostEveryMs + 1 && atMs <= given.forMs
          const lasts = fault.startsWith('stop') || fault === 'cut'
          const right = lasts ? forMs >= 20 && forMs <= given.mostForMs + 20 : forMs === 0
          const shares = [node, other].every((share) => share >= 0 && share < 1)
          return !(inTime && right && shares && (given.faults as readonly string[]).includes(fault))
        })
        expect(wrong).to.deep.equal([])
      }),
      { numRuns: 50 },
    )
  })

  it('meets every fault in the long run', () => {
    const plan = chaosPlan({ ...often, seed: 1, forMs: 100_000, faults: chaosFaults })
    expect(new Set(plan.map(({ fault }) => fault)).size).to.equal(chaosFaults.length - 1)
    expect(new Set(plan.map(({ direction, breaks }) => `${direction} ${breaks}`)).size).to.equal(4)
  })

  it('does nothing where nothing was asked for', () => {
    expect(chaosPlan({ ...often, seed: 1, forMs: 10_000, faults: ['messages'] })).to.deep.equal([])
  })

  it('injects, when nothing is said, every fault of messages that there is', () => {
    const { rules } = parseChaosRules({ seed: 1, rules: defaultChaosRules, forMs: 1 })
    expect(rules.map(({ fault }) => fault)).to.have.members([...messageFaults])
  })
})
