import { expect } from 'chai'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  type BackPressureError,
  cancel,
  context,
  drained,
  explain,
  get,
  init,
  ObjectRef,
  put,
  remote,
  shutdown,
  wait,
} from 'outpool'
import { Trace, usePlainWorkers } from './support.ts'
import { withoutStoreLine } from '../tools/native.ts'
import { rejection } from '../tools/rejection.ts'

const tasks = new URL('fixtures/tasks.mjs', import.meta.url)
const add = remote((a: number, b: number) => a + b)
const identity = remote((value: unknown) => value)
const sleepy = remote(async (ms: number, value: unknown) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return value
})

describe('tasks', () => {
  usePlainWorkers()
  let trace: Trace
  before(async () => {
    trace = new Trace()
    await init({ numCpus: 2 })
  })
  after(async () => {
    await shutdown()
    trace.remove()
  })

  describe('a call', () => {
    it('runs in a worker, and its value is what the ref gets', async () => {
      const pid = remote(() => process.pid)
      expect(await pid.remote().get())
        .to.be.a('number')
        .and.not.equal(process.pid)
      expect(await add.remote(1, 2).get()).to.equal(3)
    })

    it('resolves to its value by run, awaited twice as often as needed by nobody', async () => {
      expect(await add.run(1, 2)).to.equal(3)
      expect(await remote(async (n: number) => n).run(4)).to.equal(4)
    })

    it('takes the export of a module, by URL and by text', async () => {
      const where = remote<() => { kind: string }>(tasks, 'whereAmI')
      expect(await where.run()).to.include({ kind: 'worker' })
      expect(await remote<() => { kind: string }>(tasks.href, 'whereAmI').run()).to.include({ kind: 'worker' })
    })

    it('takes its arguments as they are at the call', async () => {
      const list = [1, 2]
      const ref = remote((items: number[]) => items.length).remote(list)
      list.push(3)
      expect(await ref.get()).to.equal(2)
    })

    it('fails by name when there is no such module, or no such export', async () => {
      const missing = await rejection(remote(new URL('fixtures/nowhere.mjs', import.meta.url), 'x').run())
      expect(missing).to.have.property('code', 'ERR_OUTPOOL_RUNTIME_ENV_SETUP')
      expect(missing.message).to.contain('nowhere.mjs')
      const unknown = await rejection(remote(tasks, 'noSuchExport').run())
      expect(unknown).to.have.property('code', 'ERR_OUTPOOL_RUNTIME_ENV_SETUP')
      expect(unknown.message).to.contain('noSuchExport')
    })

    it('refuses a function that would change a variable from outside, by its name', async () => {
      let outside = 5
      const count = remote(() => ++outside)
      const error = await rejection(count.run())
      expect(error).to.have.property('code', 'ERR_OUTPOOL_FUNCTION_CAPTURE')
      expect(error.message).to.include("'outside' (line 1)")
      expect(() => count.remote()).to.throw(Error, /outside/)
      expect(outside).to.equal(5)
    })

    it('refuses options that do not exist, with the nearest, and values that are none', () => {
      expect(() => add.options({ maxRetrys: 1 } as never)).to.throw(TypeError, /maxRetrys.*'maxRetries'/)
      expect(() => remote((n: number) => n, { nunCpus: 1 } as never)).to.throw(TypeError, /nunCpus.*'numCpus'/)
      expect(() => add.options({ numReturns: 0 })).to.throw(RangeError, /numReturns/)
      expect(() => add.options({ timeout: -1 })).to.throw(RangeError, /timeout/)
      expect(() => add.options({ schedulingStrategy: 'SPREAD' as never })).to.throw(TypeError, /SPREAD/)
      expect(() => remote(tasks, undefined as never)).to.throw(TypeError, /export/)
      expect(() => remote(5 as never)).to.throw(TypeError, /number/)
    })

    it('is named in errors by its function, or by its name option', async () => {
      const error = await rejection(
        add
          .options({ name: 'sum', timeout: 1, numCpus: 2 })
          .run(1, 2)
          .then(() => {
            throw new Error('task sum')
          }),
      )
      expect(error.message).to.contain('task sum')
    })
  })

  describe('refs', () => {
    it('are values in the callee when they are arguments', async () => {
      const one = add.remote(0, 1)
      expect(await add.remote(add.remote(one, one), one).get()).to.equal(3)
      expect(await add.run(one, add.remote(one, 4))).to.equal(6)
    })

    it('stay refs inside values, and are read where they arrive', async () => {
      const reads = remote(async ({ list }: { list: ObjectRef<number>[] }) => {
        const values = await Promise.all(list.map((ref) => ref.get()))
        return values.reduce((a, b) => a + b, 0)
      })
      expect(await reads.run({ list: [add.remote(1, 1), add.remote(2, 2), await put(10)] })).to.equal(16)
    })

    it('come back inside results, and outlive the task that made them', async () => {
      const makes = remote(async () => {
        const { put: store, remote: make } = await import('outpool')
        return { stored: await store([1, 2, 3]), made: make((n: number) => n * 2).remote(21) }
      })
      const { stored, made } = await makes.run()
      expect(await get([stored, made])).to.deep.equal([[1, 2, 3], 42])
    })

    it('pass through tasks untouched', async () => {
      const inner = await put('deep')
      const box = (await identity.run({ a: { b: [inner] } })) as { a: { b: [ObjectRef<string>] } }
      expect(box.a.b[0]).to.be.instanceOf(ObjectRef)
      expect(box.a.b[0].id).to.equal(inner.id)
      expect(await box.a.b[0].get()).to.equal('deep')
    })

    it('of a failed task fail what takes them as an argument, with the same error, unrun', async () => {
      const bad = remote((): number => {
        throw new RangeError('not today')
      }).remote()
      const error = await rejection(
        remote<(folder: string, id: number, ms: number) => number>(tasks, 'work').remote(trace.folder, bad, 0).get(),
      )
      expect(error).to.be.instanceOf(RangeError).with.property('message', 'not today')
      expect(trace.lines()).to.deep.equal([])
    })

    it('are not thenable, so that an async function may return one', async () => {
      const later = async (): Promise<ObjectRef<number>> => Promise.resolve(add.remote(1, 2))
      const ref = await later()
      expect(ref).to.be.instanceOf(ObjectRef)
      expect('then' in ref).to.equal(false)
      expect(await ref.get()).to.equal(3)
    })

    it('refuse to be taken for their value, and say what to do', async () => {
      const ref = await put(1)
      const advice = /use await ref\.get\(\)/
      expect(() => `${ref as unknown as string}`).to.throw(TypeError, advice)
      expect(() => (ref as unknown as number) + 1).to.throw(TypeError, advice)
      expect(() => JSON.stringify({ ref })).to.throw(TypeError, advice)
    })

    it('show their function and id when inspected', () => {
      const ref = add.options({ name: 'sum' }).remote(1, 2)
      expect(inspect(ref)).to.equal(`ObjectRef<sum #${ref.id}>`)
      expect(inspect({ ref })).to.contain('ObjectRef<sum #')
      expect(ref.id).to.match(/^[0-9a-f]{16}:[0-9a-f]+$/)
    })

    it('let go of the value when they are disposed, once', async () => {
      const ref = await put('gone')
      ref[Symbol.dispose]()
      ref[Symbol.dispose]()
      const uses: (() => Promise<unknown>)[] = [
        () => ref.get(),
        () => get([ref]),
        () => put({ ref }),
        () => add.run(ref as never, 1),
      ]
      for (const use of uses) {
        const error = await rejection(Promise.resolve().then(use))
        expect(error).to.have.property('code', 'ERR_OUTPOOL_OBJECT_FREED')
        expect(error.message).to.contain('was disposed; keep the ref for as long as you need its value')
      }
    })

    it('name several results of one call, one ref each', async () => {
      const split = remote((text: string) => [text.length, text.split(''), { text }]).options({ numReturns: 3 })
      const refs = split.remoteMany('abc')
      expect(refs).to.have.length(3)
      expect(await get(refs)).to.deep.equal([3, ['a', 'b', 'c'], { text: 'abc' }])
      expect(await split.run('de')).to.deep.equal([2, ['d', 'e'], { text: 'de' }])
      const wrong = remote(() => [1, 2]).options({ numReturns: 3 })
      expect((await rejection(wrong.remote().get())).message).to.match(/numReturns: 3.*array of 2/)
      expect((await rejection(wrong.run())).message).to.match(/numReturns: 3.*array of 2/)
    })
  })

  describe('nested tasks', () => {
    it('run deeper than there are CPUs, without a dead-lock', async () => {
      expect(await remote<(n: number) => Promise<number>>(tasks, 'depth').run(4)).to.equal(4)
    })

    it('wait for each other in a tree that is wider than there are CPUs', async () => {
      expect(await remote<(n: number) => Promise<number>>(tasks, 'fibonacci').run(9)).to.equal(34)
    })

    it('call the remote functions of the program, themselves among them', async () => {
      const fibonacci = remote(async (n: number): Promise<number> => {
        if (n < 2) return n
        return (await fibonacci.run(n - 1)) + (await fibonacci.run(n - 2))
      })
      expect(await fibonacci.run(5)).to.equal(5)
      const isEven = remote(async (n: number): Promise<boolean> => (n === 0 ? true : isOdd.run(n - 1)))
      const isOdd = remote(async (n: number): Promise<boolean> => (n === 0 ? false : isEven.run(n - 1)))
      expect(await isEven.run(3)).to.equal(false)
    })

    it('take remote functions with their options, as captures, arguments and results', async () => {
      const factor = 3
      const scaled = remote((n: number) => n * factor, { name: 'scaled', numCpus: 0.5 })
      const counted = remote(function* (n: number) {
        for (let i = 0; i < n; i++) yield i * factor
      })
      const sum = remote(async (n: number) => {
        let total = 0
        for await (const item of counted.run(n)) total += item
        return total + (await scaled.run(100))
      })
      expect(await sum.run(4)).to.equal(318)
      const calls = remote(async (fn: typeof scaled) => [fn.name, await fn.run(5)])
      expect(await calls.run(scaled)).to.deep.equal(['scaled', 15])
      const back = await remote(() => scaled).run()
      expect([back.name, await back.run(7)]).to.deep.equal(['scaled', 21])
      const ofModule = remote<(n: number) => Promise<number>>(tasks, 'depth')
      expect(await remote(async () => ofModule.run(1)).run()).to.equal(1)
    })

    it('refuse those whose options cannot travel, by the way to them', async () => {
      const watched = remote(() => 1, { signal: new AbortController().signal })
      const error = await rejection(remote(() => watched.run()).run())
      expect(error.message).to.contain('watched -> options -> signal: AbortSignal')
    })

    it('fan out from a task', async () => {
      expect(await remote<(n: number) => Promise<number>>(tasks, 'fanOut').run(200)).to.equal(39_800)
    })
  })

  describe('put, get and wait', () => {
    it('store a value of any size once, for many readers', async () => {
      const big = await put(new Float64Array(200_000).fill(1.5))
      const sum = remote((numbers: Float64Array) => numbers.reduce((a, b) => a + b, 0))
      expect(await get([sum.remote(big), sum.remote(big), sum.remote(big)])).to.deep.equal([3e5, 3e5, 3e5])
      expect(await (await put(undefined)).get()).to.equal(undefined)
      expect((await rejection(put(big as never))).message).to.contain('already')
    })

    it('return large results, and take large arguments', async () => {
      const bytes = new Uint8Array(3_000_000).map((_, i) => i % 251)
      const back = (await identity.run(bytes)) as Uint8Array
      expect(Buffer.compare(back, bytes)).to.equal(0)
    })

    it('keep the order of the refs, and reject with the first error', async () => {
      expect(await get([add.remote(1, 0), await put('b'), add.remote(3, 0)])).to.deep.equal([1, 'b', 3])
      expect(await get([])).to.deep.equal([])
      const bad = remote((): number => {
        throw new TypeError('first')
      })
      expect((await rejection(get([add.remote(1, 0), bad.remote()]))).message).to.equal('first')
      expect(await rejection(get(5 as never))).to.be.instanceOf(TypeError)
      expect((await rejection(get([5 as never]))).message).to.contain('element 0')
    })

    it('end a get by its timeout or its signal, while the task goes on', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'late-'))
      const path = join(folder, 'go')
      const ref = remote(async (file: string) => {
        const { existsSync: isThere } = await import('node:fs')
        while (!isThere(file)) await new Promise((resolve) => setTimeout(resolve, 5))
        return 'late'
      }).remote(path)
      expect(await rejection(ref.get({ timeout: 5 }))).to.have.property('code', 'ERR_OUTPOOL_GET_TIMEOUT')
      expect(await rejection(get([ref], { timeout: 5 }))).to.have.property('code', 'ERR_OUTPOOL_GET_TIMEOUT')
      const stop = new AbortController()
      const reason = new Error('enough')
      setTimeout(() => stop.abort(reason), 5)
      expect(await rejection(ref.get({ signal: stop.signal }))).to.equal(reason)
      writeFileSync(path, '')
      expect(await ref.get({ timeout: 60_000 })).to.equal('late')
      rmSync(folder, { recursive: true })
    })

    it('take what has come while the program was busy itself, though the time is over', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'busy-'))
      const answering = remote(async (started: string, go: string) => {
        const { existsSync: isThere, writeFileSync: write } = await import('node:fs')
        write(started, '')
        while (!isThere(go));
        return 'here'
      })
      const asking = [
        (ref: ObjectRef<string>) => ref.get({ timeout: 100 }),
        (ref: ObjectRef<string>) => get([ref], { timeout: 100 }),
        async (ref: ObjectRef<string>) => (await wait([ref], { timeout: 100 }))[0],
      ]
      for (const [i, ask] of asking.entries()) {
        const [started, go] = [join(folder, `started-${i}`), join(folder, `go-${i}`)]
        const ref = answering.remote(started, go)
        while (!existsSync(started)) await new Promise((resolve) => setTimeout(resolve, 5))
        const answer = ask(ref)
        writeFileSync(go, '')
        const endsAt = performance.now() + 900
        while (performance.now() < endsAt);
        expect(await answer).to.deep.equal(['here', ['here'], [ref]][i])
      }
      rmSync(folder, { recursive: true })
    })

    it('take a timeout of any length, and none that is no number', async () => {
      const ref = sleepy.remote(50, 'late')
      const long = { timeout: 2 ** 40 }
      expect(await Promise.all([ref.get(long), get([ref], long), wait([ref], long)])).to.deep.equal([
        ...['late', ['late'], [[ref], []]],
      ])
      const slow = sleepy.remote(60_000, 'slow')
      for (const timeout of [NaN, -1, 'soon', '50', null, true, []] as number[]) {
        const calls: [string, () => Promise<unknown>][] = [
          ['get', () => slow.get({ timeout })],
          ['get', () => get([slow], { timeout })],
          ['wait', () => wait([slow], { timeout })],
        ]
        for (const [caller, call] of calls) {
          const error = await rejection(call())
          expect(error, `${caller} ${String(timeout)}`).to.be.instanceOf(RangeError)
          expect(error.message).to.match(new RegExp(`^${caller}: timeout must be a number of milliseconds, not `))
        }
      }
      cancel(slow, { force: true })
    })

    it('leave no timer behind by a get of what is ready', async () => {
      const ref = await put(1)
      const timers = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length
      const before = timers()
      for (let i = 0; i < 10; i++) await ref.get({ timeout: 3_600_000 })
      expect(timers()).to.be.at.most(before)
    })

    it('wait for as many as asked, in the order of the refs', async () => {
      const [slow, quick, quicker] = [sleepy.remote(60_000, 'slow'), add.remote(1, 1), await put(0)]
      const [ready, rest] = await wait([slow, quick, quicker] as ObjectRef[], { count: 2 })
      expect(ready).to.deep.equal([quick, quicker])
      expect(rest).to.deep.equal([slow])
      cancel(slow, { force: true })
    })

    it('wait no longer than told, and count a failure as ready', async () => {
      const slow = sleepy.remote(60_000, 'slow')
      expect(await wait([slow], { timeout: 10 })).to.deep.equal([[], [slow]])
      const bad = remote((): number => {
        throw new Error('counts')
      }).remote()
      expect((await wait([bad]))[0]).to.deep.equal([bad])
      cancel(slow, { force: true })
      expect((await wait([slow]))[0]).to.deep.equal([slow])
    })

    it('refuse to wait for what cannot be, and keep nothing of it', async () => {
      const ref = await put(1)
      expect(await rejection(wait([ref], { count: 2 }))).to.be.instanceOf(RangeError)
      expect(await rejection(wait([]))).to.be.instanceOf(RangeError)
      expect((await rejection(wait([ref, 7 as never], { timeout: 60_000 }))).message).to.contain('element 1')
      expect(await rejection(wait([ref], { fetchLocal: 1 as never }))).to.be.instanceOf(TypeError)
      expect((await rejection(wait([ref], { counts: 1 } as never))).message).to.contain("'count'")
    })

    it('are done by tasks as well', async () => {
      const inside = remote(async (refs: ObjectRef<number>[]) => {
        const { wait: waitFor, put: store } = await import('outpool')
        const [ready] = await waitFor(refs, { count: 2 })
        return [ready.length, await (await store('x')).get()]
      })
      expect(await inside.run([add.remote(1, 1), add.remote(2, 2)])).to.deep.equal([2, 'x'])
    })
  })

  describe('context and explain', () => {
    it('say where the caller is', async () => {
      type Where = { kind: string; pid: number; node: string; job: string; task: Record<string, unknown> }
      const here = context()
      expect(here).to.include({ kind: 'driver', pid: process.pid, task: undefined })
      expect(here.process).to.equal(here.job)
      const ref = remote<() => Where>(tasks, 'whereAmI').options({ name: 'where' }).remote()
      const there = await ref.get()
      expect(there).to.include({ kind: 'worker', node: here.node, job: here.job })
      expect(there.pid).to.not.equal(here.pid)
      expect(there.task).to.deep.equal({ id: ref.id, name: 'where', attempt: 0 })
    })

    it('say how a function would travel, or why not', () => {
      const outside = 5
      const pending = Promise.resolve()
      expect(explain((n: number) => n)).to.include({ runs: 'worker', how: 'source' })
      expect(explain(() => outside)).to.include({ runs: 'worker', how: 'captures', verdict: 'ship' })
      expect(explain(() => pending)).to.include({ runs: 'caller', how: undefined, verdict: 'keep' })
      expect(explain(() => pending).reasons.join()).to.contain('pending: a Promise')
      expect(explain(add)).to.include({ runs: 'worker' })
      expect(() => explain(5 as never)).to.throw(TypeError)
    })

    it('tell the state of a ref, and where tasks ran', async () => {
      const ref = sleepy.remote(30, 1)
      expect(explain(ref)).to.deep.equal({ id: ref.id, state: 'pending', story: [] })
      await ref.get()
      expect(explain(ref).state).to.equal('ready')
      const { kind, node, tasksByNode } = explain()
      expect(kind).to.equal('driver')
      expect(tasksByNode[node]).to.be.greaterThan(0)
    })
  })
})

