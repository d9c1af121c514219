/**
 * What both the original and the shim do. Each row of the migration guide's tables that says "same" has its test here;
 * what differs on purpose is in `shim.test.ts`.
 */
import { expect } from 'chai'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import type original from 'workerpool'
import type { Pool, WorkerPoolOptions } from 'workerpool'
import { eventually } from '../../tools/eventually.ts'
import { rejection } from '../../tools/rejection.ts'
import { usePools } from './pools.ts'

export type Workerpool = typeof original

export interface Subject {
  readonly name: string
  load(): Promise<Workerpool>
  /** What every pool of this subject is created with. */
  readonly options: WorkerPoolOptions
  /** What the subject's workers can. */
  readonly can: {
    readonly events: boolean
    readonly abortListeners: boolean
    readonly structuredClone: boolean
    readonly forkOptions: boolean
    /** Each worker is a process of its own. */
    readonly processes: boolean
  }
}

type AnyPromise = PromiseLike<unknown>

export const scriptPath = (name: string): string => fileURLToPath(new URL(`scripts/${name}`, import.meta.url))
const script = scriptPath('methods.mjs')

/** Globals of a worker, which a task has set; and of none. */
declare const workerpoolSuiteGlobal: number
declare const workerpoolSuiteOther: unknown

/** Options of a pool, and how often it has told of the beginning and of the end of a worker. */
export function countsWorkers(): {
  readonly told: { created: number; terminated: number }
  readonly options: Pick<WorkerPoolOptions, 'onCreateWorker' | 'onTerminateWorker'>
} {
  const told = { created: 0, terminated: 0 }
  const onCreateWorker = (): undefined => {
    told.created++
  }
  const onTerminateWorker = (): void => void told.terminated++
  return { told, options: { onCreateWorker, onTerminateWorker } }
}

