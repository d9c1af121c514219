/** The scenarios on the shim, as a program has it: from the built package; on this machine, and on three nodes. */
import { expect } from 'chai'
import type { ExecutorReport, Future } from '../../../compat/executor/index.ts'
import { usePlainWorkers } from '../../cluster/support.ts'
import { Gate, held } from '../gate.ts'
import { expectElsewhere, joinPlace, places } from '../built-cluster.ts'
import { scenarios, type ExecutorModule } from './suite.ts'

type Outpool = typeof import('outpool')

/** Tests whose tasks are the caller's, or that run nothing. */
const here: readonly string[] = [
  'map of nothing',
  'map, late',
  'map, a chunk size of nothing',
  'wait for nothing',
  'an initializer that is none',
  'no workers',
  'a useless maxTasksPerChild',
]

for (const place of places) {
  const { nodes } = place
  describe(`executor: the shim, ${place.name}`, () => {
    let futures: ExecutorModule
    let outpool: Outpool
    let leave: () => Promise<void>
    usePlainWorkers()
    expectElsewhere(place, here)

    before(async () => {
      futures = await import('outpool/executor')
      outpool = await import('outpool')
      leave = await joinPlace(place)
    })
    after(() => leave())

    for (const [name, scenario] of Object.entries(scenarios)) {
      it(name, async () => {
        expect(await scenario.play(futures)).to.deep.equal(scenario.expected)
      })
    }

    const report = (executor: object): ExecutorReport => outpool.explain(executor) as ExecutorReport

    it('has a worker for each CPU by default, on each node, and tells what each has done', async () => {
      await using executor = new futures.Executor()
      const wanted = nodes === 0 ? 1 : nodes
      const seen = (): Set<string> => new Set(report(executor).workers.map(({ node }) => node))
      do {
        for await (const _ of executor.map((n: number) => n, Array<number>(20).fill(1))) void _
      } while (seen().size < wanted)
      const { kind, processes, workers } = report(executor)
      expect(kind).to.equal('executor')
      expect(seen().size).to.equal(wanted)
      if (nodes > 0) expect(processes).to.equal(nodes)
      expect(workers.reduce((sum, worker) => sum + worker.items, 0) % 20).to.equal(0)
    })

    it('fails only the future whose worker ended, starts nothing twice, and goes on', async () => {
      await using executor = new futures.Executor(1)
      const crashed = executor.submit(() => process.kill(process.pid, 'SIGKILL'))
      const behind = executor.submit((n: number) => n + 1, 1)
      const error = (await crashed.exception()) as Error
      expect(error).to.be.instanceOf(futures.BrokenProcessPool)
      expect(error).to.be.instanceOf(futures.BrokenExecutor)
      expect((error.cause as Error).name).to.equal('WorkerCrashedError')
      expect(await behind.result()).to.equal(2)
      expect(report(executor).reruns).to.equal(0)
    })

    describe('in a callback of a future whose worker ended', () => {
      const crash = (): unknown => process.kill(process.pid, 'SIGKILL')

      it('cancels what waits', async () => {
        await using executor = new futures.Executor(1)
        const crashed = executor.submit(crash)
        const waiting = executor.submit(() => 1)
        const taken: boolean[] = []
        crashed.addDoneCallback(() => taken.push(waiting.cancel()))
        await crashed.exception()
        expect([...taken, waiting.cancelled()]).to.deep.equal([true, true])
        expect(await waiting.result().catch((error: unknown) => error)).to.be.instanceOf(futures.CancelledError)
        expect(await executor.submit(() => 2).result()).to.equal(2)
      })

      it('cancels all that waits with shutdown', async () => {
        const executor = new futures.Executor(1)
        const crashed = executor.submit(crash)
        const waiting = [1, 2, 3].map((n) => executor.submit((x: number) => x, n))
        let ended: Promise<void> | undefined
        crashed.addDoneCallback(() => (ended = executor.shutdown({ cancelFutures: true })))
        await crashed.exception()
        expect(waiting.map((future) => future.cancelled())).to.deep.equal([true, true, true])
        await ended
      })

      it('submits to a worker that is free, and does not cancel what that has begun', async () => {
        await using executor = new futures.Executor(2)
        const alive = (): number => report(executor).workers.filter((worker) => worker.alive).length
        while (alive() < 2) for await (const _ of executor.map((n: number) => n, [1, 2, 3, 4])) void _
        const crashed = executor.submit(crash)
        let next: Future = crashed
        let taken: boolean | undefined
        crashed.addDoneCallback(() => {
          next = executor.submit(() => 3)
          taken = next.cancel()
        })
        await crashed.exception()
        expect([taken, await next.result()]).to.deep.equal([false, 3])
      })
    })

    it('cancels what waits in a callback of a future that found no worker', async () => {
      const initializer = (): never => {
        throw new Error('no state today')
      }
      await using executor = new futures.Executor({ maxWorkers: 1, initializer })
      const [first, second] = [executor.submit(() => 1), executor.submit(() => 2)]
      let taken: boolean | undefined
      first.addDoneCallback(() => (taken = second.cancel()))
      await first.exception()
      expect([taken, second.cancelled()]).to.deep.equal([true, true])
    })

    it('cancels what has not started when a loop over map is left', async () => {
      using gate = new Gate()
      using never = new Gate()
      await using executor = new futures.Executor(1)
      const files = [process.execPath, gate.file, never.file, never.file]
      for await (const first of executor.map(held, files)) {
        expect(first).to.equal('slept')
        break
      }
      gate.open()
    })
  })
}

