/**
 * Cancel, timeout, abort, crash and terminate, in any order, under load: no other task is harmed, every promise settles,
 * nothing that was started runs twice, and no worker is left.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pool } from 'workerpool'
import type { WorkerpoolReport } from '../../../compat/workerpool/index.ts'
import { usePlainWorkers } from '../../cluster/support.ts'
import { isAlive } from '../../tools/processes.mjs'
import { scriptPath, type Workerpool } from './suite.ts'

type Fate = 'lives' | 'cancelled' | 'times out' | 'aborted' | 'crashes'
interface Plan {
  readonly fates: readonly (readonly [fate: Fate, afterMs: number])[]
  readonly maxWorkers: number
  readonly end: 'in order' | 'forced'
}

const fate = fc.oneof(
  { arbitrary: fc.constant<Fate>('lives'), weight: 5 },
  { arbitrary: fc.constantFrom<Fate>('cancelled', 'times out', 'aborted', 'crashes'), weight: 3 },
)
const plan: fc.Arbitrary<Plan> = fc.record({
  fates: fc.array(fc.tuple(fate, fc.nat(25)), { minLength: 6, maxLength: 12 }),
  maxWorkers: fc.integer({ min: 1, max: 3 }),
  end: fc.constantFrom('in order', 'forced'),
})

describe('workerpool: the shim, under disorder', () => {
  let workerpool: Workerpool
  let outpool: typeof import('outpool')
  let folder: string
  usePlainWorkers()

  before(async () => {
    outpool = await import('outpool')
    await outpool.init()
    workerpool = await import('outpool/workerpool')
    folder = mkdtempSync(join(tmpdir(), 'disorder-'))
  })
  after(async () => {
    await outpool.shutdown()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Begins a task that notes its start and its end; what becomes of its promise. */
  function begin(pool: Pool, name: string, [what, afterMs]: Plan['fates'][number]): Promise<unknown> {
    const file = join(folder, name)
    const endless = what === 'cancelled' || what === 'times out'
    const method = what === 'crashes' ? 'noteAndExit' : what === 'aborted' ? 'noteAndWait' : 'note'
    const promise = pool.exec(method, [file, endless ? 60_000 : afterMs])
    const settled = promise.then(
      (value: unknown) => ['value', value],
      (error: unknown) => ['error', error],
    )
    if (what === 'times out') promise.timeout(afterMs + 1)
    if (what === 'cancelled' || what === 'aborted') setTimeout(() => void promise.cancel(), afterMs * 2)
    return settled as unknown as Promise<unknown>
  }

  const expected: Readonly<Record<Fate, () => unknown>> = {
    lives: () => undefined,
    cancelled: () => workerpool.Promise.CancellationError,
    'times out': () => workerpool.Promise.TimeoutError,
    aborted: () => workerpool.Promise.CancellationError,
    crashes: () => workerpool.TerminateError,
  }

  it('settles every task by its own fate alone, starts none twice, and leaves no worker', async function () {
    this.timeout(180_000)
    let round = 0
    const play = async ({ fates, maxWorkers, end }: Plan): Promise<void> => {
      const pool = workerpool.pool(scriptPath('disorder.mjs'), { maxWorkers, workerTerminateTimeout: 200 })
      const run = ++round
      const outcomes = await Promise.all(fates.map((one, i) => begin(pool, `${run}-${i}`, one)))
      fates.forEach(([what], i) => {
        const [kind, value] = outcomes[i] as ['value' | 'error', unknown]
        if (what === 'lives') expect([kind, value], `task ${i}`).to.deep.equal(['value', 'done'])
        else expect(value, `task ${i}, which ${what}`).to.be.instanceOf(expected[what]())
      })
      // What is cut short by the end of its pool settles, too.
      const late = [1, 2, 3].map((n) => begin(pool, `${run}-late-${n}`, ['lives', 5]))
      await pool.terminate(end === 'forced')
      await Promise.all(late)
      expect(pool.stats().totalWorkers).to.equal(0)
      const { workers } = outpool.explain(pool as object) as WorkerpoolReport
      for (const { pid } of workers) expect(isAlive(pid), `worker ${pid}`).to.equal(false)
      for (const name of readdirSync(folder)) {
        const starts = readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean)
        expect(starts.length, `starts of ${name}`).to.be.at.most(1)
        rmSync(join(folder, name))
      }
    }
    await fc.assert(fc.asyncProperty(plan, play), { numRuns: 4, endOnFailure: true })
  })
})
