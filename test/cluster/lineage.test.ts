import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import {
  cancel,
  explain,
  get,
  init,
  type ObjectReconstructionFailedError,
  type ObjectRef,
  put,
  remote,
  shutdown,
} from 'outpool'
import { currentRuntime } from '../../runtime/owner/current.ts'
import { run } from './command.ts'
import { eventually } from '../tools/eventually.ts'
import { rejection } from '../tools/rejection.ts'

const length = 20_000

/** Writes down that it ran, and makes a large value of it. */
function made(file: string, id: string, ...from: readonly (Float64Array | number)[]): Float64Array {
  appendFileSync(file, `${id}\n`)
  const sum = from.reduce<number>((total, value) => total + (typeof value === 'number' ? value : (value[0] ?? 0)), 0)
  return new Float64Array(20_000).fill(sum + 1)
}

/** The only copy of a value is gone, as with the node that had it. */
async function lose(...refs: readonly ObjectRef[]): Promise<void> {
  for (const ref of refs) await currentRuntime()?.owner.host.store.delete(ref.id)
}

/** Frees the maps of values that were read, which keep what is deleted alive for their process. */
async function first(ref: ObjectRef<Float64Array>): Promise<number> {
  const value = await ref.get()
  expect(value).to.have.length(length)
  return value[0] as number
}

async function failure(ref: ObjectRef): Promise<ObjectReconstructionFailedError> {
  const error = await rejection(ref.get())
  expect(error).to.have.property('name', 'ObjectReconstructionFailedError')
  return error as ObjectReconstructionFailedError
}