describe("executor: what is Outpool's own", () => {
  let futures: ExecutorModule

  before(async () => {
    futures = await import('outpool/executor')
    await (await import('outpool')).init({ numCpus: 2, resources: { seat: 1 } })
  })
  after(async () => (await import('outpool')).shutdown())

  it('has workers that hold numCpus and resources, and others wait until those are free', async () => {
    const first = new futures.Executor({ maxWorkers: 1, numCpus: 0.5, resources: { seat: 1 }, name: 'seated' })
    expect(await first.submit(() => 'first').result()).to.equal('first')
    await using second = new futures.Executor({ maxWorkers: 1, resources: { seat: 1 } })
    const behind = second.submit(() => 'second')
    expect([behind.running(), behind.done()]).to.deep.equal([false, false])
    await first.shutdown()
    expect(await behind.result()).to.equal('second')
  })

  it('calls the export of a module, with moduleFunction', async () => {
    await using executor = new futures.Executor(1)
    const basename = futures.moduleFunction('node:path', 'basename')
    expect(await executor.submit(basename, '/a/b').result()).to.equal('b')
  })

  it('waits for all of them by default, which is ALL_COMPLETED', async () => {
    await using executor = new futures.Executor(1)
    const { ALL_COMPLETED, wait } = futures
    const made = (): ReturnType<typeof executor.submit>[] => [1, 2].map((n) => executor.submit((x: number) => x, n))
    expect((await wait(made(), { returnWhen: ALL_COMPLETED })).done.size).to.equal(2)
    expect((await wait(made())).done.size).to.equal(2)
  })
})

describe('executor: what goes wrong', () => {
  let futures: ExecutorModule

  before(async () => {
    futures = await import('outpool/executor')
    await (await import('outpool')).init()
  })
  after(async () => (await import('outpool')).shutdown())

  it('refuses an option that it does not have, and names the nearest', () => {
    expect(() => new futures.Executor({ maxWorker: 3 } as never)).to.throw(TypeError, /maxWorker.*maxWorkers/)
  })

  it('refuses what is no function, and what is not iterable, at once', async () => {
    await using executor = new futures.Executor(1)
    expect(() => executor.submit('add' as never)).to.throw(TypeError, 'not callable')
    expect(() => executor.map((n: number) => n, 3 as never)).to.throw(TypeError)
    expect(() => futures.asCompleted([5 as never])).to.throw(TypeError, 'futures are needed, not a number')
    const future = executor.submit(() => 1)
    expect(() => futures.asCompleted(future as never)).to.throw(
      TypeError,
      'futures is needed, not an instance of Future',
    )
    expect(() => future.addDoneCallback(5 as never)).to.throw(TypeError, 'addDoneCallback: a function is needed')
    expect(await future.result()).to.equal(1)
  })

  it('refuses what is no object of options, and what its workers could not be', async () => {
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{ initargs: 5 }, /Executor: initargs: an array of arguments is needed, not a number/],
      [{ resources: 5 }, /resources: an object of amounts by name is needed/],
      [{ numCpus: 'all' }, /numCpus: "all" is not a number/],
      [{ name: 5 }, /Executor: name: a text is needed, not a number/],
      [[2], /Executor: the options are an object, such as \{ maxWorkers: ... \}, not an array/],
    ]
    for (const [options, message] of wrong) expect(() => new futures.Executor(options)).to.throw(TypeError, message)
    expect(() => new futures.Executor('2' as never)).to.throw(
      'max_workers must be greater than 0: an integer is needed',
    )
    const executor = new futures.Executor(1)
    const reasons = [executor.shutdown(false as never), futures.wait([], { retrunWhen: 'x' } as never)].map((refused) =>
      refused.then(
        () => 'taken',
        (error: Error) => error.message,
      ),
    )
    expect(await Promise.all(reasons)).to.deep.equal([
      'shutdown: the options are an object, such as { wait: ... }, not a boolean',
      "wait: there is no option 'retrunWhen' (did you mean 'returnWhen'?)",
    ])
    await executor.shutdown()
  })

  it('sends what a function captures, as it is at the call', async () => {
    await using executor = new futures.Executor(1)
    let factor = 2
    const doubled = executor.submit((n: number) => n * factor, 21)
    const mapped = executor.map((n: number) => n + factor, [1, 2])
    factor = 100
    expect(await doubled.result()).to.equal(42)
    const seen: number[] = []
    for await (const value of mapped) seen.push(value)
    expect(seen).to.deep.equal([3, 4])
  })

  it('fails an argument that cannot travel by its path, and the worker stays', async () => {
    await using executor = new futures.Executor(1)
    const error = (await executor
      .submit((value: unknown) => typeof value, { cache: new WeakMap() })
      .exception()) as Error
    expect(error.name).to.equal('SerializationError')
    expect(error.message).to.match(/^args\[0\]\.cache: a WeakMap/)
    expect(await executor.submit(() => 1).result()).to.equal(1)
  })
})
