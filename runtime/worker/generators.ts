/**
 * Running a generator: its items are sent as they are made, no further ahead of their consumer than it allows, and what
 * it returns in the end is the result of the task.
 *
 *     next() -> item -> store (a large one) -> sent ... paused until allowed ... -> done
 */
import { monotonicMs } from '../base/clock.ts'
import { OutpoolError, TaskCancelledError } from '../base/errors.ts'
import { objectKey } from '../base/ids.ts'
import { isThenable } from '../base/is-thenable.ts'
import { generatorBytes, inlineBytes } from '../base/limits.ts'
import { clearTimeout, setImmediate, setTimeout } from '../base/timers.ts'
import { compact, compactBytes } from '../objects/compact.ts'
import { encodeValue, type EncodedValue } from '../objects/value.ts'
import type { OwnerHost } from '../owner/host.ts'
import { refTupleOf } from '../owner/refs.ts'
import { type GeneratorAllow, MessageType, type RefTuple, type ResultTuple } from '../protocol/messages.ts'
import { ItemWindowState } from './item-window-state.ts'
import type { LateOwner } from './late-owner.ts'
import { notStored, storeAnew } from './store-results.ts'
import type { WorkerTask } from './task-runner.ts'

type AnyIterator = Iterator<unknown, unknown> | AsyncIterator<unknown, unknown>

/** What took this long to make is sent at once, in milliseconds: another may take as long. */
const slowMs = 0.2
/** A loop that only makes items lets what has arrived be heard after this, in milliseconds. */
const turnMs = 2
/** Who is paused for this long lends its CPU, in milliseconds: its consumer may need one to go on. */
const lendAfterMs = 10
/** Entries of tasks that were given back, or taken, are looked for from this number on. */
const manyEntries = 64
const noRefs: readonly RefTuple[] = []

interface Entry {
  readonly task: WorkerTask
  readonly window: ItemWindowState
  /** Wakes a generator that is paused. */
  wake: (() => void) | undefined
}

export class WorkerGenerators {
  readonly #owner: LateOwner
  readonly #host: OwnerHost
  /** By epoch and sequence, from the push on. */
  readonly #entries = new Map<number, Entry>()
  #sweepAt = manyEntries

  constructor(owner: LateOwner, host: OwnerHost) {
    this.#owner = owner
    this.#host = host
  }

