/** The suite on the shim, over both majors, on this machine and on three nodes; then where its tasks ran, and why. */
import { expect } from 'chai'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { QueueReport } from '../../../compat/p-queue/index.ts'
import { usePlainWorkers } from '../../cluster/support.ts'
import { root } from '../../tools/tree.ts'
import { Gate, held } from '../gate.ts'
import { expectElsewhere, joinPlace, places } from '../built-cluster.ts'
import { runProgram } from '../shim-programs.ts'
import { rejection } from '../../tools/rejection.ts'
import { expectedOf, heardOf } from './events.ts'
import type { PQueueModule } from './subject.ts'
import { conformanceSuite } from './suite.ts'

const overTen = async (): Promise<PQueueModule> => {
  const built = pathToFileURL(join(root, 'dist/compat/p-queue/shim.js')).href
  const shim = (await import(built)) as { shimOver(file: string): PQueueModule }
  return shim.shimOver(createRequire(import.meta.url).resolve('p-queue-10'))
}
const overNine = (): Promise<PQueueModule> => import('outpool/p-queue')

/** Tests whose tasks are the caller's, or that run nothing. */
const here: readonly string[] = [
  'runs what changes what it captured, or reaches out, in the caller, and says why',
  'has the exports of the original',
  'lets a task change what it captured',
  'emits its events in their order for tasks that throw at once',
  'emits its events in their order for tasks that reject later',
  'emits its events in their order for tasks that resolve at once',
  'emits its events in their order for tasks that return a plain value',
  'runs as many at a time as its concurrency says, which may change',
  'runs by priority, which may change while a task waits',
  'tells when it is empty, small, idle',
  'forgets what waits at clear',
  'rejects a task that takes too long, by its timeout or that of the queue',
  'starts no more than intervalCap tasks in an interval',
  'starts no more than intervalCap tasks in any stretch of an interval, with strict',
  'counts what still runs in the next interval, with carryoverIntervalCount',
  'tells that it is limited by its rate, and when it is so no more',
  'takes a queue class of the user',
  'lists the tasks that run',
  "refuses what the original refuses, in the original's words",
]