describe('an owner', () => {
  usePlainWorkers()
  it('has empty tables once everything was read and let go, and told nobody of a failure that was read', async () => {
    await init({ numCpus: 2 })
    const complaints: unknown[] = []
    const { error: toStderr } = console
    console.error = (text: unknown): void => void complaints.push(text)
    const disposes = remote(async ({ ref }: { ref: ObjectRef<number> }) => {
      const value = await ref.get()
      // A worker that has nothing to do does not collect its garbage.
      ref[Symbol.dispose]()
      return value
    })
    const use = async (): Promise<void> => {
      const chain = add.remote(add.remote(1, 2), await put(3))
      const big = await put(new Uint8Array(1_000_000))
      const many = remote((bytes: Uint8Array) => [bytes.length, 'x']).options({ numReturns: 2 })
      const failing = remote((): number => {
        throw new Error('read')
      })
      const cancelled = sleepy.remote(60_000, 1)
      cancel(cancelled, { force: true })
      expect(await get([chain, ...many.remoteMany(big)])).to.deep.equal([6, 1_000_000, 'x'])
      expect(await disposes.run({ ref: add.remote(2, 2) })).to.equal(4)
      expect((await rejection(failing.options({ numReturns: 3 }).remote().get())).message).to.equal('read')
      await Promise.all(Array.from({ length: 1_000 }, (_, i) => add.run(i, i)))
    }
    await use()
    let left: [string, number][] = []
    const deadlineMs = performance.now() + 20_000
    do {
      ;(globalThis as { gc?: () => void }).gc?.()
      await new Promise((resolve) => setTimeout(resolve, 50))
      left = Object.entries(explain().tables).filter(([, size]) => size > 0)
    } while (left.length > 0 && performance.now() < deadlineMs)
    console.error = toStderr
    await shutdown()
    expect([left, complaints]).to.deep.equal([[], []])
  })

  it('tells once of a failure that nobody read', async () => {
    await init({ numCpus: 1 })
    const complaints: unknown[] = []
    const { error: toStderr } = console
    console.error = (text: unknown): void => void complaints.push(text)
    const failing = remote((): number => {
      throw new Error('unread')
    })
    const drop = (): void => void failing.options({ numReturns: 3 }).remote()
    drop()
    await add.run(1, 2)
    const deadlineMs = performance.now() + 20_000
    while (explain().tables['numbers'] !== 0 && performance.now() < deadlineMs) {
      ;(globalThis as { gc?: () => void }).gc?.()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    console.error = toStderr
    await shutdown()
    expect(complaints).to.have.length(1)
    expect(complaints[0]).to.match(/nobody read.*unread/)
  })

  it('tells at its end of failures whose refs are still there, and of none that was asked for or passed on', async () => {
    const program = `
      import { cancel, get, remote, wait } from ${JSON.stringify(new URL('../../dist/lib/index.js', import.meta.url).href)}
      const fail = remote(function fail(text) { throw new Error(text) })
      const slow = remote((text) => new Promise((_, reject) => setTimeout(reject, 50, new Error(text))))
      const box = remote(() => new Promise((resolve) => setTimeout(resolve, 10)))
      const never = remote(() => new Promise(() => {}))
      globalThis.refs = [fail.remote('never asked for'), fail.options({ numReturns: 2 }).remoteMany('nor that')]
      await wait([fail.remote('waited for')])
      await fail.run('run').catch(() => {})
      await get([fail.remote('first'), slow.remote('one behind the first')]).catch(() => {})
      await slow.remote('not in time').get({ timeout: 1 }).catch(() => {})
      await box.run({ inside: [slow.remote('passed on')] })
      cancel(globalThis.cancelled = never.remote())
      const ahead = remote(function* () { yield 1; yield 2; throw new Error('ahead of who reads') })
      const [read, left] = [ahead.remote(), ahead.run()]
      globalThis.kept = [read, await read.next(), left, await left.next()]
      await new Promise((resolve) => setTimeout(resolve, 500))
      await left.return()
      if (process.argv[1] === 'exit') process.exit()`
    for (const how of ['', 'exit']) {
      const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program, how], { encoding: 'utf8' })
      const told = withoutStoreLine(stderr)
      expect(told, how).to.match(
        /^outpool: 2 tasks failed and nobody asked for their results \(.*\); the first: Error: never asked for\n/,
      )
      expect(told.match(/outpool:|Error:/g), told).to.have.length(2)
    }
  })
})

