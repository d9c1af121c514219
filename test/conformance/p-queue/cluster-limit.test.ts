/** Queues of one name in several processes of a cluster share their limits; each of them may die. */
import { expect } from 'chai'
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type * as outpoolModule from 'outpool'
import type Queue from 'outpool/p-queue'
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import type { Home } from '../../../runtime/owner/home.ts'
import { ended, TestCluster, usePlainWorkers } from '../../cluster/support.ts'
import { eventually } from '../../tools/eventually.ts'
import { steadyPort } from '../../tools/steady-port.ts'
import { rejection } from '../../tools/rejection.ts'

type Outpool = typeof outpoolModule

const program = fileURLToPath(new URL('programs/limited.mjs', import.meta.url))

describe('p-queue: queues of one name', () => {
  let cluster: TestCluster
  let head: DaemonFacts
  let other: DaemonFacts
  let folder: string
  const children: ChildProcess[] = []
  usePlainWorkers()

  before(async () => {
    cluster = new TestCluster()
    const ofHead = { port: await steadyPort(), storage: 'memory' }
    ;[head, other] = (await cluster.startAll(1, {}, ofHead)) as [DaemonFacts, DaemonFacts]
    folder = mkdtempSync(join(tmpdir(), 'limit-'))
  })
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })
  after(async () => {
    await cluster.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Runs `count` tasks in a queue of that name, each of which notes its start and its end in the file. */
  function start(
    file: string,
    name: string,
    options: object,
    count: number,
    until: number | string,
    home: DaemonFacts = head,
  ): Promise<number | null> {
    const env = { ...process.env, OUTPOOL_ADDRESS: home.url, OUTPOOL_TOKEN: cluster.token, NODE_OPTIONS: '' }
    const args = [program, join(folder, file), name, JSON.stringify(options), String(count), String(until)]
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'inherit', 'inherit'] })
    children.push(child)
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
  }
  const lines = (file: string): string[] => {
    try {
      return readFileSync(join(folder, file), 'utf8').split('\n').filter(Boolean)
    } catch {
      return []
    }
  }
  function mostAtOnce(file: string): number {
    let running = 0
    let most = 0
    for (const line of lines(file)) most = Math.max(most, (running += line.startsWith('start') ? 1 : -1))
    return most
  }

  /** A test whose queues are in this process, which joins as `options` say. */
  function inThisProcess(
    options: () => Parameters<Outpool['init']>[0],
    test: (using: { readonly PQueue: typeof Queue; readonly outpool: Outpool }) => Promise<void>,
  ): () => Promise<void> {
    return async () => {
      const { default: PQueue } = await import('outpool/p-queue')
      const outpool = await import('outpool')
      await outpool.shutdown()
      await outpool.init(options())
      try {
        await test({ PQueue, outpool })
      } finally {
        await outpool.shutdown()
      }
    }
  }

  it('run no more at a time than their one concurrency, in three processes', async () => {
    const codes = await Promise.all([1, 2, 3].map(() => start('three', 'three', { concurrency: 2 }, 8, 20)))
    expect(codes).to.deep.equal([0, 0, 0])
    expect(lines('three').length).to.equal(48)
    expect(mostAtOnce('three')).to.equal(2)
  })

  it('start no more in an interval than their one intervalCap', async () => {
    const options = { intervalCap: 3, interval: 300 }
    const began = performance.now()
    expect(await Promise.all([1, 2].map(() => start('rate', 'rate', options, 6, 1)))).to.deep.equal([0, 0])
    // Twelve starts, three in each interval: the last begin three intervals after the first.
    expect(performance.now() - began).to.be.above(900)
    const starts = lines('rate')
      .filter((line) => line.startsWith('start'))
      .map((line) => Number(line.split(' ')[1]))
    for (const at of starts) expect(starts.filter((other) => other >= at && other < at + 299).length).to.be.at.most(3)
  })

  it('go on when a process that holds all permits dies', async () => {
    const dying = start('death', 'death', { concurrency: 1 }, 1, 600_000)
    await eventually(() => lines('death').length > 0 || undefined)
    const other = start('death', 'death', { concurrency: 1 }, 2, 5)
    children[0]?.kill('SIGKILL')
    expect(await dying).to.equal(null)
    expect(await other).to.equal(0)
    expect(lines('death').length).to.equal(5)
  })

  /** What a process has asked the head for. */
  const asked = (file: string, child: ChildProcess | undefined): string[] =>
    lines(`${file}.asked`).flatMap((line) => {
      const [pid, operation = ''] = line.split(' ')
      return Number(pid) === child?.pid ? [operation] : []
    })

  it('are told when a permit is given back, and hardly ask for it meanwhile', async () => {
    const first = start('told', 'told', { concurrency: 1 }, 1, join(folder, 'told.go'))
    await eventually(() => lines('told').length > 0 || undefined)
    const second = start('told', 'told', { concurrency: 1 }, 1, 1)
    const waiting = children[1]
    await eventually(() => asked('told', waiting).includes('watch') || undefined)
    await sleep(1500)
    writeFileSync(join(folder, 'told.go'), '')
    expect([await first, await second]).to.deep.equal([0, 0])
    const operations = asked('told', waiting)
    // Who looked every 200 ms did so ten times at least.
    expect(operations.filter((operation) => operation === 'list').length).to.be.at.most(8)
  })

  it('go on when a process that waits for a permit dies', async () => {
    const first = start('waits', 'waits', { concurrency: 1 }, 1, join(folder, 'waits.go'))
    await eventually(() => lines('waits').length > 0 || undefined)
    const dying = start('waits', 'waits', { concurrency: 1 }, 1, 1)
    const last = start('waits', 'waits', { concurrency: 1 }, 2, 1)
    await eventually(() => asked('waits', children[1]).includes('watch') || undefined)
    children[1]?.kill('SIGKILL')
    writeFileSync(join(folder, 'waits.go'), '')
    expect(await Promise.all([first, dying, last])).to.deep.equal([0, null, 0])
    expect(lines('waits').length).to.equal(6)
    expect(mostAtOnce('waits')).to.equal(1)
  })

  it(
    'are refused with other limits, in one process at once',
    inThisProcess(
      () => ({ address: head.url, token: cluster.token }),
      async ({ PQueue, outpool }) => {
        const queue = new PQueue({ name: 'ours', concurrency: 2 })
        expect(await queue.add(() => 6 * 7)).to.equal(42)
        expect((outpool.explain(queue) as { name?: string }).name).to.equal('ours')
        expect(() => new PQueue({ name: 'ours', concurrency: 3 })).to.throw('concurrency 2')
        expect(() => (queue.concurrency = 4)).to.throw(TypeError, 'shared')
        void start('ours', 'theirs', { concurrency: 5 }, 1, 600_000)
        await eventually(() => lines('ours').length > 0 || undefined)
        const error = await rejection(new PQueue({ name: 'theirs', concurrency: 2 }).add(() => 1))
        expect(error.message).to.match(/concurrency 5.*concurrency 2/)
      },
    ),
  )

  it(
    'let a task that waits for the others be given up',
    inThisProcess(
      () => ({}),
      async ({ PQueue }) => {
        const first = new PQueue({ name: 'here', concurrency: 1 })
        const second = new PQueue({ name: 'here', concurrency: 1 })
        let end: (() => void) | undefined
        const running = first.add(() => new Promise<void>((resolve) => (end = resolve)))
        // A task that waits for its permit is pending too.
        await eventually(() => end)
        const controller = new AbortController()
        const waiting = second.add(() => 1, { signal: controller.signal })
        controller.abort(new Error('not wanted'))
        expect((await rejection(waiting)).message).to.equal('not wanted')
        expect(first.pending).to.equal(1)
        const behind = second.add(() => 2)
        setTimeout(() => end?.(), 50)
        await running
        expect(await behind).to.equal(2)
      },
    ),
  )

  it(
    'go on when others have made the row of their limit anew, which the head had lost, while a task ran',
    inThisProcess(
      () => ({}),
      async ({ PQueue }) => {
        const queue = new PQueue({ name: 'anew', concurrency: 1 })
        let end: (() => void) | undefined
        const running = queue.add(() => new Promise<void>((resolve) => (end = resolve)))
        await eventually(() => end)
        const { home } = Reflect.get(globalThis, Symbol.for('outpool.process.1')) as { home: Home }
        const terms = { concurrency: 1, intervalCap: null, intervalMs: 0 }
        const row = Buffer.from(JSON.stringify({ terms, permits: {}, about: {}, first: 0, next: 0 }))
        expect((await home.table('kv', ['put', 'limits/anew/row', row, -1])).error).to.equal('')
        end?.()
        await running
        expect(await queue.add(() => 2)).to.equal(2)
      },
    ),
  )

  it(
    'never start a task whose time was up while it waited for the others',
    inThisProcess(
      () => ({}),
      async ({ PQueue }) => {
        const first = new PQueue({ name: 'late', concurrency: 1 })
        const second = new PQueue({ name: 'late', concurrency: 1 })
        let end: (() => void) | undefined
        const running = first.add(() => new Promise<void>((resolve) => (end = resolve)))
        await eventually(() => end)
        const begun: number[] = []
        const late = [1, 2, 3].map((n) => rejection(second.add(() => void begun.push(n), { timeout: 50 })))
        expect((await Promise.all(late)).map((error) => error.name)).to.deep.equal(Array(3).fill('TimeoutError'))
        await second.onIdle()
        end?.()
        await running
        expect(await second.add(() => 4)).to.equal(4)
        expect(begun).to.deep.equal([])
      },
    ),
  )

  it(
    'take a fraction of a task for a whole one, as the original does',
    inThisProcess(
      () => ({}),
      async ({ PQueue }) => {
        const queue = new PQueue({ name: 'fraction', concurrency: 1.5, placement: 'caller' })
        let [running, most] = [0, 0]
        const task = async (): Promise<void> => {
          most = Math.max(most, ++running)
          await sleep(30)
          running--
        }
        await queue.addAll([task, task, task, task, task])
        expect(most).to.equal(2)
      },
    ),
  )

  it(
    'keep what a task gave when Outpool was shut down meanwhile, and run others when it is started again',
    inThisProcess(
      () => ({}),
      async ({ PQueue, outpool }) => {
        const queue = new PQueue({ name: 'closed', concurrency: 1, placement: 'caller' })
        let end: ((value: number) => void) | undefined
        const running = queue.add(() => new Promise<number>((resolve) => (end = resolve)))
        await eventually(() => end)
        await outpool.shutdown()
        end?.(7)
        expect(await running).to.equal(7)
        expect((await rejection(queue.add(() => 1))).name).to.equal('NotInitializedError')
        await outpool.init()
        expect(await queue.add(() => 2)).to.equal(2)
      },
    ),
  )

  it(
    'go on when the link to their node is cut, and made again',
    inThisProcess(
      () => ({ address: other.url, token: cluster.token }),
      async ({ PQueue }) => {
        const { home } = Reflect.get(globalThis, Symbol.for('outpool.process.1')) as { home: Home }
        const queue = new PQueue({ name: 'cut', concurrency: 2, placement: 'caller' })
        let done = 0
        const all = queue.addAll(Array.from({ length: 40 }, (_, n) => () => sleep(2).then(() => (done++, n))))
        for (let cuts = 0; cuts < 8; cuts++) {
          await eventually(() => done > 4 * cuts || undefined)
          home.link.close(new Error('cut'))
        }
        expect(await all).to.deep.equal(Array.from({ length: 40 }, (_, n) => n))
      },
    ),
  )

  it('go on when the head dies and comes back', async () => {
    const programs = [1, 2].map(() => start('head', 'head', { concurrency: 2 }, 10, 50, other))
    await eventually(() => lines('head').length > 4 || undefined)
    process.kill(head.pid, 'SIGKILL')
    await ended(head.pid)
    await cluster.start({ head: true, port: Number(new URL(head.url).port) })
    expect(await Promise.all(programs)).to.deep.equal([0, 0])
    expect(lines('head').length).to.equal(40)
    expect(mostAtOnce('head')).to.equal(2)
  })
})
