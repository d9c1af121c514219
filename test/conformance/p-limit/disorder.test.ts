/**
 * Functions on workers that throw and crash, behind a limit whose queue is cleared at any time: every promise settles by
 * its own fate, nothing that was started runs twice, and no worker is left.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import { usePlainWorkers } from '../../cluster/support.ts'
import { noted, Notes, outcomeOf } from '../notes.ts'
import { isAlive } from '../../tools/processes.mjs'

const ends = ['well', 'well', 'well', 'badly', 'crash'] as const
const names = { badly: 'RangeError', crash: 'WorkerCrashedError' } as const
const plan = fc.record({
  calls: fc.array(fc.tuple(fc.constantFrom(...ends), fc.nat(25)), { minLength: 6, maxLength: 12 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
  clearAfterMs: fc.option(fc.nat(60), { nil: undefined }),
})
interface Plan {
  readonly calls: readonly (readonly [end: (typeof ends)[number], ms: number])[]
  readonly concurrency: number
  readonly clearAfterMs: number | undefined
}

describe('p-limit: the shim, under disorder', () => {
  const notes = new Notes()
  usePlainWorkers()
  after(() => notes.close())

  it('settles every call by its own fate alone, starts none twice, and leaves no worker', async () => {
    const outpool = await import('outpool')
    const { default: pLimit } = await import('outpool/p-limit')
    const play = async ({ calls, concurrency, clearAfterMs }: Plan): Promise<void> => {
      await outpool.init()
      const limit = pLimit({ concurrency, rejectOnClear: true, placement: 'worker' })
      if (clearAfterMs !== undefined) setTimeout(() => limit.clearQueue(), clearAfterMs)
      const all = calls.map(([end, ms], i) => outcomeOf(limit(noted, notes.file(`task-${i}`), ms, end)))
      const outcomes = await Promise.all(all)
      await outpool.shutdown()
      const started = notes.taken()
      calls.forEach(([end], i) => {
        const outcome = outcomes[i]!
        if ('error' in outcome && outcome.error.name === 'AbortError') {
          expect(clearAfterMs).to.be.a('number')
          expect(started.get(`task-${i}`)).to.equal(undefined)
        } else if (end === 'well') expect(outcome, `call ${i}`).to.deep.equal({ value: 'done' })
        else expect((outcome as { error?: Error }).error?.name, `call ${i}`).to.equal(names[end])
      })
      expect([limit.activeCount, limit.pendingCount]).to.deep.equal([0, 0])
      for (const [name, pids] of started) {
        // One that was ended between the making of its file and its line has none.
        expect(pids.length, `starts of ${name}`).to.be.at.most(1)
        for (const pid of pids) expect(isAlive(pid), `worker ${pid}`).to.equal(false)
      }
    }
    await fc.assert(fc.asyncProperty(plan, play), { numRuns: 4, endOnFailure: true })
  })
})
