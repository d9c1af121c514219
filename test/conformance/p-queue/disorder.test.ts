/**
 * Tasks of queues on workers that are aborted, time out, throw and crash, in any order, under load: no other task is
 * harmed, every promise settles, nothing that was started runs twice, and no worker is left.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import { usePlainWorkers } from '../../cluster/support.ts'
import { noted, Notes, outcomeOf, type Outcome } from '../notes.ts'
import { isAlive } from '../../tools/processes.mjs'

type Fate = 'lives' | 'throws' | 'aborted' | 'times out' | 'crashes'
type Task = readonly [fate: Fate, afterMs: number]
const fate = fc.oneof(
  { arbitrary: fc.constant<Fate>('lives'), weight: 4 },
  { arbitrary: fc.constantFrom<Fate>('throws', 'aborted', 'times out', 'crashes'), weight: 3 },
)
const plan = fc.record({
  tasks: fc.array(fc.tuple(fate, fc.nat(25)), { minLength: 6, maxLength: 12 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
})

describe('p-queue: the shim, under disorder', () => {
  let outpool: typeof import('outpool')
  let shim: typeof import('outpool/p-queue')
  const notes = new Notes()
  usePlainWorkers()

  before(async () => {
    outpool = await import('outpool')
    shim = await import('outpool/p-queue')
  })
  after(() => notes.close())

  const names: Readonly<Record<Exclude<Fate, 'lives'>, string>> = {
    throws: 'RangeError',
    aborted: 'AbortError',
    'times out': 'TimeoutError',
    crashes: 'WorkerCrashedError',
  }

  function begin(queue: InstanceType<typeof shim.default>, name: string, [what, ms]: Task): Promise<Outcome> {
    const file = notes.file(name)
    const work = noted
    const end = what === 'throws' ? 'badly' : what === 'crashes' ? 'crash' : 'well'
    const waitMs = what === 'aborted' ? 60_000 : what === 'times out' ? 2_000 : ms
    const controller = new AbortController()
    const options = { signal: controller.signal, ...(what === 'times out' && { timeout: 100 + ms }) }
    if (what === 'aborted') setTimeout(() => controller.abort(new DOMException('enough', 'AbortError')), ms * 2)
    return outcomeOf(queue.add(({ signal }) => work(file, waitMs, end, signal), options))
  }

  it('settles every task by its own fate alone, starts none twice, and leaves no worker', async () => {
    let round = 0
    const play = async ({ tasks, concurrency }: { tasks: readonly Task[]; concurrency: number }): Promise<void> => {
      await outpool.init()
      const queue = new shim.default({ concurrency, placement: 'worker' })
      const run = ++round
      const outcomes = await Promise.all(tasks.map((task, i) => begin(queue, `${run}-${i}`, task)))
      await queue.onIdle()
      expect([queue.size, queue.pending]).to.deep.equal([0, 0])
      tasks.forEach(([what], i) => {
        const outcome = outcomes[i]!
        if (what === 'lives') expect(outcome, `task ${i}`).to.deep.equal({ value: 'done' })
        else expect((outcome as { error?: Error }).error?.name, `task ${i}, which ${what}`).to.equal(names[what])
      })
      await outpool.shutdown()
      for (const [name, pids] of notes.taken()) {
        // One that was ended between the making of its file and its line has none.
        expect(pids.length, `starts of ${name}`).to.be.at.most(1)
        for (const pid of pids) expect(isAlive(pid), `worker ${pid}`).to.equal(false)
      }
    }
    await fc.assert(fc.asyncProperty(plan, play), { numRuns: 3, endOnFailure: true })
  })
})
