import { expect } from 'chai'
import fc from 'fast-check'
import { Ledger } from '../../../runtime/scheduler/ledger-state.ts'
import { parseResources } from '../../../runtime/scheduler/resources.ts'
import type { ResourceUnits } from '../../../runtime/protocol/messages.ts'

const oneCpu = parseResources({ numCpus: 1 })

describe('runtime/scheduler/ledger-state', () => {
  it('grants until the node is full and again after a release', () => {
    const ledger = new Ledger(parseResources({ numCpus: 2 }))
    expect(ledger.acquire(1, oneCpu)).to.equal(true)
    expect(ledger.acquire(2, oneCpu)).to.equal(true)
    expect(ledger.acquire(3, oneCpu)).to.equal(false)
    expect(ledger.release(1)).to.equal(true)
    expect(ledger.release(1)).to.equal(false)
    expect(ledger.acquire(3, oneCpu)).to.equal(true)
    ledger.validate()
  })

  it('takes nothing when one part of what is asked is missing', () => {
    const ledger = new Ledger(parseResources({ numCpus: 2, resources: { x: 1 } }))
    expect(ledger.acquire(1, parseResources({ numCpus: 1, resources: { x: 2 } }))).to.equal(false)
    expect(ledger.available()).to.deep.equal(ledger.total)
  })

  it('gives the CPU of a blocked lease to others and keeps the rest with it', () => {
    const ledger = new Ledger(parseResources({ numCpus: 1, resources: { x: 1 } }))
    ledger.acquire(1, parseResources({ numCpus: 1, resources: { x: 1 } }))
    expect(ledger.blocked(1)).to.equal(true)
    expect(ledger.blocked(1)).to.equal(false)
    expect(ledger.canAcquire(oneCpu)).to.equal(true)
    expect(ledger.canAcquire(parseResources({ resources: { x: 1 } }))).to.equal(false)
  })

  it('keeps debt when a blocked lease comes back, and grants nothing at all until it is paid', () => {
    const ledger = new Ledger(parseResources({ numCpus: 1, resources: { x: 1 } }))
    ledger.acquire(1, oneCpu)
    ledger.blocked(1)
    ledger.acquire(2, oneCpu)
    expect(ledger.resumed(1)).to.equal(true)
    expect(ledger.debtUnits).to.equal(10_000)
    expect(ledger.acquire(3, parseResources({ resources: { x: 1 } }))).to.equal(false)
    expect(ledger.acquire(3, [])).to.equal(false)
    expect(ledger.available().every(([, units]) => units === 0)).to.equal(true)
    ledger.release(2)
    expect(ledger.debtUnits).to.equal(0)
    expect(ledger.acquire(3, parseResources({ resources: { x: 1 } }))).to.equal(true)
    ledger.validate()
  })

  it('throws when a lease acquires twice', () => {
    const ledger = new Ledger(oneCpu)
    ledger.acquire(1, [])
    expect(() => ledger.acquire(1, [])).to.throw('holds resources already')
  })

  it('holds its invariants over any sequence of events, and is whole again when all is released', () => {
    const resources = fc.record({
      cpu: fc.integer({ min: 0, max: 25_000 }),
      gpu: fc.integer({ min: 0, max: 12_000 }),
    })
    const event = fc.oneof(
      fc.record({ type: fc.constant('acquire' as const), lease: fc.nat(12), resources }),
      fc.record({ type: fc.constantFrom('release', 'blocked', 'resumed' as const), lease: fc.nat(12) }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const ledger = new Ledger(parseResources({ numCpus: 4, numGpus: 1.5 }))
        for (const step of events) {
          const debtBefore = ledger.debtUnits
          if ('resources' in step) {
            if (ledger.has(step.lease)) continue
            const asked: ResourceUnits = [
              ['CPU', step.resources.cpu],
              ['GPU', step.resources.gpu],
            ]
            const granted = ledger.acquire(step.lease, asked)
            if (granted) expect(debtBefore).to.equal(0)
            if (granted) expect(ledger.debtUnits).to.equal(0)
          } else if (step.type === 'release') ledger.release(step.lease)
          else if (step.type === 'blocked') ledger.blocked(step.lease)
          else ledger.resumed(step.lease)
          ledger.validate()
        }
        for (let lease = 0; lease <= 12; lease++) ledger.release(lease)
        ledger.validate()
        expect(ledger.size).to.equal(0)
        expect(ledger.available()).to.deep.equal(ledger.total)
      }),
    )
  })
})
