/** The suite against the shim, as a program has it: from the built package. Then what differs on purpose. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WorkerpoolReport } from '../../../compat/workerpool/index.ts'
import { usePlainWorkers } from '../../cluster/support.ts'
import { describeProcess, descendantsOf } from '../../tools/processes.mjs'
import { expectElsewhere, joinPlace } from '../built-cluster.ts'
import { runProgram } from '../shim-programs.ts'
import { boundSuite } from './bound.ts'
import { flightSuite } from './flight.ts'
import { conformanceSuite, countsWorkers, scriptPath, type Workerpool } from './suite.ts'

/** Another suite of this process may have shut Outpool down. */
const load = async (): Promise<Workerpool> => {
  const { init } = await import('outpool')
  await init()
  return import('outpool/workerpool')
}

const isWorker = (pid: number): boolean => /worker[/-]entry|runtime[/]worker/.test(describeProcess(pid))

const can = { events: true, abortListeners: true, structuredClone: true, forkOptions: true, processes: true }

/** Tests whose tasks are the caller's, or that run nothing. */
const here: readonly string[] = [
  'has the names of the original, by name and on the default export',
  'tells platform, cpus and isMainThread',
  'refuses parameters that are not an array, at once',
  'refuses a method that is neither function nor string, at once',
  'refuses a strategy that it does not know, and a queue that lacks a method',
  'starts minWorkers at its creation',
  'shows its options',
  'is a Pool by the name of its class',
  'refuses numbers of workers that are none',
  'refuses arguments',
  "works on a promise that was derived from the task's",
  'rejects with TimeoutError after the delay',
  'hands what a worker prints to the listener of its task, with emitStdStreams',
]

describe('workerpool: on this machine', () => {
  usePlainWorkers()
  // Every workerType is processes here.
  conformanceSuite({ name: 'the shim', load, options: {}, can })
  flightSuite({ name: 'the shim', load, options: {}, can })
  boundSuite({ name: 'the shim', load, options: {}, can })
  after(async () => (await import('outpool')).shutdown())
})

describe('workerpool: on three nodes', () => {
  const place = { name: 'on three nodes', nodes: 3 }
  let leave: () => Promise<void>
  usePlainWorkers()
  expectElsewhere(place, here)

  before(async () => {
    leave = await joinPlace(place)
  })
  after(() => leave())

  conformanceSuite({ name: 'the shim', load: () => import('outpool/workerpool'), options: {}, can })

  it('uses every node', async () => {
    const { explain } = await import('outpool')
    const workerpool = await import('outpool/workerpool')
    const pool = workerpool.pool(scriptPath('methods.mjs'))
    const nodesOf = (): Set<string> =>
      new Set((explain(pool as object) as WorkerpoolReport).workers.map(({ node }) => node))
    while (nodesOf().size < 3) await Promise.all([1, 2, 3, 4].map(async () => void (await pool.exec('sleep', [5]))))
    expect(pool.maxWorkers).to.equal(3)
    await pool.terminate()
  })
})

