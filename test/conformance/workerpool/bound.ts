/**
 * Tasks that a value binds to the program's own process (shared memory, ports, keys, files): they are tasks of their pool
 * as all others are, whichever worker runs them.
 */
import { expect } from 'chai'
import { createSecretKey, webcrypto } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pool, WorkerPoolOptions } from 'workerpool'
import { eventually } from '../../tools/eventually.ts'
import { rejection } from '../../tools/rejection.ts'
import { usePools } from './pools.ts'
import { countsWorkers, scriptPath, type Subject } from './suite.ts'

const script = scriptPath('methods.mjs')
/** The types of this package know its name alone. */
const wasm = Reflect.get(globalThis, 'WebAssembly') as { readonly Module: new (code: Uint8Array) => object }

const shared = (): Int32Array => new Int32Array(new SharedArrayBuffer(8))

/** Of a subject whose workers are threads, or that has threads for such tasks. */
export function boundSuite(subject: Subject): void {
  describe(`workerpool, values of this process: ${subject.name}`, () => {
    const using = usePools(subject)
    const create = (file: string | undefined, options: WorkerPoolOptions = {}): Pool =>
      using.create(file, { maxWorkers: 1, ...options })

    it('wait in the queue of the pool, and are counted there', async () => {
      const pool = create(script, { maxQueueSize: 1 })
      const memory = shared()
      const tasks = [pool.exec('addShared', [memory, 1]), pool.exec('addShared', [memory, 1])]
      expect(pool.stats()).to.deep.equal({
        totalWorkers: 1,
        busyWorkers: 1,
        idleWorkers: 0,
        pendingTasks: 1,
        activeTasks: 1,
      })
      expect(() => pool.exec('addShared', [memory, 1])).to.throw('Max queue size of 1 reached')
      expect(() => pool.exec('count')).to.throw('Max queue size of 1 reached')
      await Promise.all(tasks)
      expect(memory[0]).to.equal(2)
      expect(pool.stats()).to.include({ busyWorkers: 0, pendingTasks: 0 })
    })

    for (const [queueStrategy, order] of [
      ['fifo', 'abcdef'],
      ['lifo', 'afedcb'],
    ] as const)
      it(`take their turn among the others with the strategy ${queueStrategy}`, async () => {
        const pool = create(undefined, { queueStrategy })
        const values = { a: 1, b: shared(), c: 1, d: new Blob(['x']), e: shared(), f: 1 }
        const name = (one: string, _value: unknown): string => one
        const ended: string[] = []
        const tasks = Object.entries(values).map(async (each) => {
          const one: string = await pool.exec(name, each)
          ended.push(one)
        })
        await Promise.all(tasks)
        expect(ended.join('')).to.equal(order)
      })

    it('are among the tasks of which no more than maxWorkers run at once', async () => {
      const pool = create(undefined, { maxWorkers: 2 })
      const run = async (file: string, _value: unknown): Promise<void> => {
        const { appendFileSync } = await import('node:fs')
        appendFileSync(file, '+')
        await new Promise((resolve) => setTimeout(resolve, 10))
        appendFileSync(file, '-')
      }
      const file = join(using.folder, 'ran')
      const values = Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? shared() : i))
      await Promise.all(values.map((value) => pool.exec(run, [file, value])))
      let running = 0
      const most = readFileSync(file, 'utf8')
        .split('')
        .map((sign) => (running += sign === '+' ? 1 : -1))
      expect(most).to.have.length(24)
      expect(Math.max(...most)).to.equal(2)
      expect(pool.stats().totalWorkers).to.equal(2)
    })

    it('are of a worker of the pool: one beginning and one end of it are told', async () => {
      const { told, options } = countsWorkers()
      const pool = create(script, options)
      await pool.exec('addShared', [shared(), 3])
      await pool.exec('add', [1, 2])
      await pool.exec('addShared', [shared(), 3])
      expect(told).to.deep.equal({ created: 1, terminated: 0 })
      await pool.terminate()
      expect(told).to.deep.equal({ created: 1, terminated: 1 })
    })

    it('end their worker when they are cancelled, or take too long', async () => {
      const { told, options } = countsWorkers()
      const pool = create(undefined, { ...options, workerTerminateTimeout: 100 })
      const spin = (memory: Int32Array): void => {
        for (Atomics.store(memory, 0, 1); Atomics.load(memory, 1) === 0;);
      }
      for (const [round, end] of [
        (task: ReturnType<Pool['exec']>): unknown => task.cancel(),
        (task: ReturnType<Pool['exec']>): unknown => task.timeout(1),
      ].entries()) {
        const memory = shared()
        const task = pool.exec(spin, [memory])
        const ended = rejection(task as PromiseLike<unknown>)
        await eventually(() => memory[0] === 1 || undefined)
        end(task)
        expect(await ended).to.be.instanceOf(
          round === 0 ? using.workerpool.Promise.CancellationError : using.workerpool.Promise.TimeoutError,
        )
        expect(await pool.exec((memory: Int32Array) => memory.length, [memory])).to.equal(2)
        expect(told).to.deep.equal({ created: round + 2, terminated: round + 1 })
      }
    })

    it('leave it to their abort listeners whether it stays', async () => {
      const { told, options } = countsWorkers()
      const pool = create(script, options)
      const file = join(using.folder, 'aborted')
      const task = pool.exec('abortable', [file, shared()])
      const settled = rejection(task)
      await eventually(() => existsSync(file) || undefined)
      task.cancel()
      expect(await settled).to.be.instanceOf(using.workerpool.Promise.CancellationError)
      expect(await pool.exec('addShared', [shared(), 1])).to.equal(0)
      expect(readFileSync(file, 'utf8')).to.equal('aborted')
      expect(told).to.deep.equal({ created: 1, terminated: 0 })
    })

    it('harm nobody when they are cancelled while they wait', async () => {
      const pool = create(script)
      const running = pool.exec('sleep', [50])
      const waiting = pool.exec('addShared', [shared(), 1])
      const behind = pool.exec('add', [3, 4])
      expect(await rejection(waiting.cancel())).to.be.instanceOf(using.workerpool.Promise.CancellationError)
      expect([await running, await behind]).to.deep.equal([50, 7])
    })

    it('reject with TerminateError where their worker ends, which is replaced', async () => {
      const pool = create(undefined)
      for (const value of [shared(), new Blob(['x'])]) {
        const error = await rejection(
          pool.exec(
            (code: number, _value: unknown) => {
              process.exit(code)
            },
            [3, value],
          ) as never,
        )
        expect(error).to.be.instanceOf(using.workerpool.TerminateError)
        expect(error.message).to.match(/^Workerpool Worker terminated Unexpectedly\n {4}exitCode: `3`/)
        expect(await pool.exec((memory: Int32Array) => memory.length, [shared()])).to.equal(2)
      }
    })

    it('reject where the script of their worker does not load', async () => {
      const error = await rejection(create(scriptPath('broken.mjs')).exec('add', [shared()]))
      expect(error).to.be.instanceOf(using.workerpool.TerminateError)
    })

    it('reject where terminate ends them with force, and are waited for without', async () => {
      const pool = create(script)
      await pool.exec('addShared', [shared(), 1])
      const forced = rejection(pool.exec('sleep', [60_000, shared()]))
      await pool.terminate(true)
      expect((await forced).message).to.equal('Worker terminated')
      const finished = pool.exec('sleep', [50, shared()])
      await pool.terminate()
      expect(await finished).to.equal(50)
      expect(pool.stats().totalWorkers).to.equal(0)
    })

    it('tell their listener, and what they throw', async () => {
      const pool = create(script)
      const seen: unknown[] = []
      const on = (payload: unknown): void => void seen.push(payload)
      expect(await pool.exec('emit', [[1, 2], shared()], { on })).to.equal(2)
      expect(seen).to.deep.equal([1, 2])
      expect((await rejection(pool.exec('fail', ['no tea', shared()]))).message).to.equal('no tea')
    })

    it('are those with whatever structured clone gives a thread', async () => {
      const pool = create(undefined)
      const kindOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1)
      const key = await webcrypto.subtle.generateKey({ name: 'AES-GCM', length: 128 }, true, ['encrypt'])
      const values = [
        new Blob(['text']),
        createSecretKey(Buffer.from('key')),
        key,
        new wasm.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
      ]
      const found = await Promise.all(values.map((value) => pool.exec(kindOf, [value])))
      expect(found).to.deep.equal(['Blob', 'KeyObject', 'CryptoKey', 'WebAssembly.Module'])
    })

    it('are those with shared memory, wherever that is', async () => {
      const pool = create(undefined)
      const memory = shared()
      type Deep = { a: { b: { c: { d: { e: Int32Array } } } } }
      await pool.exec((deep: Deep) => void deep.a.b.c.d.e.fill(5), [{ a: { b: { c: { d: { e: memory } } } } }])
      expect(memory[0]).to.equal(5)
      const setByKey = (map: Map<SharedArrayBuffer, unknown>): void => {
        for (const buffer of map.keys()) new Int32Array(buffer)[1] = 7
      }
      await pool.exec(setByKey, [new Map([[memory.buffer as SharedArrayBuffer, 1]])])
      expect(memory[1]).to.equal(7)
    })

    it('are those that are given something else than memory by transfer', async () => {
      const file = join(using.folder, 'given')
      writeFileSync(file, 'what it says')
      const handle = await open(file)
      const read = async (given: {
        readFile(encoding: string): Promise<string>
        close(): Promise<void>
      }): Promise<string> => {
        const text = await given.readFile('utf8')
        await given.close()
        return text
      }
      const pool = create(undefined)
      expect(await pool.exec(read as never, [handle] as never, { transfer: [handle as never] })).to.equal(
        'what it says',
      )
      const { port1, port2 } = new MessageChannel()
      const heard = new Promise((resolve) => {
        port2.addEventListener('message', (event) => resolve((event as MessageEvent).data))
      })
      port2.start()
      await create(script).exec('say', [port1, 'hello'], { transfer: [port1] })
      expect(await heard).to.equal('hello')
      port2.close()
    })

    for (const maxWorkers of [1, 2])
      it(`go missing in no flight of others, with maxWorkers ${maxWorkers}`, async () => {
        const pool = create(script, { maxWorkers })
        for (let i = 0; i < 3; i++) await Promise.all([1, 2, 3, 4].map((n) => pool.exec('echo', [n])))
        const memory = shared()
        const ended: number[] = []
        const tasks = Array.from({ length: 300 }, async (_, n) => {
          const bound = n % 50 === 25
          const params = n % 50 === 45 ? [n, new Blob(['x'])] : [n]
          const value: unknown = await (bound ? pool.exec('addShared', [memory, 1]) : pool.exec('echo', params))
          ended.push(n)
          if (!bound) expect(value).to.equal(n)
        })
        await Promise.all(tasks)
        expect(memory[0]).to.equal(6)
        const inOrder = Array.from({ length: 300 }, (_, n) => n)
        if (maxWorkers === 1) expect(ended).to.deep.equal(inOrder)
        else expect(ended).to.have.members(inOrder)
      })
  })
}
