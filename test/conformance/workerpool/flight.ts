/**
 * Many short tasks in flight: what a pool promises of order, numbers, cancels and ends, where an implementation may have
 * sent tasks to their workers ahead of their turn.
 */
import { expect } from 'chai'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool, WorkerPoolOptions } from 'workerpool'
import { usePools } from './pools.ts'
import { countsWorkers, scriptPath, type Subject } from './suite.ts'

const script = scriptPath('methods.mjs')
const many = 300

export function flightSuite(subject: Subject): void {
  describe(`workerpool, many in flight: ${subject.name}`, () => {
    const using = usePools(subject)
    const numbers = Array.from({ length: many }, (_, i) => i)

    /** A pool all of whose workers have run `method` before, so that it is known to be short. */
    async function warm(method: string, params: unknown[], options: WorkerPoolOptions): Promise<Pool> {
      const pool = using.create(script, options)
      const { maxWorkers = 1 } = options
      await Promise.all(Array.from({ length: maxWorkers }, () => pool.exec('sleep', [50])))
      for (let i = 0; i < 3; i++)
        await Promise.all(Array.from({ length: maxWorkers * 4 }, () => pool.exec(method, params)))
      return pool
    }

    async function outcomes(tasks: readonly unknown[]): Promise<unknown[]> {
      return Promise.all(
        tasks.map(async (task) => {
          try {
            return await task
          } catch (error) {
            return (error as Error).message.split('\n')[0]
          }
        }),
      )
    }

    it('runs each once, on one worker in the order in which they came', async () => {
      const pool = await warm('count', [], { maxWorkers: 1 })
      const first = (await pool.exec('count')) as number
      const counts = await Promise.all(numbers.map(() => pool.exec('count')))
      expect(counts).to.deep.equal(numbers.map((n) => first + 1 + n))
    })

    it('runs none twice, however often those that were sent ahead are had back', async () => {
      const pool = await warm('count', [], { maxWorkers: 1 })
      let last = (await pool.exec('count')) as number
      for (let round = 0; round < 60; round++) {
        await Promise.all(numbers.map(() => pool.exec('count')))
        const now = (await pool.exec('count')) as number
        expect(now - last, `calls that ran in round ${round}`).to.equal(many + 1)
        last = now
      }
    })

    it('runs the newest first with the strategy lifo', async () => {
      const pool = await warm('echo', [0], { maxWorkers: 1, queueStrategy: 'lifo' })
      const order: number[] = []
      const tasks = numbers.map((n) => pool.exec('echo', [n]).then((value: number) => void order.push(value)))
      await Promise.all(tasks)
      expect(order).to.deep.equal([0, ...numbers.slice(1).reverse()])
    })

    it('counts as waiting what has not had its turn, at each answer', async () => {
      const pool = await warm('echo', [0], { maxWorkers: 2 })
      let finished = 0
      const seen: number[][] = []
      const tasks = numbers.map((n) =>
        pool.exec('echo', [n]).then(() => {
          finished++
          const { pendingTasks, activeTasks, busyWorkers, totalWorkers } = pool.stats()
          seen.push([finished + pendingTasks + activeTasks, busyWorkers - activeTasks, totalWorkers])
          expect(activeTasks).to.be.at.most(2)
        }),
      )
      expect(pool.stats()).to.deep.include({ pendingTasks: many - 2, activeTasks: 2 })
      await Promise.all(tasks)
      expect(seen).to.deep.equal(numbers.map(() => [many, 0, 2]))
    })

    it('throws when more than maxQueueSize wait, whatever was sent', async () => {
      const pool = await warm('echo', [0], { maxWorkers: 1, maxQueueSize: 3 })
      const tasks = [0, 1, 2, 3].map((n) => pool.exec('echo', [n]))
      expect(() => pool.exec('echo', [4])).to.throw('Max queue size of 3 reached')
      expect(await Promise.all(tasks)).to.deep.equal([0, 1, 2, 3])
    })

    it('takes those that are cancelled out of the queue, and harms no other', async () => {
      const pool = await warm('echo', [0], { maxWorkers: 1 })
      const before = (await pool.exec('count')) as number
      const tasks = numbers.map((n) => pool.exec(n % 2 === 0 ? 'echo' : 'count', n % 2 === 0 ? [n] : []))
      for (const n of numbers) if (n % 2 === 1) tasks[n]?.cancel()
      const found = await outcomes(tasks)
      expect(found).to.deep.equal(numbers.map((n) => (n % 2 === 0 ? n : 'promise cancelled')))
      // The shim's first may have begun by then, as its guide says, where this process was held up in the middle.
      const mayHaveBegun = subject.name === 'the shim' ? 1 : 0
      expect(await pool.exec('count')).to.be.within(before + 1, before + 1 + mayHaveBegun)
    })

    it('lets a worker without work have what waits for one that is busy for long', async () => {
      const open = join(using.folder, 'open')
      const closed = join(using.folder, 'closed')
      writeFileSync(open, '')
      const pool = await warm('waitFor', [open], { maxWorkers: 2 })
      const long = pool.exec('waitFor', [closed])
      await Promise.all(numbers.map(() => pool.exec('waitFor', [open])))
      expect(long.pending).to.equal(true)
      writeFileSync(closed, '')
      expect(await long).to.equal('it is there')
    })

    it('runs what waits behind a task that is cancelled on a worker that is whole', async () => {
      const open = join(using.folder, 'open')
      writeFileSync(open, '')
      const pool = await warm('waitFor', [open], { maxWorkers: 1 })
      const long = pool.exec('waitFor', [join(using.folder, 'never')])
      const behind = numbers.map(() => pool.exec('waitFor', [open]))
      const cancelled = outcomes([long])
      long.cancel()
      expect(await cancelled).to.deep.equal(['promise cancelled'])
      expect(new Set(await Promise.all(behind))).to.deep.equal(new Set(['it is there']))
      expect(await pool.exec('count')).to.equal(1)
    })

    it('rejects what waits when the pool is terminated, and nothing that ran', async () => {
      const pool = await warm('append', [join(using.folder, 'warm'), 0], { maxWorkers: 1 })
      let ended: unknown
      const file = join(using.folder, 'ran')
      const tasks = numbers.map((n) =>
        pool.exec('append', [file, n]).then((value: number) => {
          if (n === 20) ended = pool.terminate()
          return value
        }),
      )
      const found = await outcomes(tasks)
      await ended
      const resolved = found.filter((value) => typeof value === 'number')
      expect(resolved).to.deep.equal(numbers.slice(0, resolved.length))
      expect(found.slice(resolved.length).every((value) => value === 'Pool terminated')).to.equal(true)
      expect(readFileSync(file, 'utf8')).to.equal(resolved.map((n) => `${String(n)}\n`).join(''))
      expect(pool.stats().totalWorkers).to.equal(0)
    })

    if (subject.can.processes)
      for (const how of ['exit', 'kill'])
        it(`rejects the task whose worker ends by ${how}, and none that was before it`, async () => {
          const pool = await warm('endAt', [1, -1, how], { maxWorkers: 1 })
          const before = numbers.slice(0, 60).map((n) => pool.exec('endAt', [n, 59, how]))
          const found = await outcomes(before)
          expect(found.slice(0, 59)).to.deep.equal(numbers.slice(0, 59))
          expect(found[59]).to.equal('Workerpool Worker terminated Unexpectedly')
        })

    /** A pool of two workers that stand, and what it has told of workers so far. */
    async function counted(): Promise<{ pool: Pool; told: { created: number; terminated: number } }> {
      const { told, options } = countsWorkers()
      const pool = using.create(script, { ...options, minWorkers: 2, maxWorkers: 2 })
      await Promise.all([pool.exec('sleep', [50]), pool.exec('sleep', [50])])
      return { pool, told }
    }

    /** What it tells too often comes a moment later. */
    async function expectAllEnded(pool: Pool, told: object): Promise<void> {
      await sleep(50)
      expect({ ...told, left: pool.stats().totalWorkers }).to.deep.equal({ created: 2, terminated: 2, left: 0 })
    }

    it('leaves no worker behind when it is terminated while one ends whose task was cancelled, and tells of each end once', async () => {
      const { pool, told } = await counted()
      const task = pool.exec('sleep', [60_000])
      setTimeout(() => void task.cancel(), 50)
      await outcomes([task])
      await pool.terminate()
      await expectAllEnded(pool, told)
    })

    it('tells of the end of each worker once, also when it is terminated twice', async () => {
      const { pool, told } = await counted()
      const task = outcomes([pool.exec('sleep', [60_000])])
      void pool.terminate()
      await pool.terminate(true)
      expect(await task).to.deep.equal(['Worker terminated'])
      await expectAllEnded(pool, told)
    })
  })
}