for (const place of places) {
  describe(`p-queue ${place.name}`, () => {
    let leave: () => Promise<void>
    let Queue: (typeof import('outpool/p-queue'))['default']
    let explain: (target: object) => QueueReport
    usePlainWorkers()
    expectElsewhere(place, here)

    before(async () => {
      leave = await joinPlace(place)
      Queue = (await import('outpool/p-queue')).default
      const outpool = await import('outpool')
      explain = (target) => outpool.explain(target) as QueueReport
    })
    after(() => leave())

    conformanceSuite({ name: 'the shim over 9', major: 9, load: overNine })
    conformanceSuite({ name: 'the shim over 10', major: 10, load: overTen })

    it('runs what only computes on workers, of every node', async () => {
      const { explain: explainProcess } = await import('outpool')
      const before = explainProcess().tasksByNode
      const queue = new Queue()
      const spin = (): number => {
        const end = Date.now() + 20
        while (Date.now() < end);
        return end
      }
      let wanted = place.nodes
      do {
        await queue.addAll(Array.from({ length: 12 }, () => spin))
        const after = explainProcess().tasksByNode
        wanted = place.nodes - Object.keys(after).filter((node) => after[node] !== (before[node] ?? 0)).length
      } while (wanted > 0)
      const report = explain(queue)
      expect(report.kind).to.equal('p-queue')
      expect(report.caller).to.equal(0)
      expect(report.worker % 12).to.equal(0)
      expect(report.functions).to.deep.equal([{ name: 'spin', worker: report.worker, caller: 0, reasons: [] }])
    })

    it('runs on workers what captures data that it leaves as it is, and functions that only compute', async () => {
      const queue = new Queue()
      const rates = { base: 3, extra: [1, 2] }
      const total = (n: number): number => rates.extra.reduce((sum, rate) => sum + rate, rates.base) * n
      class Point {
        readonly x: number
        constructor(x: number) {
          this.x = x
        }
      }
      expect(await queue.addAll([1, 2, 3].map((n) => () => total(n)))).to.deep.equal([6, 12, 18])
      const point = await queue.add(() => new Point(rates.base))
      expect(point).to.be.instanceOf(Point)
      expect(point.x).to.equal(3)
      expect([explain(queue).worker, explain(queue).caller]).to.deep.equal([4, 0])
    })

    it('runs what changes what it captured, or reaches out, in the caller, and says why', async () => {
      const queue = new Queue()
      let count = 0
      await queue.add(() => count++)
      await queue.add(() => process.pid)
      await queue.add(() => new Promise((resolve) => setTimeout(resolve, 1)))
      const report = explain(queue)
      expect([report.worker, report.caller]).to.deep.equal([0, 3])
      expect(count).to.equal(1)
      expect(report.functions[0]?.reasons[0]).to.match(/count/)
      expect(report.functions[1]?.reasons[0]).to.match(/process/)
      expect(report.functions[2]?.reasons[0]).to.match(/setTimeout/)
    })

    it('tells of a task that throws at once on a worker when it is active, as of one that rejects later', async () => {
      const throwing = (): never => {
        throw new Error('at once')
      }
      const queue = new Queue({ concurrency: 1 })
      const heard = await heardOf(queue, throwing)
      expect(heard).to.equal(expectedOf('reject later', { major: 9, concurrency: 1, start: 'running' }))
      expect([explain(queue).worker, explain(queue).caller]).to.deep.equal([3, 0])
    })

    it('runs a task where its placement says, or that of the queue', async () => {
      const queue = new Queue({ placement: 'caller' })
      await queue.add(() => 1)
      const pid = await queue.add(() => process.pid, { placement: 'worker' })
      expect(pid).to.not.equal(process.pid)
      expect([explain(queue).worker, explain(queue).caller]).to.deep.equal([1, 1])
      const worker = new Queue({ placement: 'worker' })
      expect(await worker.add(() => process.pid)).to.not.equal(process.pid)
      expect(await worker.add(() => process.pid, { placement: 'caller' })).to.equal(process.pid)
      expect(() => new Queue({ placement: 'elsewhere' as never })).to.throw(TypeError, 'placement')
    })

    it('lets the signal reach a task on a worker, where it is another object with the same meaning', async () => {
      const queue = new Queue()
      const controller = new AbortController()
      const task = ({ signal }: { signal?: AbortSignal | undefined }): Promise<string> =>
        new Promise((resolve) => signal?.addEventListener('abort', () => resolve('heard')))
      const running = queue.add(task, { signal: controller.signal, placement: 'worker' })
      // It may be anywhere between here and its listener.
      setTimeout(() => controller.abort(new Error('enough')), 100)
      expect((await rejection(running)).message).to.equal('enough')
      expect(await queue.add(() => 'whole', { placement: 'worker' })).to.equal('whole')
    })

    it('keeps priorities, limits, timeouts and the list of what waits, where its tasks run on workers', async () => {
      const queue = new Queue({ concurrency: 1, autoStart: false, placement: 'worker' })
      const order: string[] = []
      const add = (name: string, priority: number): Promise<unknown> =>
        queue.add(() => 1, { priority, id: name }).then(() => order.push(name))
      const all = [add('low', 0), add('middle', 1), add('high', 2), add('last', 0)]
      queue.setPriority('last', -1)
      queue.start()
      expect([queue.size, queue.pending, queue.isSaturated]).to.deep.equal([3, 1, true])
      await Promise.all(all)
      expect(order).to.deep.equal(['high', 'middle', 'low', 'last'])
      using gate = new Gate()
      const [work, file] = [held, gate.file]
      const slow = (): Promise<unknown> => work(file)
      const late = await rejection(queue.add(slow, { timeout: 50 }))
      expect(late.name).to.equal('TimeoutError')
      const running = queue.add(slow, { id: 'slow', priority: 4 })
      const waiting = queue.add(() => 2)
      waiting.catch(() => undefined)
      expect(queue.runningTasks.map(({ id, priority }) => [id, priority])).to.deep.equal([['slow', 4]])
      queue.clear()
      expect(queue.size).to.equal(0)
      gate.open()
      await running
      await queue.onIdle()
      const limited = new Queue({ intervalCap: 1, interval: 50, placement: 'worker' })
      const both = limited.addAll([() => 1, () => 2])
      await limited.onRateLimit()
      await limited.onRateLimitCleared()
      expect(await both).to.deep.equal([1, 2])
      expect([explain(queue).worker, explain(queue).caller]).to.deep.equal([6, 0])
      expect([explain(limited).worker, explain(limited).caller]).to.deep.equal([2, 0])
    })

    it('keeps what takes less than sending it in the caller, as soon as it is sure', async () => {
      const queue = new Queue({ concurrency: 10 })
      const one = (): number => 1
      do await queue.addAll(Array.from({ length: 50 }, () => one))
      while (explain(queue).caller === 0)
      expect(explain(queue).worker).to.be.at.least(100)
      expect(explain(queue).functions[0]?.reasons[0]).to.match(/less than sending it/)
    })

    it('runs in the caller what cannot come back from a worker, and remembers that', async () => {
      const queue = new Queue()
      const make = (): unknown => new WeakMap()
      expect(await queue.add(make)).to.be.instanceOf(WeakMap)
      expect(await queue.add(make)).to.be.instanceOf(WeakMap)
      expect([explain(queue).worker, explain(queue).caller]).to.deep.equal([0, 2])
    })

    it('runs in the caller what throws what cannot come back as it is, and remembers that', async () => {
      class Refused extends Error {
        readonly #secret: number = 7
        tell(): number {
          return this.#secret
        }
      }
      const within = (): never => {
        throw new Error('outer', { cause: new Refused('inner') })
      }
      const symbol = (): never => {
        // oxlint-disable-next-line only-throw-error -- whatever is thrown arrives
        throw Symbol('thrown')
      }
      const holding = (): never => {
        throw Object.assign(new RangeError('holding'), { fn: (): number => 5 })
      }
      const taking = ({ signal }: { readonly signal?: AbortSignal | undefined }): never => {
        throw Object.assign(new Error('taking'), { weak: new WeakMap(), isAborted: signal?.aborted })
      }
      const queue = new Queue()
      for (let i = 1; i <= 2; i++) {
        const error = await rejection(queue.add(within))
        expect((error.cause as Refused).tell()).to.equal(7)
        expect(await queue.add(symbol).catch(String)).to.equal('Symbol(thrown)')
        expect(await rejection(queue.add(holding)))
          .to.be.instanceOf(RangeError)
          .and.have.property('fn')
          .that.is.a('function')
        expect(await rejection(queue.add(taking)))
          .to.have.property('weak')
          .that.is.instanceOf(WeakMap)
        expect([explain(queue).worker, explain(queue).caller]).to.deep.equal([0, 4 * i])
      }
    })
  })
}