describe('a driver with narrow limits', () => {
  usePlainWorkers()
  before(() => init({ numCpus: 1, maxQueuedTasks: 20, maxQueuedBytes: 100_000 }))
  after(() => shutdown())

  it('refuses what is too much, and takes more when it has drained', async () => {
    const refs: ObjectRef[] = []
    const fill = (): void => {
      for (;;) refs.push(sleepy.remote(1, refs.length))
    }
    expect(fill).to.throw(Error).with.property('code', 'ERR_OUTPOOL_BACK_PRESSURE')
    expect(refs).to.have.length(20)
    await drained()
    expect(explain().queued).to.be.lessThan(10)
    refs.push(sleepy.remote(1, 20))
    expect(await get(refs)).to.deep.equal(Array.from({ length: 21 }, (_, i) => i))
    await drained()
  })

  it('counts the bytes of arguments, too', async () => {
    const refs: ObjectRef[] = []
    const fill = (): void => {
      for (;;) refs.push(sleepy.remote(1, Buffer.alloc(30_000)))
    }
    expect(fill).to.throw(Error, /bytes/).with.property('code', 'ERR_OUTPOOL_BACK_PRESSURE')
    expect(refs).to.have.length(4)
    await get(refs)
    const error = await rejection(Promise.all(Array.from({ length: 30 }, (_, i) => sleepy.run(1, i))))
    expect((error as BackPressureError).details).to.include({ tasks: 20 })
  })
})

