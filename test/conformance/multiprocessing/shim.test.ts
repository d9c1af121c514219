/** The scenarios on the shim, as a program has it: from the built package. Then what Python does not have. */
import { expect } from 'chai'
import type { PoolReport } from '../../../compat/multiprocessing/index.ts'
import { usePlainWorkers } from '../../cluster/support.ts'
import { Gate, held } from '../gate.ts'
import { scenarios, type Multiprocessing } from './suite.ts'

describe('multiprocessing: the shim', () => {
  let mp: Multiprocessing
  let outpool: { init(): Promise<unknown>; shutdown(): Promise<void>; explain(target: object): unknown }
  usePlainWorkers()

  before(async () => {
    mp = await import('outpool/multiprocessing')
    outpool = await import('outpool')
    // Another suite of this process may have shut it down.
    await outpool.init()
  })
  after(() => outpool.shutdown())

  for (const [name, scenario] of Object.entries(scenarios)) {
    it(name, async () => {
      expect(await scenario.play(mp)).to.deep.equal(scenario.expected)
    })
  }

  const reason = async (promise: PromiseLike<unknown>): Promise<Error> =>
    promise.then(
      () => new Error('it resolved'),
      (error: unknown) => error as Error,
    )
  const report = (pool: object): PoolReport => outpool.explain(pool) as PoolReport

  describe('at least once', () => {
    it('runs the chunk of a worker that was killed again, and no other', async () => {
      await using pool = new mp.Pool(2)
      const running = pool.mapAsync(
        async (n: number) => {
          if (n === 3) {
            const { existsSync, writeFileSync } = await import('node:fs')
            const mark = `/tmp/outpool-killed-${process.ppid}-${n}`
            if (!existsSync(mark)) {
              writeFileSync(mark, '')
              process.kill(process.pid, 'SIGKILL')
            }
            ;(await import('node:fs')).rmSync(mark)
          }
          return n * 10
        },
        [1, 2, 3, 4, 5],
        1,
      )
      expect(await running).to.deep.equal([10, 20, 30, 40, 50])
      expect(report(pool).reruns).to.equal(1)
    })

    it('gives a chunk up whose workers die each time, and goes on', async () => {
      await using pool = new mp.Pool(1)
      const error = await reason(pool.apply(() => process.kill(process.pid, 'SIGKILL')))
      expect(error.name).to.equal('WorkerCrashedError')
      expect(error.message).to.include('it has run 4 times, and does not run again').and.not.include('maxRetries')
      expect(report(pool).reruns).to.equal(3)
      expect(await pool.apply((n: number) => n + 1, [1])).to.equal(2)
    })

    it('never runs a chunk again because its function threw', async () => {
      await using pool = new mp.Pool(1)
      expect((await reason(pool.map((n: number) => JSON.parse(`{${n}`) as unknown, [1]))).name).to.equal('SyntaxError')
      expect(report(pool).reruns).to.equal(0)
    })
  })

  describe('what goes wrong', () => {
    it('takes variables from outside along, and refuses a function that would change one, by its name', async () => {
      await using pool = new mp.Pool(1)
      let outside = 3
      expect(await pool.map((n: number) => n + outside, [1])).deep.equal([4])
      const error = await reason(pool.map((n: number) => (outside += n), [1]))
      expect(error.name).to.equal('FunctionCaptureError')
      expect(error.message).to.contain('outside')
    })

    it('rejects with what the initializer threw, and starts no workers without end', async () => {
      const initializer = (): void => {
        throw new RangeError('no state today')
      }
      await using pool = new mp.Pool({ processes: 2, initializer })
      expect((await reason(pool.map((n: number) => n, [1, 2, 3]))).message).to.contain('no state today')
    })

    it('names what of an item, or of its result, cannot travel, and not the place of the item in its chunk', async () => {
      await using pool = new mp.Pool(1)
      const weak = new WeakMap()
      const told = async (call: PromiseLike<unknown>): Promise<string> => (await reason(call)).message
      expect(await told(pool.map((x: unknown) => typeof x, [1, 2, { cache: weak }]))).to.match(
        /^item\.cache: a WeakMap/,
      )
      expect(await told(pool.map((x: unknown) => typeof x, [Promise.resolve(1)]))).to.equal(
        'item: a Promise; await it first',
      )
      expect(await told(pool.apply((_: number, x: unknown) => typeof x, [1, { cache: weak }]))).to.match(
        /^args\[1\]\.cache: a WeakMap/,
      )
      expect(await told(pool.map(() => [new WeakMap()], [1]))).to.match(/^result\[0\]: a WeakMap/)
      expect(await told(pool.imap(() => [new WeakMap()], [1]).next())).to.match(/^result\[0\]: a WeakMap/)
      const factor = 2
      expect(await told(pool.map((x: unknown) => [x, factor], [{ cache: weak }]))).to.match(/^item\.cache: a WeakMap/)
    })

    it('rejects with why the initializer cannot travel, and the program goes on', async () => {
      const { Socket } = await import('node:net')
      const socket = new Socket()
      await using pool = new mp.Pool(1, () => socket.readable)
      expect((await reason(pool.map((n: number) => n, [1]))).message).to.match(/^initializer\(.*socket: Socket holds/)
      await using other = new mp.Pool(1, () => {}, [1, { cache: new WeakMap() }])
      expect((await reason(other.map((n: number) => n, [1]))).message).to.match(/^initargs\[1\]\.cache: a WeakMap/)
    })

    it('rejects what was still to come when it is terminated', async () => {
      const pool = new mp.Pool(1)
      const waiting = pool.mapAsync(
        (n: number) => new Promise((resolve) => setTimeout(resolve, n)),
        [60_000, 60_000],
        1,
      )
      await pool.terminate()
      expect(await reason(waiting)).to.be.instanceOf(mp.PoolTerminatedError)
    })

    it('refuses what is not iterable, as Python does, and says what it was given', async () => {
      await using pool = new mp.Pool(1)
      const same = (n: number): number => n
      for (const [input, given] of [
        [5, 'a number'],
        [{ a: 1 }, 'an object'],
        [Promise.resolve([1]), 'a Promise: await it first'],
        [null, 'null'],
        [undefined, 'undefined'],
      ] as const) {
        const message = new RegExp(`the input is not iterable.*not ${given}$`)
        expect(() => pool.mapAsync(same, input as never)).to.throw(TypeError, message)
        expect(() => pool.imap(same, input as never)).to.throw(TypeError, message)
        expect(await reason(pool.map(same, input as never))).to.be.instanceOf(TypeError)
      }
      expect(() => pool.applyAsync(same, 5 as never)).to.throw(TypeError, /apply: args/)
    })

    it('refuses an option that it does not have, and names the nearest', () => {
      expect(() => new mp.Pool({ proceses: 3 } as never)).to.throw(TypeError, /proceses.*processes/)
    })

    it('refuses options of a call that do not exist, before anything is started', async () => {
      await using pool = new mp.Pool(1)
      const same = (n: number): number => n
      const wrong = { chunkSize: 10, error_callback: () => undefined } as never
      const told = "there is no option 'chunkSize' (did you mean 'chunksize'?)"
      expect(() => pool.mapAsync(same, [1], wrong)).to.throw(TypeError, `mapAsync: ${told}`)
      expect(() => pool.starmapAsync(same, [[1]], wrong)).to.throw(TypeError, `starmapAsync: ${told}`)
      expect(() => pool.mapAsync(same, [1], [10] as never)).to.throw(TypeError, 'the options are an object')
      expect(() => pool.applyAsync(same, [1], null, { error_callback: () => undefined } as never)).to.throw(
        TypeError,
        "applyAsync: there is no option 'error_callback' (did you mean 'errorCallback'?)",
      )
      expect(report(pool).workers.reduce((sum, { chunks }) => sum + chunks, 0)).to.equal(0)
      const seen: unknown[] = []
      const callback = (value: unknown): number => seen.push(value)
      await pool.mapAsync(same, [1, 2], { chunksize: 2, callback, errorCallback: null })
      await pool.applyAsync(same, [3], null, { callback })
      expect(seen).to.deep.equal([[1, 2], 3])
    })

    it('refuses callbacks, items and options of the wrong kind, by their names', async () => {
      await using pool = new mp.Pool(1)
      const same = (n: number): number => n
      const callback = 'callback: a function is needed, not a string'
      expect(() => pool.mapAsync(same, [1], 1, 'done' as never)).to.throw(TypeError, `mapAsync: ${callback}`)
      expect(() => pool.applyAsync(same, [1], null, 'done' as never)).to.throw(TypeError, `applyAsync: ${callback}`)
      expect(() => pool.starmapAsync(same, [[1]], { errorCallback: 5 as never })).to.throw(TypeError, 'errorCallback')
      const closed = new mp.Pool(1)
      expect(() => closed.mapAsync(same, [1], 1, 'done' as never)).to.throw(TypeError, callback)
      closed.close()
      await closed.join()
      const error = await reason(pool.starmap((a: number, b: number) => a + b, [[1, 2], 3] as never))
      expect(error.message).to.equal('starmap: item 1 is no list of arguments such as [1, 2], but a number')
      expect(await pool.starmap((a: number, b: number) => a + b, [[1, 2]])).to.deep.equal([3])
      expect(() => new mp.Pool(1, () => {}, 5 as never)).to.throw(TypeError, 'Pool: initargs: an array of arguments')
      expect(() => new mp.Pool({ numCpus: 'all' as never })).to.throw(TypeError, 'numCpus: "all" is not a number')
      expect(() => new mp.Pool('2' as never)).to.throw('at least 1: an integer is needed, not a string')
    })
  })

  describe('an input that is still being read', () => {
    const same = (n: number): number => n
    /** Gives 1 and 2, then nothing before `speak()`; then 3 for ever. Tells what was read of it, and whether it was closed. */
    const quiet = (): { source: AsyncGenerator<number>; read: number[]; closed: Promise<void>; speak: () => void } => {
      let [speak, close] = [(): void => undefined, (): void => undefined]
      const spoken = new Promise<void>((resolve) => (speak = resolve))
      const closed = new Promise<void>((resolve) => (close = resolve))
      const read: number[] = []
      const source = (async function* () {
        try {
          for (let n = 1; ; n = Math.min(3, n + 1)) {
            if (n === 3) await spoken
            read.push(n)
            yield n
          }
        } finally {
          close()
        }
      })()
      return { source, read, closed, speak }
    }

    it('is closed at terminate, and who waits for more of it learns of that', async () => {
      const pool = new mp.Pool(1)
      const { source, read, closed, speak } = quiet()
      const results = pool.imap(same, source)
      expect([await results.next(), await results.next()].map(({ value }) => value)).to.deep.equal([1, 2])
      const next = reason(results.next())
      await pool.terminate()
      expect(await next).to.be.instanceOf(mp.PoolTerminatedError)
      expect(await results.next()).to.deep.equal({ done: true, value: undefined })
      speak()
      await closed
      expect(read).to.deep.equal([1, 2, 3])
    })

    it('is closed at terminate behind close, too', async () => {
      const pool = new mp.Pool(1)
      const { source, closed, speak } = quiet()
      const results = pool.imapUnordered(same, source)
      pool.close()
      await pool.terminate()
      const values: unknown[] = []
      const error = await reason((async () => { for await (const value of results) values.push(value) })()) // prettier-ignore
      expect(error).to.be.instanceOf(mp.PoolTerminatedError)
      speak()
      await closed
    })

    it('is closed at terminate where a map collects it', async () => {
      const pool = new mp.Pool(1)
      const { source, read, closed, speak } = quiet()
      const told: unknown[] = []
      const result = pool.mapAsync(same, source, { errorCallback: (error) => told.push(error) })
      await pool.terminate()
      const error = await reason(result)
      expect(error).to.be.instanceOf(mp.PoolTerminatedError)
      expect([result.ready(), result.successful(), told]).to.deep.equal([true, false, [error]])
      speak()
      await closed
      expect(read.filter((n) => n === 3).length).to.be.at.most(1)
    })

    it('is closed at terminate where it is synchronous, and read no further', async () => {
      const pool = new mp.Pool(1)
      const read: number[] = []
      let closed = false
      const source = (function* () {
        try {
          for (let n = 0; ; n++) {
            read.push(n)
            yield n
          }
        } finally {
          closed = true
        }
      })()
      const results = pool.imap(same, source)
      await results.next()
      const { length } = read
      await pool.terminate()
      expect([closed, read.length]).to.deep.equal([true, length])
      // What the window held, then what was not read any more.
      let errors = 0
      while (
        await results.next().then(
          ({ done }) => done !== true,
          () => (errors += 1),
        )
      );
      expect(errors).to.be.at.least(1)
    })

    it('holds nobody up who leaves the loop while it is quiet', async () => {
      await using pool = new mp.Pool(1)
      const { source, closed, speak } = quiet()
      for await (const value of pool.imap(same, source)) {
        expect(value).to.equal(1)
        break
      }
      speak()
      await closed
    })
  })

  it('calls the callback of an empty input with its results, which are none', async () => {
    await using pool = new mp.Pool(1)
    const seen: unknown[] = []
    await pool.mapAsync((n: number) => n, [], { callback: (values) => seen.push(values) })
    await pool.starmapAsync((n: number) => n, [], { callback: (values) => seen.push(values) })
    expect(seen).to.deep.equal([[], []])
  })

  it('runs nothing of an imap that has not started when its loop is left', async () => {
    using gate = new Gate()
    using never = new Gate()
    const pool = new mp.Pool(1)
    const files = [process.execPath, gate.file, never.file, never.file]
    for await (const first of pool.imap(held, files)) {
      expect(first).to.equal('slept')
      break
    }
    gate.open()
    pool.close()
    await pool.join()
  })

  it('keeps numbers as they are', async () => {
    await using pool = new mp.Pool(1)
    const numbers = [0, -0, NaN, Infinity, -Infinity, 1.5, 2 ** 53, -1, 5e-324]
    const back = await pool.map((n: number) => n, numbers, 4)
    numbers.forEach((n, i) => expect(Object.is(back[i], n), String(n)).to.equal(true))
  })

  it('gives arguments by name as one object behind the others', async () => {
    await using pool = new mp.Pool(1)
    const call = (a: number, { b }: { b: number } = { b: 0 }): number => a + b
    expect(await pool.apply(call, [1], { b: 2 })).to.equal(3)
  })

  it('takes an asynchronous input', async () => {
    await using pool = new mp.Pool(2)
    const input = async function* (): AsyncGenerator<number> {
      for (let n = 0; n < 5; n++) yield n
    }
    expect(await pool.map((n: number) => n * 2, input())).to.deep.equal([0, 2, 4, 6, 8])
    const seen: number[] = []
    for await (const value of pool.imap((n: number) => n * 2, input())) seen.push(value)
    expect(seen).to.deep.equal([0, 2, 4, 6, 8])
  })

  it('has a worker for each CPU by default, and tells what each has done', async () => {
    await using pool = new mp.Pool()
    await pool.map((n: number) => n, Array(100).fill(1))
    const { kind, processes, workers, reruns } = report(pool)
    expect(kind).to.equal('multiprocessing.Pool')
    expect(processes).to.equal(mp.cpuCount())
    expect(workers.reduce((sum, worker) => sum + worker.items, 0)).to.equal(100)
    expect(reruns).to.equal(0)
  })

  it('keeps a number of processes above the number of CPUs', async () => {
    await using pool = new mp.Pool(mp.cpuCount() + 2)
    const pids = new Set<number>()
    while (pids.size < mp.cpuCount() + 2) {
      for (const pid of await pool.map((_: number) => process.pid, Array(40).fill(0), 1)) pids.add(pid)
    }
  })
})

describe('multiprocessing: the shim, behind shutdown()', () => {
  it('has calls that are ready and failed, and tells their callbacks', async () => {
    const mp: Multiprocessing = await import('outpool/multiprocessing')
    const outpool = await import('outpool')
    await outpool.init()
    const pool = new mp.Pool(1)
    expect(await pool.apply((n: number) => n, [1])).to.equal(1)
    await outpool.shutdown()
    const same = (n: number): number => n
    const told: unknown[] = []
    const errorCallback = (error: unknown): number => told.push(error)
    for (const result of [
      pool.applyAsync(same, [1], null, { errorCallback }),
      pool.mapAsync(same, [1], { errorCallback }),
    ]) {
      const error = await result.then(
        () => 'it resolved',
        (reason: unknown) => reason,
      )
      expect((error as Error).name).to.equal('NotInitializedError')
      expect([result.ready(), result.successful()]).to.deep.equal([true, false])
      expect(told.splice(0)).to.deep.equal([error])
    }
    await pool.terminate()
  })
})