describe('outpool/p-queue', () => {
  const main = `
    import { TimeoutError } from 'p-queue'
    import PQueue, { TimeoutError as Shimmed } from 'outpool/p-queue'
    import { shutdown } from 'outpool'
    const queue = new PQueue()
    console.log(queue instanceof EventTarget, TimeoutError === Shimmed, await queue.add(() => 6 * 7))
    await shutdown()`

  it('extends the p-queue that the program has, and not one of its own', async () => {
    const ten = await runProgram({
      packages: { 'p-queue': 'p-queue-10' },
      files: { 'main.mjs': main },
      main: 'main.mjs',
    })
    expect(ten).to.deep.equal({ stdout: 'true true 42\n', stderr: '', code: 0 })
    const nine = await runProgram({ packages: { 'p-queue': 'p-queue' }, files: { 'main.mjs': main }, main: 'main.mjs' })
    expect(nine).to.deep.equal({ stdout: 'false true 42\n', stderr: '', code: 0 })
  })

  it('ends by itself where a task of it never settles, as with the original', async () => {
    const program = (name: string): string => `
      import PQueue from '${name}'
      const queue = new PQueue()
      const heard = []
      const tell = (error) => heard.push(error.message.slice(0, 14))
      queue.add(() => new Promise(() => {}), { timeout: 20 }).catch(tell)
      queue.add(async () => { await new Promise(function () {}) })
      const controller = new AbortController()
      const listens = ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('of the task'))))
      queue.add(listens, { signal: controller.signal }).catch(tell)
      setTimeout(() => controller.abort(new Error('of the signal')), 50)
      process.on('exit', (code) => console.log(code, heard.join()))`
    for (const name of ['p-queue', 'outpool/p-queue']) {
      const result = await runProgram({
        packages: { 'p-queue': 'p-queue' },
        files: { 'main.mjs': program(name) },
        main: 'main.mjs',
      })
      expect(result).to.deep.equal({ stdout: '0 Task timed out,of the task\n', stderr: '', code: 0 })
    }
  })

  it('says what to do on a Node that does not load ES modules by require', async () => {
    const packages = { 'p-queue': 'p-queue' }
    const node = ['--no-experimental-require-module']
    for (const register of [[], ['--import', 'outpool/register']]) {
      const files = {
        'main.mjs': main.replaceAll('outpool/p-queue', register.length > 0 ? 'p-queue' : 'outpool/p-queue'),
      }
      const { code, stderr } = await runProgram({ packages, files, main: 'main.mjs', node: [...node, ...register] })
      expect(code).to.equal(1)
      expect(stderr).to.include('by `require`').and.include('NODE_OPTIONS=--experimental-require-module')
    }
  })
})