  /** A task of a generator was pushed. */
  open(task: WorkerTask): void {
    if (this.#entries.size >= this.#sweepAt) {
      for (const [key, entry] of this.#entries) if (entry.task.state === 'gone') this.#entries.delete(key)
      this.#sweepAt = Math.max(manyEntries, this.#entries.size * 2)
    }
    this.#entries.set(keyOf(task.epoch, task.sequence), {
      task,
      window: new ItemWindowState(generatorBytes),
      wake: undefined,
    })
  }

  allow([, epoch, sequence, index, number, count, taken]: GeneratorAllow): void {
    const entry = this.#entries.get(keyOf(epoch, sequence))
    entry?.window.allow(index, number, count, taken)
    entry?.wake?.()
  }

  /** Its signal is raised: it makes no more. */
  aborted(task: WorkerTask): void {
    this.#entries.get(keyOf(task.epoch, task.sequence))?.wake?.()
  }

  /** Makes and sends everything; resolves to what the generator returns. Called within the task's context. */
  async run(task: WorkerTask, made: unknown): Promise<unknown> {
    const key = keyOf(task.epoch, task.sequence)
    const entry = this.#entries.get(key) as Entry
    try {
      const iterator = iteratorOf(isThenable(made) ? await made : made, task.template.body.name)
      return await this.#drive(entry, iterator)
    } finally {
      this.#entries.delete(key)
    }
  }

  async #drive(entry: Entry, iterator: AnyIterator): Promise<unknown> {
    const { task, window } = entry
    let turnedAt = monotonicMs()
    let before = turnedAt
    for (;;) {
      if (!window.mayMake && !isAborted(task)) {
        task.link.flush()
        await this.#paused(entry)
        turnedAt = before = monotonicMs()
      }
      if (isAborted(task)) return stop(iterator, cancelled(task))
      const step = iterator.next()
      const { done, value } = isThenable(step) ? await step : step
      if (done === true) return this.#checked(entry, value)
      try {
        await this.#send(task, window, isThenable(value) ? await value : value)
      } catch (error) {
        return stop(iterator, error)
      }
      const now = monotonicMs()
      if (now - before > slowMs) task.link.flush()
      before = now
      if (now - turnedAt < turnMs) continue
      await new Promise((resolve) => setImmediate(resolve))
      turnedAt = before = monotonicMs()
    }
  }

  /** A generator that is run again has to make what it had made before. */
  #checked({ task, window }: Entry, value: unknown): unknown {
    const { made, from } = window
    if (made >= from) return value
    const { name } = task.template.body
    throw itemsDiffer(name, `ended after ${made} items`, from)
  }

  /** Nothing is awaited for an item that goes inline. */
  #send(task: WorkerTask, window: ItemWindowState, value: unknown): Promise<void> | void {
    if (window.isWhole) throw itemsDiffer(task.template.body.name, `made item ${window.made + 1}`, window.from)
    const number = window.make()
    if (number === undefined) return
    const encoded = encodeValue(value, 'item', this.#host.refCodec)
    const refs = encoded.refs.length === 0 ? noRefs : encoded.refs.map(refTupleOf)
    const { epoch, sequence, link, message } = task
    if (compactBytes(encoded) > inlineBytes) {
      const key = objectKey({ owner: link.peer.process, number })
      return this.#stored(key, message[5], encoded).then((sizeBytes) => {
        window.sent(sizeBytes)
        this.#tell(task, number, ['stored', sizeBytes, refs])
      })
    }
    const bytes = compact(encoded)
    window.sent(bytes.length)
    if (refs.length > 0) this.#tell(task, number, ['inline', bytes, refs])
    else link.send([MessageType.generatorItem, epoch, sequence, number, bytes])
  }

  #tell({ epoch, sequence, link }: WorkerTask, number: number, result: ResultTuple): void {
    if (link.closed) return
    const { process, node } = link.peer
    const ackId = this.#owner.now.references.passOn({ process, node }, result[2])
    link.send([MessageType.generatorResult, epoch, sequence, number, result, ackId])
  }

  async #stored(key: string, attempt: number, encoded: EncodedValue): Promise<number> {
    const { store, clock } = this.#host
    try {
      return await storeAnew(store, key, attempt, encoded)
    } catch (error) {
      throw await notStored(clock, error)
    }
  }

  /** Until more may be made, or none any more. */
  async #paused(entry: Entry): Promise<void> {
    let leave: (() => void) | undefined
    const lending = setTimeout(() => (leave = this.#host.enterWait()), lendAfterMs)
    while (!entry.window.mayMake && !isAborted(entry.task)) {
      await new Promise<void>((resolve) => (entry.wake = resolve))
    }
    entry.wake = undefined
    clearTimeout(lending)
    leave?.()
  }
}

/** Its `finally` blocks run; then it ends with `error`. */
async function stop(iterator: AnyIterator, error: unknown): Promise<never> {
  try {
    await iterator.return?.()
  } catch {
    // The first error is the one that tells.
  }
  throw error
}

function isAborted(task: WorkerTask): boolean {
  return task.controller?.signal.aborted === true
}

function cancelled(task: WorkerTask): TaskCancelledError {
  return new TaskCancelledError(`task ${task.template.body.name} was cancelled`)
}

/** Items are told from one another by their place alone. */
function itemsDiffer(name: string, how: string, delivered: number): OutpoolError {
  return new OutpoolError(
    `generator ${name} was run again and ${how}, and ${delivered} had been delivered before; ` +
      'one that does not yield the same items each time needs `maxRetries: 0`',
    { details: { task: name, delivered } },
  )
}

function keyOf(epoch: number, sequence: number): number {
  return epoch * 2 ** 32 + sequence
}

function iteratorOf(made: unknown, name: string): AnyIterator {
  if (typeof made === 'object' && made !== null) {
    const from = made as Partial<AsyncIterable<unknown> & Iterable<unknown>>
    const iterator = from[Symbol.asyncIterator]?.() ?? from[Symbol.iterator]?.()
    if (iterator !== undefined) return iterator
  }
  throw new TypeError(
    `${name} has numReturns: 'streaming' and must return a generator, or another iterable object, not ${typeof made}`,
  )
}
