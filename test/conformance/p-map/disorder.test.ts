/**
 * Mappers on workers that throw and crash, in maps that are aborted, stop at the first error or go on, in any order: every
 * element settles by its own fate, nothing that was started runs twice, and no worker is left.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import { usePlainWorkers } from '../../cluster/support.ts'
import { noted, Notes, outcomeOf } from '../notes.ts'
import { isAlive } from '../../tools/processes.mjs'

const ends = ['well', 'well', 'well', 'badly', 'crash'] as const
type End = (typeof ends)[number]
interface Plan {
  readonly items: readonly (readonly [end: End, ms: number])[]
  readonly concurrency: number
  readonly how: 'settles' | 'stops' | 'aborted'
  readonly afterMs: number
}
const plan: fc.Arbitrary<Plan> = fc.record({
  items: fc.array(fc.tuple(fc.constantFrom(...ends), fc.nat(25)), { minLength: 4, maxLength: 10 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
  how: fc.constantFrom('settles', 'stops', 'aborted'),
  afterMs: fc.nat(60),
})
const names = { badly: 'RangeError', crash: 'WorkerCrashedError' } as const

describe('p-map: the shim, under disorder', () => {
  const notes = new Notes()
  usePlainWorkers()
  after(() => notes.close())

  it('settles every element by its own fate alone, starts none twice, and leaves no worker', async () => {
    const outpool = await import('outpool')
    const { default: pMap, pMapSettled } = await import('outpool/p-map')
    const work = noted
    const play = async ({ items, concurrency, how, afterMs }: Plan): Promise<void> => {
      await outpool.init()
      const inputs = items.map(([end, ms], i) => ({ file: notes.file(`task-${i}`), end, ms }))
      const mapper = ({ file, end, ms }: (typeof inputs)[number]): Promise<string> => work(file, ms, end)
      const failures = items.flatMap(([end]) => (end === 'well' ? [] : [names[end]]))
      const options = { concurrency, placement: 'worker' } as const
      if (how === 'settles') {
        const settled = await pMapSettled(inputs, mapper, options)
        const seen = settled.map((one) => (one.status === 'fulfilled' ? 'done' : (one.reason as Error).name))
        expect(seen).to.deep.equal(items.map(([end]) => (end === 'well' ? 'done' : names[end])))
      } else {
        const controller = new AbortController()
        if (how === 'aborted') setTimeout(() => controller.abort(new Error('enough')), afterMs)
        const outcome = await outcomeOf(pMap(inputs, mapper, { ...options, signal: controller.signal }))
        if ('value' in outcome) {
          expect(failures).to.deep.equal([])
          expect(outcome.value).to.deep.equal(items.map(() => 'done'))
        } else if (outcome.error.message === 'enough') expect(how).to.equal('aborted')
        else expect(failures).to.include(outcome.error.name)
      }
      await outpool.shutdown()
      for (const [name, pids] of notes.taken()) {
        // One that was ended between the making of its file and its line has none.
        expect(pids.length, `starts of ${name}`).to.be.at.most(1)
        for (const pid of pids) expect(isAlive(pid), `worker ${pid}`).to.equal(false)
      }
    }
    await fc.assert(fc.asyncProperty(plan, play), { numRuns: 4, endOnFailure: true })
  })
})
