import { expect } from 'chai'
import { cancel, explain, init, type ObjectRef, remote, shutdown, type TaskOptions } from 'outpool'
import { collectGarbage } from '../../runtime/base/garbage.ts'
import { Trace, usePlainWorkers } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { rejection } from '../tools/rejection.ts'

const module = new URL('fixtures/generators.mjs', import.meta.url)
const streaming: TaskOptions = { numReturns: 'streaming' }
type Made = number | Float64Array
const endless = remote<(folder: string) => Generator<number>>(module, 'endless', streaming)
const mortal = remote<(count: number, dieAt: number) => AsyncGenerator<Made, number>>(module, 'mortal', streaming)
const shrinking = remote<() => AsyncGenerator<number>>(module, 'shrinking', streaming)
const failing = remote<() => AsyncGenerator<string>>(module, 'failing', streaming)
const refs = remote<(count: number) => AsyncGenerator<{ ref: ObjectRef<string> }>>(module, 'refs', streaming)
const upTo = remote(function* (count: number) {
  for (let i = 0; i < count; i++) yield i
  return 'end'
})
const double = remote((n: number) => n * 2)

/** All that comes, and how it ends. */
async function all<T, R>(items: AsyncIterator<T, R>): Promise<{ values: T[]; returned?: R; error?: Error }> {
  const values: T[] = []
  for (;;) {
    let step: IteratorResult<T, R>
    try {
      step = await items.next()
    } catch (error) {
      return { values, error: error as Error }
    }
    if (step.done === true) return { values, returned: step.value }
    values.push(step.value)
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

describe('generators', () => {
  usePlainWorkers()
  let trace: Trace
  before(async () => {
    // With one CPU, so that whoever keeps it although he waits is found out.
    await init({ numCpus: 1 })
  })
  beforeEach(() => (trace = new Trace()))
  afterEach(async () => {
    trace.remove()
    // What was taken and dropped goes with the garbage; whatever else is left is a leak.
    await eventually(() => {
      collectGarbage()
      const { leases: _, ...tables } = explain().tables
      return Object.values(tables).every((size) => size === 0) || undefined
    })
  })
  after(async () => {
    await shutdown()
  })

  it('give their items one by one, as refs or as values, and then what they return', async () => {
    const items = await all(upTo.remote(200))
    expect(await Promise.all(items.values.map((ref) => ref.get()))).to.deep.equal(range(200))
    expect(items.returned).to.equal('end')
    expect(await all(upTo.run(200))).to.deep.equal({ values: range(200), returned: 'end' })
    expect(await all(upTo.run(0))).to.deep.equal({ values: [], returned: 'end' })
  })

  it('are asynchronous ones as well, with captured variables, refs as arguments and what they await', async () => {
    const step = 3
    const steps = remote(async function* (count: number) {
      for (let i = 0; i < count; i++) yield Promise.resolve(i * step)
    })
    expect((await all(steps.run(double.remote(2)))).values).to.deep.equal([0, 3, 6, 9])
  })

  it('give items in the order in which they were asked for, without waiting for one another', async () => {
    const items = upTo.run(3)
    const steps = await Promise.all([items.next(), items.next(), items.next(), items.next(), items.next()])
    expect(steps.map(({ value }) => value)).to.deep.equal([0, 1, 2, 'end', undefined])
  })

  it('pause when their consumer is behind, end with it, and run their finally blocks', async () => {
    for await (const value of endless.run(trace.folder)) if (value === 2) break
    const made = await eventually(() => trace.lines().find((line) => line.startsWith('made')))
    expect(Number(made.slice('made '.length))).to.be.at.most(64 + 32)
  })

  it('lend their CPU while they are paused: their consumer may need it', async () => {
    let sum = 0
    for await (const ref of upTo.remote(150)) sum += await double.run(ref)
    expect(sum).to.equal(150 * 149)
  })

  it('end with an error after the items that came before it', async () => {
    const { values, error } = await all(failing.run())
    expect(values).to.deep.equal(['a', 'b'])
    expect(error).to.be.instanceOf(RangeError).with.property('message', 'in the middle')
  })

  it('are run again after an error where that is asked for, and give nothing twice', async () => {
    expect((await all(failing.options({ retryExceptions: true }).run())).values).to.deep.equal(['a', 'b', 'c'])
  })

  it('are run again when their worker dies, and give nothing twice: large items neither', async () => {
    for (const dieAt of [0, 1, 100]) {
      const { values, returned } = await all(mortal.run(150, dieAt))
      expect(values.map((value) => (typeof value === 'number' ? value : value[29_999]))).to.deep.equal(range(150))
      expect(returned).to.equal(1)
    }
  })

  it('end with their worker where they must not run again, after what was delivered', async () => {
    const { values, error } = await all(mortal.options({ maxRetries: 0 }).run(150, 40))
    expect(values.length).to.be.at.most(40)
    expect(error).to.have.property('code', 'ERR_OUTPOOL_WORKER_CRASHED')
  })

  it('are refused by name when they make fewer items the next time', async () => {
    const { values, error } = await all(shrinking.run())
    expect(values).to.deep.equal(range(5))
    expect(error?.message).to.contain('ended after 2 items, and 5 had been delivered')
  })

  it('may yield refs, which live on their own', async () => {
    const { values } = await all(refs.run(70))
    expect(await Promise.all(values.map(({ ref }) => ref.get()))).to.deep.equal(range(70).map((i) => `item ${i}`))
  })

  it('may be consumed by a task', async () => {
    expect(await remote<(count: number) => number>(module, 'sumOf').run(300)).to.equal((300 * 299) / 2)
  })

  it('are cancelled by cancel, by their signal, and when their time is over', async () => {
    const cancelled = endless.remote(trace.folder)
    await cancelled.next()
    expect(cancel(cancelled)).to.equal(true)
    expect(cancel(cancelled)).to.equal(false)
    expect((await all(cancelled)).error).to.have.property('code', 'ERR_OUTPOOL_TASK_CANCELLED')
    const controller = new AbortController()
    const aborted = endless.options({ signal: controller.signal }).run(trace.folder)
    await aborted.next()
    controller.abort()
    expect((await all(aborted)).error).to.have.property('code', 'ERR_OUTPOOL_TASK_CANCELLED')
    expect((await all(endless.options({ timeout: 100 }).run(trace.folder))).error).to.have.property(
      'code',
      'ERR_OUTPOOL_TASK_TIMEOUT',
    )
  })

  it('are cancelled by who drops them unread', async () => {
    await (async () => void (await endless.remote(trace.folder).next()))()
    await trace.has('started')
    await eventually(() => {
      collectGarbage()
      return trace.lines().some((line) => line.startsWith('made')) || undefined
    })
  })

  it('say what is wrong with a function that is none, and with options and values that do not go with one', async () => {
    const none = remote<() => Generator<number>>(module, 'noIterable', streaming)
    expect((await rejection(none.run().next())).message).to.contain('must return a generator')
    expect(() => remote(function* () {}, { numReturns: 2 })).to.throw(TypeError, 'a generator has no numReturns')
    const unsendable = remote(function* () {
      yield 1
      yield setTimeout(() => {}, 0)
    })
    const { values, error } = await all(unsendable.run())
    expect(values).to.deep.equal([1])
    expect(error).to.have.property('code', 'ERR_OUTPOOL_SERIALIZATION')
    const plain = remote(module, 'upTo')
    expect((await rejection(plain.run(3))).message).to.contain("numReturns: 'streaming'")
    for (const items of [upTo.remote(1), upTo.run(1)])
      expect((await rejection(double.run(items as never))).message).to.match(
        /^args\[0\]: (ObjectRef|Value)Generator gives its items in this process alone; pass refs that it gave/,
      )
    expect((await rejection(double.run((function* () {})() as never))).message).to.contain(
      'call the generator function',
    )
    // The encoder keeps what it refused until it is used again.
    expect(await double.run(1)).to.equal(2)
  })
})