describe('a large result whose last copy is gone', () => {
  let folder: string
  let file: string
  const begin = (options: object = {}): Promise<unknown> => init({ numCpus: 2, memory: '1GiB', ...options })
  const runs = (): string[] => readFileSync(file, 'utf8').trimEnd().split('\n')
  const make = remote(made)

  before(() => begin())
  after(() => shutdown())
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lineage-'))
    file = join(folder, 'runs')
    appendFileSync(file, '')
  })
  afterEach(async () => {
    // What tests dropped goes with the collector.
    await eventually(() => {
      globalThis.gc?.()
      const { lineage, recoveries, numbers } = explain().tables
      return (lineage === 0 && recoveries === 0 && numbers === 0) || undefined
    })
    rmSync(folder, { recursive: true, force: true })
  })

  it('is made again by its task, once for everybody who asks', async () => {
    const before = explain()
    using ref = make.remote(file, 'a', 1)
    await ref.get()
    await lose(ref)
    expect(await Promise.all([first(ref), first(ref), make.run(file, 'b', ref)])).to.have.deep.members([
      2,
      2,
      new Float64Array(length).fill(3),
    ])
    expect(runs().toSorted()).to.deep.equal(['a', 'a', 'b'])
    expect([explain().rebuilt - before.rebuilt, explain().retried - before.retried]).to.deep.equal([1, 0])
  })

  it('is made again from results that its program has dropped, which are freed once more after that', async () => {
    let ref = make.remote(file, '0', 0)
    for (let i = 1; i < 50; i++) {
      const before = ref
      ref = make.remote(file, String(i), before)
      before[Symbol.dispose]()
    }
    using last = ref
    expect(await first(last)).to.equal(50)
    await lose(last)
    expect(await first(last)).to.equal(50)
    expect(runs()).to.have.length(100)
    expect(explain().tables).to.include({ lineage: 50, numbers: 50, attachments: 0, pins: 0 })
  })

  it('is made again where only one of several results of its task is lost, and the others stay as they were', async () => {
    const pair = remote(() => [new Float64Array(20_000).fill(1), new Float64Array(20_000).fill(process.pid), 3], {
      numReturns: 3,
    })
    const refs = pair.remoteMany() as readonly ObjectRef<Float64Array>[]
    const [one, two] = refs as [ObjectRef<Float64Array>, ObjectRef<Float64Array>]
    const pid = await first(two)
    await lose(one)
    expect(await first(one)).to.equal(1)
    expect(await first(two)).to.equal(pid)
    for (const ref of refs) ref[Symbol.dispose]()
  })

  it('is made again for a task that has its ref inside a value, and asks its owner', async () => {
    using ref = make.remote(file, 'a', 4)
    await ref.get()
    const read = remote(async ({ inner }: { inner: ObjectRef<Float64Array> }) => (await inner.get())[0])
    await lose(ref)
    expect(await read.run({ inner: ref })).to.equal(5)
    expect(runs()).to.deep.equal(['a', 'a'])
  })

  it('is made again by a nested task, whose owner is a worker', async () => {
    const outer = remote(async () => {
      const { remote: remoteIn } = await import('outpool')
      const inner = remoteIn((value: number) => new Float64Array(20_000).fill(value))
      const ref = inner.remote(6)
      await ref.get()
      type Runtime = { owner: { host: { store: { delete(key: string): Promise<void> } } } }
      const runtime = (globalThis as unknown as Record<symbol, Runtime>)[Symbol.for('outpool.process.1')]
      await runtime?.owner.host.store.delete(ref.id)
      return (await ref.get())[0]
    })
    expect(await outer.run()).to.equal(6)
  })

  it('is told in the story of its task: what was lost, how, and that it ran again for that', async () => {
    const events = join(folder, 'events')
    process.env['OUTPOOL_EVENTS'] = events
    await shutdown()
    try {
      await begin()
      using ref = make.remote(file, 'a', 1)
      await ref.get()
      await lose(ref)
      await ref.get()
      const { node } = explain()
      await shutdown()
      const { out, code } = await run(`why ${ref.id} --json --events ${events}`)
      expect(code).to.equal(0)
      const { steps } = JSON.parse(out) as { steps: { event: string; text: string }[] }
      const names = ['queued', 'pushed', 'finished', 'value lost', 'rebuilt', 'ready', 'pushed', 'finished']
      expect(steps.map(({ event }) => event)).to.deep.equal(names)
      expect(steps[3]?.text).to.include(ref.id).and.include(`node ${node} does not have it any more`)
      expect(steps[6]?.text).to.include('attempt 2')
    } finally {
      delete process.env['OUTPOOL_EVENTS']
      await begin()
    }
  })

  it('cannot be made again, by name and with a remedy, where its task must not run twice', async () => {
    using ref = make.options({ maxRetries: 0 }).remote(file, 'a', 1)
    await ref.get()
    await lose(ref)
    const error = await failure(ref)
    expect(error).to.include({ reason: 'retries disabled', code: 'ERR_OUTPOOL_OBJECT_RECONSTRUCTION_FAILED' })
    expect(error.message).to.include(ref.id).and.include('task made').and.include('set `maxRetries`')
    expect(runs()).to.deep.equal(['a'])
    // It stays so, and tasks that need it say the same.
    expect(await rejection(make.run(file, 'b', ref))).to.have.property('reason', 'retries disabled')
  })

  it('cannot be made again when it was made as often as `maxRetries` allows', async () => {
    using ref = make.options({ maxRetries: 2 }).remote(file, 'a', 1)
    for (let i = 0; i < 3; i++) {
      expect(await first(ref)).to.equal(2)
      await lose(ref)
    }
    const error = await failure(ref)
    expect(error.reason).to.equal('attempts exceeded')
    expect(error.message).to.include('maxRetries: 2')
    expect(runs()).to.have.length(3)
  })

  it('cannot be made again where it was put, and neither can what needs it', async () => {
    using ref = await put(new Float64Array(length).fill(1))
    using sum = make.remote(file, 'a', ref)
    await sum.get()
    await lose(ref, sum)
    const error = await failure(sum)
    expect(error.reason).to.equal('put')
    expect(error.message).to.include(ref.id).and.include('replicas')
    expect((await failure(ref)).reason).to.equal('put')
    expect(runs()).to.deep.equal(['a'])
  })

  it('cannot be made again where there was no room for what that takes', async () => {
    await shutdown()
    await begin({ maxLineageBytes: 1_000 })
    using ref = make.remote(file, 'x'.repeat(2_000), 1)
    await ref.get()
    await lose(ref)
    const error = await failure(ref)
    expect(error.reason).to.equal('lineage evicted')
    expect(error.message).to.include('room').and.include('fewer refs')
    ref[Symbol.dispose]()
    await shutdown()
    await begin()
  })

  it('is told with the error that its task ended with when it ran again', async () => {
    const once = remote((path: string) => {
      const { appendFileSync: append, readFileSync: read } = process.getBuiltinModule('node:fs')
      append(path, 'a\n')
      if (read(path, 'utf8') !== 'a\n') throw new RangeError('it was there already')
      return new Float64Array(20_000)
    })
    using ref = once.remote(file)
    await ref.get()
    await lose(ref)
    const error = await failure(ref)
    expect(error.reason).to.equal('task failed')
    expect(error.cause).to.be.an.instanceOf(RangeError).with.property('message', 'it was there already')
  })

  it('is told as cancelled, where its task was cancelled when it ran again', async () => {
    const slow = remote(async (path: string) => {
      const { appendFileSync: append, readFileSync: read } = process.getBuiltinModule('node:fs')
      append(path, 'a\n')
      if (read(path, 'utf8') !== 'a\n') await new Promise((resolve) => setTimeout(resolve, 60_000))
      return new Float64Array(20_000)
    })
    using ref = slow.remote(file)
    await ref.get()
    await lose(ref)
    const told = failure(ref)
    await eventually(() => runs().length === 2 || undefined)
    expect(cancel(ref, { force: true })).to.equal(true)
    expect((await told).reason).to.equal('cancelled')
  })

  it('is told as its owner being gone, where an argument of its task belonged to a worker that ended', async () => {
    const maker = remote(async () => {
      const { put: putIn } = await import('outpool')
      return { inner: await putIn(new Float64Array(20_000).fill(7)), pid: process.pid }
    })
    const { inner, pid } = await maker.run()
    using ref = make.remote(file, 'a', inner)
    expect(await first(ref)).to.equal(8)
    process.kill(pid, 'SIGKILL')
    await lose(ref)
    await eventually(async () => {
      const [outcome] = await Promise.allSettled([inner.get()])
      return (outcome.status === 'rejected' && (outcome.reason as Error).name === 'OwnerDiedError') || undefined
    })
    const error = await failure(ref)
    expect(error.reason).to.equal('owner died')
    inner[Symbol.dispose]()
  })

  it('goes with everything that was kept for it when nobody refers to it any more', async () => {
    const refs = Array.from({ length: 20 }, (_, i) => make.remote(file, String(i), i))
    const sums = refs.map((ref, i) => make.remote(file, `sum ${i}`, ref, refs[(i + 1) % 20] as ObjectRef<Float64Array>))
    await get(sums)
    expect(explain().tables).to.include({ lineage: 40 })
    for (const ref of refs) ref[Symbol.dispose]()
    expect(explain().tables).to.include({ lineage: 40 })
    for (const ref of sums) ref[Symbol.dispose]()
    expect(explain().tables).to.include({ lineage: 0, numbers: 0 })
  })
})
