/**
 * Futures that are cancelled, fail and lose their worker, in any order, under load, of executors that end in every way: no
 * other future is harmed, every one is done, nothing that was started runs twice, and no worker is left.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import { usePlainWorkers } from '../../cluster/support.ts'
import { noted, Notes, outcomeOf } from '../notes.ts'
import { isAlive } from '../../tools/processes.mjs'

type Fate = 'lives' | 'throws' | 'cancelled' | 'crashes'
type Task = readonly [fate: Fate, afterMs: number]
const fate = fc.oneof(
  { arbitrary: fc.constant<Fate>('lives'), weight: 4 },
  { arbitrary: fc.constantFrom<Fate>('throws', 'cancelled', 'crashes'), weight: 3 },
)
const plan = fc.record({
  tasks: fc.array(fc.tuple(fate, fc.nat(25)), { minLength: 6, maxLength: 12 }),
  maxWorkers: fc.integer({ min: 1, max: 3 }),
  end: fc.constantFrom('waits', 'cancels'),
})
interface Plan {
  readonly tasks: readonly Task[]
  readonly maxWorkers: number
  readonly end: string
}

describe('executor: the shim, under disorder', () => {
  let outpool: typeof import('outpool')
  let futures: typeof import('outpool/executor')
  const notes = new Notes()
  usePlainWorkers()

  before(async () => {
    outpool = await import('outpool')
    futures = await import('outpool/executor')
    await outpool.init()
  })
  after(async () => {
    await outpool.shutdown()
    notes.close()
  })

  it('settles every future by its own fate alone, starts none twice, and leaves no worker', async () => {
    let round = 0
    const play = async ({ tasks, maxWorkers, end }: Plan): Promise<void> => {
      const executor = new futures.Executor(maxWorkers)
      const run = ++round
      const all = tasks.map(([what, ms], i) => {
        const how = what === 'throws' ? 'badly' : what === 'crashes' ? 'crash' : 'well'
        const future = executor.submit(noted, notes.file(`${run}-${i}`), ms, how)
        const cancelled = new Promise<boolean>((resolve) => {
          if (what === 'cancelled') setTimeout(() => resolve(future.cancel()), ms)
          else resolve(false)
        })
        return { future, cancelled, settled: outcomeOf(future.result()) }
      })
      const late = [1, 2, 3].map((n) => executor.submit(noted, notes.file(`${run}-late-${n}`), 5, 'well' as const))
      if (end === 'waits') await Promise.all(all.map(({ settled }) => settled))
      await executor.shutdown({ cancelFutures: end === 'cancels' })
      for (const future of [...all.map((one) => one.future), ...late]) expect(future.done()).to.equal(true)
      const started = notes.taken()
      for (const [i, { future, cancelled, settled }] of all.entries()) {
        const [what] = tasks[i]!
        const outcome = await settled
        const error = 'error' in outcome ? outcome.error : undefined
        // What had started is not cancelled; what had not is, by its own call or at the end of the executor.
        if (future.cancelled()) expect((await cancelled) || end === 'cancels', `task ${i}`).to.equal(true)
        if (future.cancelled()) expect(started.get(`${run}-${i}`), `task ${i}`).to.equal(undefined)
        else if (what === 'throws') expect(error).to.be.instanceOf(RangeError)
        else if (what === 'crashes') expect(error).to.be.instanceOf(futures.BrokenProcessPool)
        else expect(outcome, `task ${i}, which ${what}`).to.deep.equal({ value: 'done' })
      }
      for (const [name, pids] of started) {
        // One that was ended between the making of its file and its line has none.
        expect(pids.length, `starts of ${name}`).to.be.at.most(1)
        for (const pid of pids) expect(isAlive(pid), `worker ${pid}`).to.equal(false)
      }
    }
    await fc.assert(fc.asyncProperty(plan, play), { numRuns: 4, endOnFailure: true })
  })
})
