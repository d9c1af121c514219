/**
 * What both the original and the shim do, for p-queue 9 and 10. Each row of the guide's tables that says "same" has its
 * test here. Some tasks only compute, and may run anywhere; others change what they captured, and are the caller's.
 */
import { expect } from 'chai'
import { rejection } from '../../tools/rejection.ts'
import { eventSuite } from './events.ts'
import { listen, type AddOptions, type Options, type PQueueModule, type Queue, type Subject } from './subject.ts'

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export function conformanceSuite(subject: Subject): void {
  describe(`p-queue: ${subject.name}`, () => {
    let module: PQueueModule
    const create = (options?: Options): Queue => new module.default(options)

    before(async () => {
      module = await subject.load()
    })

    it('has the exports of the original', () => {
      expect(module.default.name).to.equal('PQueue')
      expect(module.PriorityQueue).to.be.a('function')
      expect(module.TimeoutError).to.be.a('function')
    })

    it('gives what a task gives: at once, later, nothing', async () => {
      const queue = create()
      expect(await queue.add(() => 6 * 7)).to.equal(42)
      expect(await queue.add(async () => 'later')).to.equal('later')
      expect(await queue.add(() => undefined)).to.equal(undefined)
      expect(await queue.add(() => null)).to.equal(null)
    })

    it('rejects with what a task throws, class, own properties and cause kept', async () => {
      const queue = create()
      const error = await rejection(
        queue.add(() => {
          throw Object.assign(new RangeError('no', { cause: 'that' }), { status: 418 })
        }),
      )
      expect(error).to.be.instanceOf(RangeError)
      expect(error).to.include({ message: 'no', status: 418, cause: 'that' })
      const later = await rejection(
        queue.add(async () => {
          throw new TypeError('later')
        }),
      )
      expect(later).to.be.instanceOf(TypeError)
    })

    it('lets a task change what it captured', async () => {
      const queue = create({ concurrency: 1 })
      const seen: number[] = []
      await Promise.all([1, 2, 3].map((n) => queue.add(() => seen.push(n))))
      expect(seen).to.deep.equal([1, 2, 3])
    })

    it('gives the very object that a task gives', async () => {
      const captured = { list: [1] }
      expect(await create().add(() => captured)).to.equal(captured)
      class Point {
        x = 1
      }
      expect(await create().add(() => new Point())).to.be.instanceOf(Point)
    })

    it('gives each task its arguments: the signal, or none', async () => {
      const controller = new AbortController()
      const queue = create()
      expect(await queue.add(({ signal }) => signal === undefined)).to.equal(true)
      expect(await queue.add(({ signal }) => signal?.aborted, { signal: controller.signal })).to.equal(false)
    })

    it('runs as many at a time as its concurrency says, which may change', async () => {
      const queue = create({ concurrency: 2 })
      let running = 0
      let most = 0
      const task = async (): Promise<void> => {
        most = Math.max(most, ++running)
        await sleep(10)
        running--
      }
      await Promise.all([1, 2, 3, 4, 5].map(() => queue.add(task)))
      expect(most).to.equal(2)
      queue.concurrency = 3
      expect(queue.concurrency).to.equal(3)
      await Promise.all([1, 2, 3, 4, 5].map(() => queue.add(task)))
      expect(most).to.equal(3)
    })

    it('tells its state at once', async () => {
      const queue = create({ concurrency: 1 })
      const all = [1, 2, 3].map(() => queue.add(() => 1))
      expect([queue.size, queue.pending, queue.isPaused]).to.deep.equal([2, 1, false])
      expect(queue.isSaturated).to.equal(true)
      await Promise.all(all)
      await queue.onIdle()
      expect([queue.size, queue.pending]).to.deep.equal([0, 0])
    })

    it('runs by priority, which may change while a task waits', async () => {
      const queue = create({ concurrency: 1 })
      const order: string[] = []
      const add = (name: string, options?: AddOptions): Promise<unknown> => queue.add(() => order.push(name), options)
      const all = [
        add('first'),
        add('low', { priority: 0, id: 'low' }),
        add('middle', { priority: 1 }),
        add('high', { priority: 2 }),
      ]
      queue.setPriority('low', 3)
      expect(queue.sizeBy({ priority: 1 })).to.equal(1)
      await Promise.all(all)
      expect(order).to.deep.equal(['first', 'low', 'high', 'middle'])
    })

    it('waits when it is paused, or not started', async () => {
      const queue = create({ autoStart: false })
      const result = queue.add(() => 3)
      expect([queue.isPaused, queue.size]).to.deep.equal([true, 1])
      expect(queue.start()).to.equal(queue)
      expect(await result).to.equal(3)
      queue.pause()
      expect(queue.isPaused).to.equal(true)
    })

    it('tells by events what happens, in its order', async () => {
      const queue = create({ concurrency: 1 })
      const seen: unknown[] = []
      for (const event of ['add', 'active', 'completed', 'error', 'idle'])
        listen(queue, event, (detail) => seen.push(detail instanceof Error ? [event, detail.message] : [event, detail]))
      await queue.add(() => 'yes')
      await queue.onIdle()
      await rejection(
        queue.add(() => {
          throw new Error('no')
        }),
      )
      await queue.onIdle()
      const names = seen.map((entry) => (entry as [string])[0])
      expect(names).to.include.members(['add', 'active', 'completed', 'error', 'idle'])
      expect(names.indexOf('active')).to.be.below(names.indexOf('completed'))
      expect(seen.find((entry) => (entry as [string])[0] === 'completed')).to.deep.equal(['completed', 'yes'])
      expect(seen.find((entry) => (entry as [string])[0] === 'error')).to.deep.equal(['error', 'no'])
    })

    eventSuite(subject, create)

    it('adds all, and keeps their order', async () => {
      const queue = create({ concurrency: 2 })
      expect(await queue.addAll([() => 1, async () => 2, () => 3])).to.deep.equal([1, 2, 3])
    })

    it('tells when it is empty, small, idle', async () => {
      const queue = create({ concurrency: 1 })
      const all = [1, 2, 3, 4].map((n) => queue.add(() => sleep(5).then(() => n)))
      await queue.onSizeLessThan(2)
      expect(queue.size).to.be.below(2)
      await queue.onEmpty()
      expect(queue.size).to.equal(0)
      await queue.onIdle()
      expect(queue.pending).to.equal(0)
      await queue.onPendingZero()
      await Promise.all(all)
    })

    it('forgets what waits at clear', async () => {
      const queue = create({ concurrency: 1 })
      const ran: number[] = []
      const first = queue.add(() => sleep(20))
      const waiting = queue.add(() => ran.push(1))
      waiting.catch(() => undefined)
      queue.clear()
      expect(queue.size).to.equal(0)
      await first
      await queue.onIdle()
      expect(ran).to.deep.equal([])
      if (subject.major === 10) expect((await rejection(waiting)).name).to.equal('AbortError')
    })

    it('rejects a task that takes too long, by its timeout or that of the queue', async () => {
      const queue = create({ timeout: 50 })
      expect(await rejection(queue.add(() => new Promise((resolve) => setTimeout(resolve, 400))))).to.be.instanceOf(
        module.TimeoutError,
      )
      const slow = (): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(5), 100))
      expect(await queue.add(slow, { timeout: 30_000 })).to.equal(5)
    })

    it('rejects with the reason of the signal: a task that waits, and one that runs', async () => {
      const queue = create({ concurrency: 1 })
      const running = new AbortController()
      const waiting = new AbortController()
      const first = queue.add(() => new Promise((resolve) => setTimeout(resolve, 300)), { signal: running.signal })
      const second = queue.add(() => 1, { signal: waiting.signal })
      waiting.abort(new Error('not wanted'))
      expect((await rejection(second)).message).to.equal('not wanted')
      running.abort(new Error('enough'))
      expect((await rejection(first)).message).to.equal('enough')
      expect(await queue.add(() => 'the next one is whole')).to.equal('the next one is whole')
    })

    it('starts no more than intervalCap tasks in an interval', async () => {
      const queue = create({ intervalCap: 2, interval: 100 })
      const startedAt: number[] = []
      const begin = performance.now()
      await Promise.all([1, 2, 3, 4, 5].map(() => queue.add(() => startedAt.push(performance.now() - begin))))
      expect(startedAt.filter((at) => at < 90).length).to.be.at.most(2)
    })

    it('starts no more than intervalCap tasks in any stretch of an interval, with strict', async () => {
      const queue = create({ intervalCap: 2, interval: 100, strict: true })
      const startedAt: number[] = []
      const began = performance.now()
      await Promise.all([1, 2, 3, 4, 5].map(() => queue.add(() => startedAt.push(performance.now() - began))))
      // Two in each stretch: the third and the fifth are an interval behind the first and the third.
      expect(startedAt[2]).to.be.above(95)
      expect(startedAt[4]).to.be.above(195)
    })

    it('counts what still runs in the next interval, with carryoverIntervalCount', async () => {
      const queue = create({ intervalCap: 1, interval: 30, carryoverIntervalCount: true })
      let running = 0
      let most = 0
      const task = async (): Promise<void> => {
        most = Math.max(most, ++running)
        await sleep(80)
        running--
      }
      await Promise.all([1, 2].map(() => queue.add(task)))
      expect(most).to.equal(1)
      // The older name, which 10 has no more.
      const older: object = { intervalCap: 1, interval: 30, carryoverConcurrencyCount: true }
      expect(await create(older).add(() => 1)).to.equal(1)
    })

    it('tells that it is limited by its rate, and when it is so no more', async () => {
      const queue = create({ intervalCap: 1, interval: 50 })
      const limited = queue.onRateLimit()
      expect(queue.isRateLimited).to.equal(false)
      const all = [1, 2].map(() => queue.add(() => sleep(1)))
      await limited
      expect(queue.isRateLimited).to.equal(true)
      await queue.onRateLimitCleared()
      expect(queue.isRateLimited).to.equal(false)
      await Promise.all(all)
    })

    it('rejects with the first error of its tasks, where that was asked for', async () => {
      const queue = create({ concurrency: 1 })
      const failed = rejection(queue.onError())
      const fails = queue.add(() => {
        throw new RangeError('the first')
      })
      expect((await rejection(fails)).message).to.equal('the first')
      expect(await failed).to.be.instanceOf(RangeError)
    })

    it('takes a queue class of the user', async () => {
      class Stack {
        #items: { run: () => Promise<unknown>; options: unknown }[] = []
        get size(): number {
          return this.#items.length
        }
        enqueue(run: () => Promise<unknown>, options: unknown): void {
          this.#items.push({ run, options })
        }
        dequeue(): (() => Promise<unknown>) | undefined {
          return this.#items.pop()?.run
        }
        filter(): (() => Promise<unknown>)[] {
          return []
        }
        setPriority(): void {}
        remove(): void {}
      }
      const queue = create({ concurrency: 1, queueClass: Stack })
      const order: number[] = []
      await Promise.all([1, 2, 3].map((n) => queue.add(() => order.push(n))))
      expect(order).to.deep.equal([1, 3, 2])
    })

    it('lists the tasks that run', async () => {
      const queue = create()
      const slow = queue.add(() => new Promise((resolve) => setTimeout(resolve, 50)), { id: 'slow', priority: 4 })
      expect(queue.runningTasks.map(({ id, priority }) => [id, priority])).to.deep.equal([['slow', 4]])
      await slow
    })

    it("refuses what the original refuses, in the original's words", async () => {
      expect(() => create({ concurrency: 0 })).to.throw(
        TypeError,
        /^Expected `concurrency` to be an? (?:number|integer) from 1 and up/,
      )
      expect(() => create({ timeout: -1 })).to.throw(TypeError, 'Expected `timeout` to be a positive')
      expect(await rejection(create().add('no function' as never))).to.be.instanceOf(TypeError)
    })
  })
}
