import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import * as fc from 'fast-check'
import {
  claimWords,
  createClaimPageFile,
  leasesPerPage,
  openClaimPage,
  recallUnstarted,
  sequenceBefore,
} from '../../../runtime/objects/claim-page.ts'

describe('claim-page', () => {
  it('takes the last ones back, whatever their worker starts meanwhile', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { maxLength: 40 }), fc.integer({ min: 1, max: 40 }), (pace, count) => {
        const page = claimWords()
        const sequences = Array.from({ length: count }, (_, i) => i)
        const started: number[] = []
        let next = 0
        /** The worker goes on while whoever takes tasks back is held up. */
        const goOn = (steps: number): void => {
          for (let i = 0; i < steps; i++) {
            while (next < count && !page.start(1, next)) next++
            if (next < count) started.push(next++)
          }
        }
        let looks = 0
        const recall = (epoch: number, sequence: number): boolean => {
          goOn(pace[looks++ % Math.max(1, pace.length)] ?? 0)
          return page.recall(epoch, sequence)
        }
        const taken = recallUnstarted({ recall }, 1, sequences)
        expect([...started, ...taken]).to.deep.equal(sequences)
      }),
    )
  })

  it('gives a task to whoever comes first, for good', () => {
    const page = claimWords()
    expect([page.start(1, 0), page.recall(1, 0), page.start(1, 0)]).to.deep.equal([true, false, true])
    expect([page.recall(1, 1), page.start(1, 1), page.recall(1, 1)]).to.deep.equal([true, false, true])
  })

  it('keeps leases apart that a worker serves at the same time', () => {
    const page = claimWords()
    for (let epoch = 1; epoch < leasesPerPage; epoch++) {
      page.start(epoch, 0)
      page.recall(epoch, 1)
    }
    for (let epoch = 1; epoch < leasesPerPage; epoch++) {
      expect(page.startedUpTo(epoch)).to.equal(0)
      expect([page.recall(epoch, 0), page.start(epoch, 1)]).to.deep.equal([false, false])
    }
  })

  it('forgets a lease that is over when a later one takes its words', () => {
    const page = claimWords()
    page.start(1, 0)
    expect(page.recall(1 + leasesPerPage, 0)).to.equal(true)
    expect([page.startedUpTo(1), page.startedUpTo(1 + leasesPerPage)]).to.deep.equal([-1, -1])
  })

  it('tells how far a lease has got, however long it has lived', () => {
    const property = fc.property(fc.nat(5_000_000), fc.integer({ min: 1, max: 1_000 }), (first, count) => {
      const page = claimWords()
      for (let sequence = first; sequence < first + count; sequence++) page.start(3, sequence)
      page.recall(3, first + count)
      expect(sequenceBefore(first + count + 1, page.startedUpTo(3))).to.equal(first + count - 1)
    })
    fc.assert(property, { numRuns: 50 })
    expect(sequenceBefore(300_000, claimWords().startedUpTo(3))).to.equal(-1)
  })

  it('is the same page for two that map its file', function () {
    const folder = mkdtempSync(join(tmpdir(), 'claim-'))
    const path = join(folder, 'page')
    try {
      createClaimPageFile(path)
      const [worker, owner] = [openClaimPage(path), openClaimPage(path)]
      // Where files cannot be mapped there is no page, and nothing is pipelined.
      if (worker === undefined || owner === undefined) return this.skip()
      expect([worker.start(15, 7), owner.recall(15, 7), owner.startedUpTo(15)]).to.deep.equal([true, false, 7])
      expect([owner.recall(14, 7), worker.start(14, 7)]).to.deep.equal([true, false])
      worker.close()
      owner.close()
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