describe('workerpool: the shim, where it differs from the original', () => {
  let workerpool: Workerpool
  let explain: (target: object) => unknown
  const script = scriptPath('methods.mjs')
  const pools: ReturnType<Workerpool['pool']>[] = []
  usePlainWorkers()

  before(async () => {
    workerpool = await load()
    const outpool = await import('outpool')
    explain = (target) => outpool.explain(target)
  })
  afterEach(async () => {
    await Promise.all(pools.splice(0).map(async (pool) => pool.terminate(true)))
  })
  after(async () => {
    const outpool = await import('outpool')
    await outpool.shutdown()
  })

  const create = (...args: Parameters<Workerpool['pool']>): ReturnType<Workerpool['pool']> => {
    const pool = workerpool.pool(...args)
    pools.push(pool)
    return pool
  }
  const reason = async (promise: PromiseLike<unknown>): Promise<unknown> =>
    promise.then(
      () => 'it resolved',
      (error: unknown) => error,
    )

  it('keeps the class of what a task throws; the original makes it a plain Error', async () => {
    expect(await reason(create(script).exec('fail', ['no tea']))).to.be.instanceOf(TypeError)
  })

  it('has this.worker.emit; in the original it is undefined', async () => {
    const seen: unknown[] = []
    await create(script).exec('emitThis', [], { on: (payload: unknown) => seen.push(payload) })
    expect(seen).to.deep.equal(['from this'])
  })

  it('runs what waits behind a crash; the original leaves it waiting', async () => {
    const pool = create(script, { maxWorkers: 1 })
    await pool.exec('add', [1, 2])
    const crashed = reason(pool.exec('exit', [1]))
    const behind = pool.exec('add', [3, 4])
    expect(await crashed).to.be.instanceOf(workerpool.TerminateError)
    expect(await behind).to.equal(7)
  })

  for (const how of ['exit', 'kill'])
    it(`runs all others of a flight once where one ends its worker by ${how}`, async () => {
      const pool = create(script, { maxWorkers: 2 })
      const call = (n: number): PromiseLike<unknown> => pool.exec('endAt', [n, 100, how]) as never
      for (let i = 0; i < 3; i++) await Promise.all([1, 2, 3, 4, 5, 6].map(call))
      const numbers = Array.from({ length: 300 }, (_, n) => n)
      const found = await Promise.all(numbers.map(async (n) => reason(call(n))))
      expect(found[100]).to.be.instanceOf(workerpool.TerminateError)
      expect(found.filter((one) => one !== 'it resolved')).to.have.length(1)
      expect((explain(pool) as WorkerpoolReport).workers.reduce((sum, { items }) => sum + items, 0)).to.equal(18 + 299)
    })

  it('has what a worker answered before its end, also where this process was busy and gave it more first', async () => {
    const pool = create(script, { maxWorkers: 1 })
    const call = async (n: number): Promise<unknown> => reason(pool.exec('endAt', [n, 40, 'kill']) as never)
    for (let round = 0; round < 8; round++) {
      await Promise.all([1, 2, 3, 4, 5].map(call))
      const first = Array.from({ length: 60 }, (_, n) => call(n))
      await new Promise((resolve) => setImmediate(resolve))
      for (const until = performance.now() + 60; performance.now() < until;);
      const found = await Promise.all([...first, ...Array.from({ length: 60 }, (_, n) => call(100 + n))])
      expect(
        found.flatMap((one, n) => (one === 'it resolved' ? [] : [n])),
        `round ${round}`,
      ).to.deep.equal([40])
    }
  })

  it('runs what waits behind a crash with the strategy lifo, too', async () => {
    const pool = create(script, { maxWorkers: 1, queueStrategy: 'lifo' })
    await pool.exec('add', [1, 2])
    const crashed = reason(pool.exec('exit', [1]))
    const behind = pool.exec('add', [3, 4])
    expect(await crashed).to.be.instanceOf(workerpool.TerminateError)
    expect(await behind).to.equal(7)
  })

  it('fails a parameter that cannot travel by its path, and the worker stays', async () => {
    const pool = create(script, { maxWorkers: 1 })
    expect(await pool.exec('count')).to.equal(1)
    const error = (await reason(pool.exec('echo', [{ cache: new WeakMap() }]))) as Error
    expect(error.name).to.equal('SerializationError')
    expect(error.message).to.match(/^params\[0\]\.cache: a WeakMap/)
    expect(await pool.exec('count')).to.equal(2)
  })

  it('names what of the parameters of a function, or of a result, cannot travel by the way to it from there', async () => {
    const pool = create(undefined, { maxWorkers: 1 })
    const told = async (fn: (...args: never[]) => unknown, params: unknown[] = []): Promise<string> =>
      ((await reason(pool.exec(fn as never, params as never) as never)) as Error).message
    const held = { list: [new WeakMap()] }
    const factor = 2
    expect(await told((x: unknown) => typeof x, [held])).to.match(/^params\[0\]\.list\[0\]: a WeakMap/)
    expect(await told((x: unknown) => [x, factor], [1, held])).to.match(/^params\[1\]\.list\[0\]: a WeakMap/)
    expect(await told(() => ({ list: [new WeakMap()] }))).to.match(/^result\.list\[0\]: a WeakMap/)
  })

  it("with workerType 'process' sends a function that captures beside a parameter that is sent as JSON", async () => {
    const pool = create({ maxWorkers: 1, workerType: 'process' } as never)
    const factor = 2
    expect(await pool.exec((x: object) => [x, factor], [{ cache: new WeakMap() }])).to.deep.equal([{ cache: {} }, 2])
    const cache = new WeakMap()
    const refused = (await reason(pool.exec((key: object) => cache.has(key), [{}]) as never)) as Error
    expect(refused.message).to.match(/ -> cache: a WeakMap/)
  })

  it('sends what a function captures with it; in the original it would not be defined', async () => {
    const pool = create(undefined, { maxWorkers: 1 })
    const rates = { base: 3 }
    const total = (n: number): number => rates.base * n
    expect(await pool.exec((n: number) => total(n) + rates.base, [2])).to.equal(9)
    const seen: unknown[] = []
    const emitting = function (this: { worker: { emit(payload: unknown): void } }): number {
      this.worker.emit(rates)
      return rates.base
    }
    expect(await pool.exec(emitting, [], { on: (payload: unknown) => seen.push(payload) })).to.equal(3)
    expect(seen).to.deep.equal([{ base: 3 }])
  })

  it('rejects a function that captures what cannot travel, by the way to it, and one whose changes would be lost', async () => {
    const pool = create(undefined, { maxWorkers: 1 })
    const cache = new WeakSet<object>()
    const first = (await reason(pool.exec((key: object) => cache.has(key), [{}]) as never)) as Error
    expect(first.name).to.equal('FunctionCaptureError')
    expect(first.message).to.match(/^exec\(anonymous function\): anonymous function -> cache: a WeakSet/)
    expect(await pool.exec(() => 1)).to.equal(1)
  })

  it('gives a worker the variables that forkOpts.env names; the original gives it all of the program', async () => {
    process.env['SEEN_BY_WORKERS'] = 'yes'
    try {
      expect(await create(script).exec('variable', ['SEEN_BY_WORKERS'])).to.equal(undefined)
      const told = create(script, { forkOpts: { env: process.env } })
      expect(await told.exec('variable', ['SEEN_BY_WORKERS'])).to.equal('yes')
    } finally {
      delete process.env['SEEN_BY_WORKERS']
    }
  })

  it('sends an instance with its class where that can go along, else a plain object, as the original always', async () => {
    class Point {
      x = 2
      double(): number {
        return 2 * this.x
      }
    }
    class Secret {
      readonly x = 1
      readonly #hidden = 2
      sum(): number {
        return this.x + this.#hidden
      }
    }
    const pool = create(undefined, { maxWorkers: 1 })
    const nameOf = (value: { double?: () => number }): unknown => [value.constructor.name, value.double?.()]
    expect(await pool.exec(nameOf, [new Point()])).to.deep.equal(['Point', 4])
    expect(await pool.exec(nameOf, [new Secret() as never])).to.deep.equal(['Object', undefined])
  })

  it('rejects with what a task throws that is no error; the original makes an Error without a message of it', async () => {
    const pool = create(undefined, { maxWorkers: 1 })
    const thrownBy = (value: unknown): Promise<unknown> =>
      reason(
        pool.exec(
          (thrown: unknown) => {
            throw thrown
          },
          [value],
        ) as never,
      )
    expect(await thrownBy('text')).to.equal('text')
    expect(await thrownBy({ code: 7 })).to.deep.equal({ code: 7 })
    expect(await pool.exec((a: number) => a, [1])).to.equal(1)
  })

  it('tells where the tasks ran', async () => {
    const pool = create(script, { maxWorkers: 2 })
    await Promise.all([1, 2, 3, 4].map(async (n) => void (await pool.exec('sleep', [n]))))
    const report = explain(pool) as WorkerpoolReport
    expect(report.where).to.equal('cluster')
    expect(report.workers.reduce((sum, worker) => sum + worker.items, 0)).to.equal(4)
    for (const worker of report.workers) expect(worker.pid).to.not.equal(process.pid)
  })

  for (const workerType of ['auto', 'thread', 'process'] as const) {
    it(`runs in a process of its own with workerType ${workerType}`, async () => {
      const { pid } = (await create(script, { workerType }).exec('where')) as unknown as { pid: number }
      expect(pid).to.not.equal(process.pid)
    })
  }

  it('stays with workers of this process where an option needs that, and says so', async () => {
    const pool = create(script, {
      workerType: 'thread',
      workerThreadOpts: { resourceLimits: { maxOldGenerationSizeMb: 64 } },
    })
    const where = (await pool.exec('where')) as unknown as { pid: number; isMainThread: boolean }
    expect(where).to.deep.include({ pid: process.pid, isMainThread: false })
    const report = explain(pool) as WorkerpoolReport
    expect(report.where).to.equal('local')
    expect(report.reason).to.contain('workerThreadOpts.resourceLimits')
  })

  it('runs a call with memory or ports of this process in a thread of it, and says so', async () => {
    const pool = create(script, { maxWorkers: 1 })
    const shared = new Int32Array(new SharedArrayBuffer(4))
    await pool.exec('addShared', [shared, 3])
    await pool.exec('addShared', [{ nested: shared }.nested, 4])
    expect(shared[0]).to.equal(7)
    const { port1, port2 } = new MessageChannel()
    const heard = new Promise((resolve) =>
      port2.addEventListener('message', (event) => resolve((event as MessageEvent).data)),
    )
    port2.start()
    await pool.exec('say', [port1, 'hello'], { transfer: [port1] })
    expect(await heard).to.equal('hello')
    port2.close()
    expect(((await pool.exec('where')) as unknown as { pid: number }).pid).to.not.equal(process.pid)
    expect((explain(pool) as WorkerpoolReport).stayed?.calls).to.equal(3)
  })

  it('runs such calls of a pool without a script by its own options', async () => {
    const { told, options } = countsWorkers()
    const pool = workerpool.pool({ ...options, maxWorkers: 1 })
    pools.push(pool)
    const most = new Int32Array(new SharedArrayBuffer(8))
    const meet = (shared: Int32Array): void => {
      const now = Atomics.add(shared, 0, 1) + 1
      if (now > (shared[1] ?? 0)) shared[1] = now
      for (const end = Date.now() + 50; Date.now() < end;);
      Atomics.sub(shared, 0, 1)
    }
    await Promise.all([1, 2, 3].map(() => pool.exec(meet, [most])))
    expect(most[1]).to.equal(1)
    expect(told.created).to.equal(1)
  })

  it('keeps a worker here that onCreateWorker binds to this process', async () => {
    let id = 0
    const pool = workerpool.pool({
      maxWorkers: 1,
      onCreateWorker: () => ({ workerThreadOpts: { env: { NUMBER: String(++id) } } }),
    })
    pools.push(pool)
    expect(await pool.exec(() => process.env['NUMBER'])).to.equal('1')
    expect(id).to.equal(1)
    // As to any thread, a function goes to it as its text.
    const captured = 2
    expect(await reason(pool.exec(() => captured) as never)).to.have.property('message', 'captured is not defined')
    expect(await pool.exec(() => process.env['NUMBER'])).to.equal('1')
    expect(explain(pool)).to.include({ where: 'local', reason: 'workerThreadOpts.env needs threads of this process' })
  })

  it('runs a task whose worker died again with maxRetries, and not without', async () => {
    const retried = create(script, { maxWorkers: 1, maxRetries: 1 } as never)
    await retried.exec('add', [1, 2])
    // It ends its process each time: once more, then the error.
    expect(await reason(retried.exec('exit', [1]))).to.be.instanceOf(workerpool.TerminateError)
    expect(await retried.exec('add', [3, 4])).to.equal(7)
    expect((explain(retried) as WorkerpoolReport).reruns).to.equal(1)
    expect(() => workerpool.pool({ maxRetries: -1 } as never)).to.throw(TypeError, 'maxRetries')
  })

  it('starts another worker where one is killed that has run nothing of its user', async () => {
    const known = new Set(descendantsOf(process.pid))
    for (let afterMs = 0; afterMs < 200; afterMs += 50) {
      const pool = create(undefined, { maxWorkers: 1 })
      const sum = pool.exec((a: number, b: number) => a + b, [1, 2])
      const ended = reason(sum as never)
      await sleep(afterMs)
      const workers = descendantsOf(process.pid).filter((pid) => !known.has(pid) && isWorker(pid))
      for (const pid of workers) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // It has ended.
        }
      }
      const error = await ended
      // One that was killed with the task on it is told of, and known.
      if (error instanceof Error) expect(error.message).to.match(/pid: `\d+`/)
      else expect(await sum).to.equal(3)
      await pool.terminate()
    }
  })

  it('resolves terminate() where a worker dies at that moment', async () => {
    for (let afterMs = 0; afterMs < 10; afterMs += 2) {
      const pool = create(script, { maxWorkers: 1 })
      await pool.exec('add', [1, 2])
      const [worker] = (explain(pool) as WorkerpoolReport).workers
      process.kill(worker!.pid, 'SIGKILL')
      await sleep(afterMs)
      await pool.terminate()
      expect(pool.stats().totalWorkers).to.equal(0)
    }
  })

  it('tells of the end of each worker once, also of one that dies while its pool ends; the original never ends then', async () => {
    const { told, options } = countsWorkers()
    const pool = create(script, { ...options, maxWorkers: 1 })
    await pool.exec('add', [1, 2])
    const crashed = reason(pool.exec('exit', [1]))
    await pool.terminate()
    expect(await crashed).to.be.instanceOf(workerpool.TerminateError)
    await sleep(50)
    expect(told).to.deep.equal({ created: 1, terminated: 1 })
    expect(pool.stats().totalWorkers).to.equal(0)
  })

  it('gives a function that captures no shared memory beside that, and says why', async () => {
    const pool = create(undefined, { maxWorkers: 1 })
    const by = 3
    const addTo = (memory: Int32Array): number => Atomics.add(memory, 0, by)
    const sizeOf = (blob: Blob): number => blob.size + by
    const told = async (fn: unknown, value: unknown): Promise<string> =>
      ((await reason(pool.exec(fn as never, [value] as never) as never)) as Error).message
    expect(await told(addTo, new Int32Array(new SharedArrayBuffer(4)))).to.match(
      /^exec\(addTo\): a parameter is a view of a SharedArrayBuffer; .* Give them to it as parameters/,
    )
    expect(await told(sizeOf, new Blob(['x']))).to.match(
      /^exec\(sizeOf\): params\[0\]: Blob .* Give them to it as parameters/,
    )
    expect(await pool.exec((a: number) => a + by, [1])).to.equal(4)
  })

  it('ends a worker whose process died while a thread had its task when that is over, and runs what waits', async () => {
    const pool = create(script, { maxWorkers: 1 })
    await pool.exec('add', [1, 2])
    const [worker] = (explain(pool) as WorkerpoolReport).workers
    const memory = new Int32Array(new SharedArrayBuffer(4))
    const held = pool.exec('sleep', [300, memory])
    const behind = pool.exec('count')
    process.kill(worker!.pid, 'SIGKILL')
    expect(await held).to.equal(300)
    expect(await behind).to.equal(1)
  })

  it('starts no process for a worker that has only tasks of a thread', async () => {
    const pool = create(script, { maxWorkers: 1 })
    expect(await pool.exec('addShared', [new Int32Array(new SharedArrayBuffer(4)), 3])).to.equal(0)
    await sleep(50)
    expect((explain(pool) as WorkerpoolReport).workers).to.deep.equal([])
  })

  it('gives a thread the arguments and variables that the processes of its pool have', async () => {
    const pool = create(script, { maxWorkers: 1, forkArgs: ['one'], forkOpts: { env: { FOR_WORKERS: 'yes' } } })
    const memory = new Int32Array(new SharedArrayBuffer(4))
    for (const params of [[], [memory]]) expect(await pool.exec('argv', params)).to.deep.equal(['one'])
    for (const params of [['FOR_WORKERS'], ['FOR_WORKERS', memory]])
      expect(await pool.exec('variable', params)).to.equal('yes')
  })

  it('lets a program that ends nothing end, when its tasks have, also those of threads', async () => {
    const { code, stdout, stderr } = await runProgram({
      main: 'main.mjs',
      files: {
        'main.mjs': `
          import workerpool from 'outpool/workerpool'
          const pool = workerpool.pool({ maxWorkers: 2 })
          const memory = new Int32Array(new SharedArrayBuffer(4))
          const add = async (memory) => {
            await new Promise((resolve) => setTimeout(resolve, 50))
            return Atomics.add(memory, 0, 1)
          }
          for (let i = 0; i < 4; i++) pool.exec(add, [memory]).then(() => console.log(memory[0] > 0))`,
      },
    })
    expect({ code, stdout, stderr }).to.deep.equal({ code: 0, stdout: 'true\n'.repeat(4), stderr: '' })
  })

  it('leaves a task that was cancelled before it was sent without effect on its worker', async () => {
    const pool = create(script, { maxWorkers: 1 })
    const cancelled = pool.exec('sleep', [60_000])
    const error = reason(cancelled)
    cancelled.cancel()
    expect(await error).to.be.instanceOf(workerpool.Promise.CancellationError)
    expect(await pool.exec('add', [3, 4])).to.equal(7)
  })
})
