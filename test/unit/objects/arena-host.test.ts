import { expect } from 'chai'
import type { Clock } from '../../../runtime/base/clock.ts'
import { ObjectStoreFullError } from '../../../runtime/base/errors.ts'
import { objectKey } from '../../../runtime/base/ids.ts'
import type { StoredObject } from '../../../runtime/objects/store.ts'
import { decodeValue, encodeValue } from '../../../runtime/objects/value.ts'
import { canShare } from '../../tools/native.ts'
import { rejection } from '../../tools/rejection.ts'
import { openArena, type TestArena } from './arena-fixture.ts'
import { owner } from './store-contract.ts'

const mebibyte = 1024 * 1024
const keyOf = (number: number): string => objectKey({ owner, number })
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Timers fire when a test says so, however late. */
class LateClock implements Clock {
  nowMs = 0
  #timers: { readonly atMs: number; readonly action: () => void }[] = []

  now(): number {
    return this.nowMs
  }

  after(delayMs: number, action: () => void): { cancel(): void } {
    const timer = { atMs: this.nowMs + delayMs, action }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) }
  }

  /** That much later, whatever fell due meanwhile fires, once. */
  pass(durationMs: number): void {
    this.nowMs += durationMs
    const due = this.#timers.filter(({ atMs }) => atMs <= this.nowMs)
    this.#timers = this.#timers.filter((timer) => !due.includes(timer))
    for (const { action } of due) action()
  }
}

;(canShare ? describe : describe.skip)('ArenaHost, in a process that computes for long', () => {
  let clock: LateClock
  let arena: TestArena
  let held: StoredObject[]

  beforeEach(async () => {
    clock = new LateClock()
    arena = await openArena({ memoryBytes: 16 * mebibyte }, clock)
    held = []
  })
  afterEach(async () => {
    for (const stored of held) stored.release()
    await arena.close()
  })

  /** Objects that are held, until there is no more room for another. */
  async function fill(): Promise<void> {
    for (let number = 1; number <= 3; number++) {
      await arena.host.store.put(keyOf(number), encodeValue(new Uint8Array(4 * mebibyte), 'value'))
      held.push((await arena.host.store.get(keyOf(number))) as StoredObject)
    }
  }

  /** What it settled to, if it did. */
  function watch<T>(promise: Promise<T>): { value?: T; error?: unknown } {
    const seen: { value?: T; error?: unknown } = {}
    promise.then(
      (value) => (seen.value = value),
      (error: unknown) => (seen.error = error),
    )
    return seen
  }

  it('fails nobody who waits for room with what it has not read yet', async () => {
    await fill()
    const writer = arena.join().store
    const put = writer.put(keyOf(9), encodeValue(new Uint8Array(4.5 * mebibyte), 'value'))
    const seen = watch(put)
    for (let i = 0; i < 3; i++) await turn()
    for (let i = 0; i < 20; i++) clock.pass(50)
    expect(arena.host.ledger.roomWaits).to.include({ count: 1, waitedMs: 1_000 })
    clock.pass(15_000)
    for (let i = 0; i < 3; i++) await turn()
    expect(seen).to.deep.equal({})
    await arena.host.store.delete(keyOf(3))
    held.pop()?.release()
    expect(await put).to.be.above(4.5 * mebibyte)
  })

  it('fails them when the time is over in which it could have read', async () => {
    await fill()
    const put = arena.join().store.put(keyOf(9), encodeValue(new Uint8Array(4.5 * mebibyte), 'value'))
    put.catch(() => {})
    for (let i = 0; i < 3; i++) await turn()
    clock.pass(15_000)
    for (let i = 0; i < 10_000 / 50; i++) clock.pass(50)
    const error = await rejection(put)
    expect(error).to.be.instanceOf(ObjectStoreFullError)
    expect(error).to.have.nested.property('details.waitedMs', 10_000)
  })

  it('waits for seals that it has not read yet, of what is wanted and of what is freed', async () => {
    const { store, process } = arena.join()
    const got = store.get(keyOf(1), true)
    const seen = watch(got)
    for (let i = 0; i < 3; i++) await turn()
    arena.host.free(keyOf(2))
    clock.pass(15_000)
    for (let i = 0; i < 3; i++) await turn()
    expect(seen).to.deep.equal({})
    await store.put(keyOf(1), encodeValue('wanted', 'value'))
    await store.put(keyOf(2), encodeValue('freed', 'value'))
    const stored = (await got) as StoredObject
    expect([decodeValue(stored.encoded), await store.contains(keyOf(2))]).to.deep.equal(['wanted', false])
    stored.release()
    expect(arena.host.holds(process)).to.equal(true)
  })
})