export function conformanceSuite(subject: Subject): void {
  describe(`workerpool: ${subject.name}`, () => {
    const using = usePools(subject)
    const create = (file: string | undefined, options?: WorkerPoolOptions): Pool => using.create(file, options)

    describe('exports', () => {
      it('has the names of the original, by name and on the default export', async () => {
        const names = [
          'pool',
          'worker',
          'workerEmit',
          'Promise',
          'Transfer',
          'platform',
          'isMainThread',
          'cpus',
          'TerminateError',
        ]
        for (const name of names) expect(using.workerpool, name).to.have.property(name)
        const namespace = (await subject.load()) as unknown as { default?: object }
        if (namespace.default !== undefined)
          for (const name of names) expect(namespace.default, name).to.have.property(name)
      })

      it('tells platform, cpus and isMainThread', () => {
        expect(using.workerpool.platform).to.equal('node')
        expect(using.workerpool.cpus).to.be.a('number').above(0)
        expect(using.workerpool.isMainThread).to.equal(true)
      })
    })

    describe('exec', () => {
      it('runs a function by its source, with parameters', async () => {
        const pool = create(undefined)
        expect(await pool.exec((a: number, b: number) => a + b, [3, 4])).to.equal(7)
      })

      it('waits for a promise that the function returns', async () => {
        const pool = create(undefined)
        const later = (value: string): Promise<string> => new Promise((resolve) => setTimeout(() => resolve(value), 20))
        expect(await pool.exec(later, ['later'])).to.equal('later')
      })

      it('runs a function without parameters, given null, undefined or nothing', async () => {
        const pool = create(undefined)
        const count = function (...args: unknown[]): number {
          return args.length
        }
        expect(await pool.exec(count)).to.equal(0)
        expect(await pool.exec(count, null)).to.equal(0)
        expect(await pool.exec(count, [])).to.equal(0)
      })

      it('runs a method of a worker script in ESM', async () => {
        expect(await create(script).exec('add', [3, 4])).to.equal(7)
      })

      it('runs a method of a worker script in CommonJS', async () => {
        const pool = create(scriptPath('methods.cjs'))
        expect(await pool.exec('add', [3, 4])).to.equal(7)
        expect(await pool.exec('isMainThread')).to.equal(false)
      })

      for (const workerType of ['process', 'thread'] as const)
        it(`runs a worker script in CommonJS as the main module, of a ${workerType}`, async () => {
          expect(await create(scriptPath('methods.cjs'), { workerType }).exec('isMain')).to.equal(true)
        })

      it('runs a script that is named from the working folder', async () => {
        const pool = create(`./${relative(process.cwd(), scriptPath('methods.cjs'))}`)
        expect(await pool.exec('add', [1, 2])).to.equal(3)
      })

      it('waits for a script that registers its methods later', async () => {
        expect(await create(scriptPath('late.mjs')).exec('add', [3, 4])).to.equal(7)
      })

      it('gives a promise of the package, with its state readable at once', async () => {
        const promise = create(script).exec('add', [1, 2])
        expect(promise).to.be.instanceOf(using.workerpool.Promise)
        expect(promise.pending).to.equal(true)
        await promise
        expect(promise.resolved).to.equal(true)
        expect(promise.pending).to.equal(false)
      })

      it('keeps undefined and null apart', async () => {
        const pool = create(script)
        expect(await pool.exec('nothing')).to.equal(undefined)
        expect(await pool.exec('null')).to.equal(null)
      })

      it('carries plain data there and back', async () => {
        const value = { text: 'ö', list: [1, 2.5, -3], nested: { yes: true, no: null } }
        expect(await create(script).exec('echo', [value])).to.deep.equal(value)
      })

      if (subject.can.structuredClone) {
        it('carries what structured clone keeps', async () => {
          const value = {
            when: new Date(5),
            map: new Map([[1, new Set([2])]]),
            bytes: new Uint8Array([1, 2, 3]),
            big: 10n,
          }
          expect(await create(script).exec('echo', [value])).to.deep.equal(value)
        })

        it('unwraps a Transfer', async () => {
          expect(await create(script).exec('transfer', [3])).to.deep.equal(new Uint8Array([7, 7, 7]))
        })
      }

      it('refuses parameters that are not an array, at once', () => {
        const pool = create(script)
        expect(() => pool.exec('add', 3 as never)).to.throw(TypeError, 'Array expected as argument "params"')
      })

      it('refuses a method that is neither function nor string, at once', () => {
        const pool = create(script)
        expect(() => pool.exec(42 as never)).to.throw(TypeError, 'Function or string expected as argument "method"')
      })

      it('rejects for a method that the worker does not have', async () => {
        const error = await rejection(create(script).exec('missing'))
        expect(error).to.be.instanceOf(Error)
        expect(error.message).to.equal('Unknown method "missing"')
      })

      it('rejects with what a method throws', async () => {
        const error = await rejection(create(script).exec('fail', ['no tea']))
        expect(error).to.be.instanceOf(Error)
        expect(error.message).to.equal('no tea')
      })

      it('rejects with what an asynchronous method throws, own properties kept', async () => {
        const error = await rejection(create(script).exec('failLater', ['no tea']))
        expect(error.message).to.equal('no tea')
        expect(error).to.have.property('status', 418)
      })

      it('rejects with what a method throws that holds what cannot travel, as errors of requests do', async () => {
        const error = await rejection(create(script).exec('failHolding', ['no tea']))
        expect(error).to.be.instanceOf(Error).and.have.property('status', 418)
        expect(error.message).to.equal('no tea')
      })

      it('goes on after a task that failed, on the same worker', async () => {
        const pool = create(script, { maxWorkers: 1 })
        expect(await pool.exec('count')).to.equal(1)
        await rejection(pool.exec('fail', ['x']))
        expect(await pool.exec('count')).to.equal(2)
      })

      it('tells a worker script that it is not in the main thread', async () => {
        const where = (await create(script).exec('where')) as { isMainThread: boolean; alsoMainThread: boolean }
        expect(where.isMainThread).to.equal(false)
        expect(where.alsoMainThread).to.equal(false)
      })
    })

    describe('the queue', () => {
      it('runs tasks in the order in which they came', async () => {
        const pool = create(script, { maxWorkers: 1 })
        const order: number[] = []
        await Promise.all(
          [1, 2, 3, 4].map(async (n) => order.push((await pool.exec('echo', [n])) as unknown as number)),
        )
        expect(order).to.deep.equal([1, 2, 3, 4])
      })

      it('runs the newest first with the strategy lifo', async () => {
        const pool = create(script, { maxWorkers: 1, queueStrategy: 'lifo' })
        const order: number[] = []
        await Promise.all(
          [1, 2, 3, 4].map(async (n) => order.push((await pool.exec('echo', [n])) as unknown as number)),
        )
        // The first went to the worker at once.
        expect(order).to.deep.equal([1, 4, 3, 2])
      })

      it('takes a queue of the user, which sees the metadata of tasks', async () => {
        type Task = { options?: { metadata?: number } }
        const tasks: Task[] = []
        const queue = {
          push: (task: Task): void => {
            tasks.push(task)
            tasks.sort((a, b) => (a.options?.metadata ?? 0) - (b.options?.metadata ?? 0))
          },
          pop: () => tasks.shift(),
          size: () => tasks.length,
          contains: (task: Task) => tasks.includes(task),
          clear: () => void (tasks.length = 0),
        }
        const pool = create(script, { maxWorkers: 1, queueStrategy: queue as never })
        const order: number[] = []
        await Promise.all(
          [0, 3, 1, 2].map(async (n) =>
            order.push((await pool.exec('echo', [n], { metadata: n })) as unknown as number),
          ),
        )
        expect(order).to.deep.equal([0, 1, 2, 3])
      })

      it('refuses a strategy that it does not know, and a queue that lacks a method', () => {
        expect(() => using.workerpool.pool({ queueStrategy: 'random' as never })).to.throw(
          'Unknown queue strategy: random',
        )
        expect(() => using.workerpool.pool({ queueStrategy: { push: () => undefined } as never })).to.throw(
          'Queue strategy must implement method: pop',
        )
      })

      it('throws when more than maxQueueSize tasks wait', async () => {
        const pool = create(script, { maxWorkers: 1, maxQueueSize: 2 })
        const accepted = [1, 2, 3].map((n) => pool.exec('echo', [n]))
        expect(() => pool.exec('echo', [4])).to.throw('Max queue size of 2 reached')
        expect(() => pool.exec(() => 5)).to.throw('Max queue size of 2 reached')
        expect(await Promise.all(accepted)).to.deep.equal([1, 2, 3])
      })
    })

    describe('stats and state', () => {
      it('tells its numbers at once', async () => {
        const pool = create(script, { maxWorkers: 2 })
        expect(pool.stats()).to.deep.equal({
          totalWorkers: 0,
          busyWorkers: 0,
          idleWorkers: 0,
          pendingTasks: 0,
          activeTasks: 0,
        })
        const tasks = [1, 2, 3, 4].map((n) => pool.exec('sleep', [n]))
        expect(pool.stats()).to.deep.equal({
          totalWorkers: 2,
          busyWorkers: 2,
          idleWorkers: 0,
          pendingTasks: 2,
          activeTasks: 2,
        })
        await Promise.all(tasks)
        expect(pool.stats()).to.deep.equal({
          totalWorkers: 2,
          busyWorkers: 0,
          idleWorkers: 2,
          pendingTasks: 0,
          activeTasks: 0,
        })
      })

      it('shows workers and queue where users look for them', async () => {
        const pool = create(script, { maxWorkers: 1 }) as unknown as {
          exec: Pool['exec']
          workers: unknown[]
          taskQueue: { size(): number }
        }
        const tasks = [pool.exec('sleep', [1]), pool.exec('sleep', [1])]
        expect(pool.workers.length).to.equal(1)
        expect(pool.taskQueue.size()).to.equal(1)
        await Promise.all(tasks)
      })

      it('has as many workers as minWorkers where these are more than it would have', async () => {
        const most = Number(using.workerpool.cpus) + 3
        const pool = create(script, { minWorkers: most })
        expect(await pool.exec('add', [1, 2])).to.equal(3)
        expect(pool.maxWorkers).to.equal(most)
      })

      it('finds a script without its ending, and tells it how it was started', async () => {
        const pool = create(scriptPath('plain'), { maxWorkers: 1 })
        expect(await pool.exec('add', [1, 2])).to.equal(3)
        expect(await create(script, { maxWorkers: 1 }).exec('startedBy')).to.equal(process.execPath)
      })

      it('starts minWorkers at its creation', () => {
        expect(create(script, { minWorkers: 2, maxWorkers: 3 }).stats().totalWorkers).to.equal(2)
        expect(create(script, { minWorkers: 'max', maxWorkers: 2 }).stats().totalWorkers).to.equal(2)
        expect(create(script, { minWorkers: 2, maxWorkers: 1 }).maxWorkers).to.equal(2)
      })

      it('shows its options', () => {
        const pool = create(script, { maxWorkers: 3, maxQueueSize: 9, workerTerminateTimeout: 77 })
        expect(pool.script).to.equal(script)
        expect(pool.maxWorkers).to.equal(3)
        expect(pool.maxQueueSize).to.equal(9)
        expect(pool.workerTerminateTimeout).to.equal(77)
        expect(create(undefined).script).to.equal(null)
      })

      it('is a Pool by the name of its class', () => {
        const pool = create(script)
        expect(pool.constructor.name).to.equal('Pool')
        expect(inspect(pool, { depth: -1 })).to.equal('[Pool]')
      })

      it('refuses numbers of workers that are none', () => {
        expect(() => using.workerpool.pool({ maxWorkers: 0 })).to.throw(
          TypeError,
          'Option maxWorkers must be an integer number >= 1',
        )
        expect(() => using.workerpool.pool({ maxWorkers: 1.5 })).to.throw(
          TypeError,
          'Option maxWorkers must be an integer number >= 1',
        )
        expect(() => using.workerpool.pool({ minWorkers: -1 })).to.throw(
          TypeError,
          'Option minWorkers must be an integer number >= 0',
        )
      })

      it('keeps a worker and its state from task to task', async () => {
        const pool = create(script, { maxWorkers: 1 })
        expect(await pool.exec('count')).to.equal(1)
        expect(await pool.exec('count')).to.equal(2)
      })

      it('runs functions in the global scope of the worker, with what tasks before have set there', async () => {
        const pool = create(undefined, { maxWorkers: 1 })
        const set = (value: number): void => void Object.assign(globalThis, { workerpoolSuiteGlobal: value })
        const read = (): number => workerpoolSuiteGlobal + 1
        const find = (): unknown => (typeof workerpoolSuiteOther === 'number' ? workerpoolSuiteOther : 'none')
        expect(await rejection(pool.exec(read) as AnyPromise)).to.have.property(
          'message',
          'workerpoolSuiteGlobal is not defined',
        )
        await pool.exec(set, [41])
        expect(await pool.exec(read)).to.equal(42)
        expect(await pool.exec(find)).to.equal('none')
      })

      it("calls onCreateWorker and onTerminateWorker, with the pool's options", async () => {
        const created: unknown[] = []
        const terminated: unknown[] = []
        const pool = create(script, {
          maxWorkers: 1,
          onCreateWorker: (argument) => {
            created.push(argument.script)
            return undefined
          },
          onTerminateWorker: (argument) => void terminated.push(argument.script),
        })
        await pool.exec('add', [1, 2])
        expect(created).to.deep.equal([script])
        expect(terminated).to.deep.equal([])
        await pool.terminate()
        expect(terminated).to.deep.equal([script])
      })

      it('lets onCreateWorker choose another script', async () => {
        const pool = create(undefined, { maxWorkers: 1, onCreateWorker: () => ({ script }) })
        expect(await pool.exec('add', [3, 4])).to.equal(7)
      })
    })

    describe('proxy', () => {
      it('has the methods of the script', async () => {
        const proxy = (await create(script).proxy()) as unknown as Record<string, (...args: unknown[]) => AnyPromise>
        expect(await proxy['add']?.(3, 4)).to.equal(7)
        expect(Object.keys(proxy)).to.include.members(['add', 'sleep', 'run', 'methods'])
      })

      it('refuses arguments', () => {
        const pool = create(script)
        expect(() => pool.proxy('add')).to.throw('No arguments expected')
      })
    })

    if (subject.can.events) {
      describe('events', () => {
        it('brings what workerEmit sends to the listener of that task', async () => {
          const seen: unknown[] = []
          const result: unknown = await create(script).exec('emit', [[1, { two: 2 }]], {
            on: (payload: unknown) => seen.push(payload),
          })
          expect(result).to.equal(2)
          expect(seen).to.deep.equal([1, { two: 2 }])
        })

        for (const blocking of subject.name === 'the original, threads' ? [false] : [false, true]) {
          it(`brings it while the task runs${blocking ? ', though that never yields' : ''}, and nothing after its end`, async () => {
            const pool = create(script, { maxWorkers: 1 })
            const file = join(using.folder, `seen-${blocking}`)
            const seen: unknown[] = []
            const on = (payload: unknown): void => {
              seen.push(payload)
              if (payload === 'waiting') writeFileSync(file, '')
            }
            expect(await pool.exec('emitAndWait', [file, blocking], { on })).to.equal('done')
            await pool.exec('sleep', [60])
            expect(seen).to.deep.equal(['waiting', 'seen'])
          })
        }
      })
    }

    describe('cancel', () => {
      it('rejects the task with CancellationError at once, and ends its worker', async () => {
        const pool = create(script, { maxWorkers: 1 })
        await pool.exec('add', [1, 2])
        const before = (await pool.exec('where')) as { pid: number }
        const task = pool.exec('sleep', [60_000])
        const promise = task.cancel()
        expect(task.rejected).to.equal(true)
        expect(await rejection(promise)).to.be.instanceOf(using.workerpool.Promise.CancellationError)
        expect(await pool.exec('count')).to.equal(1)
        if (subject.can.processes) expect(((await pool.exec('where')) as { pid: number }).pid).to.not.equal(before.pid)
      })

      it('ends a task that never yields', async () => {
        const pool = create(script, { maxWorkers: 1, workerTerminateTimeout: 100 })
        await pool.exec('add', [1, 2])
        const task = pool.exec('spin', [60_000])
        expect(await rejection(task.cancel())).to.be.instanceOf(using.workerpool.Promise.CancellationError)
        expect(await pool.exec('add', [3, 4])).to.equal(7)
      })

      it('takes a task that waits out of the queue, and harms no other', async () => {
        const pool = create(script, { maxWorkers: 1 })
        const running = pool.exec('sleep', [50])
        const waiting = pool.exec('fail', ['it ran'])
        const behind = pool.exec('add', [3, 4])
        expect(await rejection(waiting.cancel())).to.be.instanceOf(using.workerpool.Promise.CancellationError)
        expect(await running).to.equal(50)
        expect(await behind).to.equal(7)
      })

      it("works on a promise that was derived from the task's", async () => {
        const pool = create(script, { maxWorkers: 1 })
        const derived = pool.exec('sleep', [60_000]).then((value: unknown) => value)
        expect(await rejection(derived.cancel())).to.be.instanceOf(using.workerpool.Promise.CancellationError)
      })
    })

    describe('timeout', () => {
      it('rejects with TimeoutError after the delay', async () => {
        const error = await rejection(create(script).exec('sleep', [60_000]).timeout(30))
        expect(error).to.be.instanceOf(using.workerpool.Promise.TimeoutError)
        expect(error.message).to.equal('Promise timed out after 30 ms')
      })

      it('does not reject a task that is in time', async () => {
        expect(await create(script).exec('add', [3, 4]).timeout(60_000)).to.equal(7)
      })

      it('counts from the start of the run, not from its submission', async () => {
        const pool = create(script, { maxWorkers: 1 })
        await pool.exec('add', [1, 2])
        const first = pool.exec('sleep', [1_200])
        const second = pool.exec('sleep', [1]).timeout(1_000)
        expect(await first).to.equal(1_200)
        expect(await second).to.equal(1)
      })

      it('gives the task behind it a worker that is whole', async () => {
        const pool = create(script, { maxWorkers: 1 })
        const late = rejection(pool.exec('sleep', [60_000]).timeout(30))
        const behind = pool.exec('add', [3, 4])
        expect(await late).to.be.instanceOf(using.workerpool.Promise.TimeoutError)
        expect(await behind).to.equal(7)
      })
    })

    describe('terminate', () => {
      it('lets running tasks finish, and rejects those that wait', async () => {
        const pool = create(script, { maxWorkers: 1 })
        const running = pool.exec('sleep', [50])
        const waiting = rejection(pool.exec('add', [1, 2]))
        const terminated = pool.terminate()
        expect((await waiting).message).to.equal('Pool terminated')
        expect(await running).to.equal(50)
        await terminated
        expect(pool.stats().totalWorkers).to.equal(0)
      })

      it('with force rejects the running task', async () => {
        const pool = create(script, { maxWorkers: 1 })
        await pool.exec('add', [1, 2])
        const running = rejection(pool.exec('sleep', [60_000]))
        await pool.terminate(true)
        expect((await running).message).to.equal('Worker terminated')
        expect(pool.stats().totalWorkers).to.equal(0)
      })

      it('with a timeout resolves when that is over, though a worker still runs', async () => {
        const pool = create(script, { maxWorkers: 1 })
        await pool.exec('add', [1, 2])
        const file = join(using.folder, `${subject.name}-terminating`)
        const running = pool.exec('waitFor', [file])
        await pool.terminate(false, 50)
        expect(running.pending).to.equal(true)
        writeFileSync(file, '')
        expect(await running).to.equal('it is there')
      })

      it('with a timeout resolves for each that asks, though a worker still runs', async () => {
        const pool = create(script, { maxWorkers: 1 })
        const file = join(using.folder, `${subject.name}-terminating-twice`)
        const running = pool.exec('waitFor', [file])
        expect(await pool.terminate(false, 50)).to.deep.equal([undefined])
        expect(await pool.terminate(false, 50)).to.deep.equal([undefined])
        expect(running.pending).to.equal(true)
        writeFileSync(file, '')
        expect(await running).to.equal('it is there')
      })

      it('lets the pool be used again afterwards', async () => {
        const pool = create(script, { maxWorkers: 1 })
        expect(await pool.exec('count')).to.equal(1)
        await pool.terminate()
        expect(await pool.exec('count')).to.equal(1)
      })

      if (subject.can.forkOptions) {
        it("runs the script's onTerminate, with its code", async () => {
          const file = join(using.folder, `${subject.name}-terminated`)
          const pool = create(script, { maxWorkers: 1, forkOpts: { env: { ...process.env, TERMINATION_FILE: file } } })
          await pool.exec('add', [1, 2])
          await pool.terminate()
          expect(readFileSync(file, 'utf8')).to.equal('terminated 0')
        })

        it('gives forkArgs and flags to workers without a script, too', async () => {
          const options = { maxWorkers: 1, forkArgs: ['one'], forkOpts: { execArgv: ['--expose-gc'] } }
          const told = create(undefined, options).exec(() => [typeof globalThis.gc, ...process.argv.slice(2)])
          expect(await told).to.deep.equal(['function', 'one'])
        })

        it('finds a script by any path from the folder of its worker', async () => {
          const pool = create('methods.mjs', {
            workerType: 'process',
            maxWorkers: 1,
            forkOpts: { cwd: scriptPath('') },
          })
          expect(await pool.exec('add', [1, 2])).to.equal(3)
        })

        it('gives forkArgs to the script', async () => {
          const pool = create(script, { maxWorkers: 1, forkArgs: ['one', 'two'] })
          expect(await pool.exec('argv')).to.deep.equal(['one', 'two'])
        })
      }
    })

    if (subject.can.abortListeners) {
      it('keeps the worker of a cancelled task whose abort listeners resolve', async () => {
        const file = join(using.folder, `${subject.name}-aborted`)
        const pool = create(script, { maxWorkers: 1 })
        expect(await pool.exec('count')).to.equal(1)
        const task = pool.exec('abortable', [file])
        const settled = rejection(task)
        await eventually(() => existsSync(file) || undefined)
        task.cancel()
        expect(await settled).to.be.instanceOf(using.workerpool.Promise.CancellationError)
        expect(await pool.exec('count')).to.equal(2)
        expect(readFileSync(file, 'utf8')).to.equal('aborted')
      })

      it('lets abort listeners that end the task first clean up, and hears what they say', async () => {
        const file = join(using.folder, `${subject.name}-cleaned`)
        const pool = create(script, { maxWorkers: 1 })
        expect(await pool.exec('count')).to.equal(1)
        const heard: unknown[] = []
        const task = pool.exec('abortedFirst', [file], { on: (payload: unknown) => heard.push(payload) })
        const settled = rejection(task)
        await eventually(() => existsSync(file) || undefined)
        task.cancel()
        expect(await settled).to.be.instanceOf(using.workerpool.Promise.CancellationError)
        expect(await pool.exec('count')).to.equal(2)
        expect(readFileSync(file, 'utf8')).to.equal('cleaned')
        expect(heard).to.deep.equal(['cleaning'])
      })

      it('waits for abort listeners no longer than abortListenerTimeout, then ends the worker', async () => {
        const file = join(using.folder, `${subject.name}-stuck`)
        const pool = create(scriptPath('stubborn.mjs'), { maxWorkers: 1 })
        expect(await pool.exec('count')).to.equal(1)
        const task = pool.exec('stuck', [file])
        const settled = rejection(task)
        await eventually(() => existsSync(file) || undefined)
        task.cancel()
        expect(await settled).to.be.instanceOf(using.workerpool.Promise.CancellationError)
        expect(await pool.exec('count')).to.equal(1)
      })
    }

    describe('options', () => {
      it('hands what a worker prints to the listener of its task, with emitStdStreams', async () => {
        const file = join(using.folder, `${subject.name}-printed`)
        const pool = create(script, { maxWorkers: 1, emitStdStreams: true })
        const seen: string[] = []
        const on = (payload: { stdout?: string }): void => {
          if (payload.stdout !== undefined) seen.push(payload.stdout.trim())
          writeFileSync(file, '')
        }
        await pool.exec('printAndWait', ['hello', file], { on })
        expect(seen.join('')).to.equal('hello')
      })

      it('takes nodeWorker for workerType, and workerOpts and debugPortStart without effect here', async () => {
        const options = { maxWorkers: 1, workerOpts: {}, debugPortStart: 43_300, nodeWorker: 'process' }
        expect(await create(script, options as WorkerPoolOptions).exec('add', [1, 2])).to.equal(3)
      })
    })

    describe('a worker that ends', () => {
      it('rejects its task with TerminateError, which tells the exit code', async () => {
        const pool = create(script, { maxWorkers: 1 })
        await pool.exec('add', [1, 2])
        const error = await rejection(pool.exec('exit', [3]))
        expect(error).to.be.instanceOf(using.workerpool.TerminateError)
        expect(error.message).to.match(/^Workerpool Worker terminated Unexpectedly\n {4}exitCode: `3`/)
      })

      it('is replaced for the next task', async () => {
        const pool = create(script, { maxWorkers: 1 })
        expect(await rejection(pool.exec('exit', [1]))).to.be.instanceOf(using.workerpool.TerminateError)
        expect(await pool.exec('count')).to.equal(1)
      })

      it('is none that onTerminateWorker is told of; the one in its place, which the pool ends, is', async () => {
        const { told, options } = countsWorkers()
        const pool = create(script, { ...options, maxWorkers: 1 })
        expect(await rejection(pool.exec('exit', [1]))).to.be.instanceOf(using.workerpool.TerminateError)
        expect(await pool.exec('add', [1, 2])).to.equal(3)
        expect(told).to.deep.equal({ created: 2, terminated: 0 })
        await pool.terminate()
        expect(told).to.deep.equal({ created: 2, terminated: 1 })
      })

      it('is none that onTerminateWorker is told of where its script does not load', async () => {
        const { told, options } = countsWorkers()
        const pool = create(scriptPath('broken.mjs'), { ...options, maxWorkers: 1 })
        expect(await rejection(pool.exec('add', [1, 2]))).to.be.instanceOf(using.workerpool.TerminateError)
        await pool.terminate()
        expect(told).to.deep.equal({ created: 1, terminated: 0 })
      })

      if (subject.can.processes) {
        it('tells the signal', async () => {
          const error = await rejection(create(script, { maxWorkers: 1 }).exec('kill'))
          expect(error).to.be.instanceOf(using.workerpool.TerminateError)
          expect(error.message).to.contain('signalCode: `SIGKILL`')
        })
      }

      it('rejects a task whose script does not load', async () => {
        const error = await rejection(create(scriptPath('broken.mjs'), { maxWorkers: 1 }).exec('add', [1, 2]))
        expect(error).to.be.instanceOf(using.workerpool.TerminateError)
      })
    })
  })
}