describe('a driver', () => {
  usePlainWorkers()
  it('refuses calls after shutdown, and starts again by init', async () => {
    await init({ numCpus: 1 })
    expect(await rejection(init({ numCpus: 1 }))).to.have.property('code', 'ERR_OUTPOOL_NOT_INITIALIZED')
    expect(await init()).to.include({ local: true, process: context().process })
    expect(await add.run(1, 1)).to.equal(2)
    const waiting = rejection(sleepy.run(60_000, 1))
    await shutdown()
    expect((await waiting).message).to.contain('shut down')
    expect(context()).to.include({ kind: 'none', node: '' })
    expect(() => add.remote(1, 2))
      .to.throw(Error)
      .with.property('code', 'ERR_OUTPOOL_NOT_INITIALIZED')
    await shutdown()
    await init({ numCpus: 1 })
    expect(await add.run(1, 1)).to.equal(2)
    await shutdown()
  })

  it('runs tasks that wait for each other far deeper than it may have workers', async () => {
    await init({ numCpus: 1 })
    expect(await remote<(n: number) => Promise<number>>(tasks, 'depth').run(7)).to.equal(7)
    await shutdown()
  })
})

describe('shutdown', () => {
  it('ends when nothing is left, for who calls it a second time meanwhile, too', async () => {
    await init({ numCpus: 1 })
    const worker = await remote(() => process.pid).run()
    const first = shutdown()
    await shutdown()
    expect(() => process.kill(worker, 0)).to.throw('ESRCH')
    await first
  })
})
