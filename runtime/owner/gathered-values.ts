/**
 * `get` of many refs of this process: one promise for all of them, and one small object for each that is not ready yet.
 * A promise for each, with what watches it, would take a kilobyte of a ref, and of a million of them most of the time.
 */
import type { ObjectNumber, ProcessAddress, ProcessId } from '../base/ids.ts'
import { isThenable } from '../base/is-thenable.ts'
import type { RefCodec } from '../objects/value.ts'
import { decodeCompact, isPlainBytes } from '../objects/compact.ts'
import type { ObjectTuple, RefTuple } from '../protocol/messages.ts'
import type { Outcome } from './object-table.ts'
import { SlotReader } from './slot-reader.ts'

type Reject = (reason: unknown) => void

/** What it needs of the owner. */
export interface GatherContext {
  readonly host: {
    readonly self: ProcessAddress
    readonly refCodec: RefCodec
    enterWait(): () => void
  }
  readonly objects: {
    await(number: ObjectNumber, reader: SlotReader): void
    unawait(number: ObjectNumber, reader: SlotReader): void
  }
  readonly values: {
    /** What is known at once of an object: its outcome, or why there will be none. */
    known(ref: RefTuple): Outcome | undefined
    retain(ref: RefTuple): void
    release(owner: ProcessId, number: ObjectNumber): void
    deliver(ref: RefTuple, outcome: ObjectTuple, resolve: (value: unknown) => void, reject: Reject): void
  }
}

/** The values in the order of the refs, all of this process. Rejects with the first error; nobody waits for the others then. */
export function gatherValues(context: GatherContext, refs: readonly RefTuple[]): Promise<unknown[]> {
  return new Promise((resolve, reject) => new Gather(context, refs.length, resolve, reject).begin(refs))
}

class Gather {
  readonly context: GatherContext
  readonly #values: unknown[]
  readonly #resolve: (values: unknown[]) => void
  readonly #reject: Reject
  readonly #readers: GatheredReader[] = []
  #left: number
  #over = false
  #leave: (() => void) | undefined

  constructor(context: GatherContext, count: number, resolve: (values: unknown[]) => void, reject: Reject) {
    this.context = context
    this.#values = new Array<unknown>(count)
    this.#left = count
    this.#resolve = resolve
    this.#reject = reject
  }

  begin(refs: readonly RefTuple[]): void {
    const { context } = this
    for (let i = 0; i < refs.length && !this.#over; i++) {
      const ref = refs[i] as RefTuple
      const known = context.values.known(ref)
      if (known !== undefined) this.deliver(i, ref, known)
      else this.#await(i, ref)
    }
  }

  #await(index: number, ref: RefTuple): void {
    const { host, values, objects } = this.context
    this.#leave ??= host.enterWait()
    const reader = new GatheredReader(this, index, ref[1])
    this.#readers.push(reader)
    values.retain(ref)
    objects.await(ref[1], reader)
  }

  deliver(index: number, ref: RefTuple, outcome: ObjectTuple): void {
    this.context.values.deliver(
      ref,
      outcome,
      (value) => this.take(index, value),
      (error) => this.fail(error),
    )
  }

  take(index: number, value: unknown): void {
    if (this.#over) return
    if (isThenable(value)) {
      // As a promise takes it: what was sent may be anything.
      Promise.resolve(value).then(
        (settled) => this.#taken(index, settled),
        (error: unknown) => this.fail(error),
      )
    } else this.#taken(index, value)
  }

  #taken(index: number, value: unknown): void {
    if (this.#over) return
    this.#values[index] = value
    if (--this.#left > 0) return
    this.#over = true
    this.#leave?.()
    this.#resolve(this.#values)
  }

  fail(error: unknown): void {
    if (this.#over) return
    this.#over = true
    for (const reader of this.#readers) reader.stop()
    this.#leave?.()
    this.#reject(error)
  }
}

/** Stands in the place of an object that is not ready. */
class GatheredReader extends SlotReader {
  readonly #gather: Gather
  readonly #index: number
  readonly #number: ObjectNumber
  #over = false

  constructor(gather: Gather, index: number, number: ObjectNumber) {
    super()
    this.#gather = gather
    this.#index = index
    this.#number = number
  }

  settle(outcome: ObjectTuple): void {
    if (this.#over) return
    this.#over = true
    const { self } = this.#gather.context.host
    // It is held until it was handed on.
    this.#gather.deliver(this.#index, [self.process, this.#number, self.node], outcome)
    this.#release()
  }

  settleInline(bytes: Uint8Array): void {
    if (!isPlainBytes(bytes)) return this.settle(['inline', bytes])
    if (this.#over) return
    this.#over = true
    try {
      this.#gather.take(this.#index, decodeCompact(bytes, this.#gather.context.host.refCodec))
    } catch (error) {
      this.#gather.fail(error)
    }
    this.#release()
  }

  /** Nobody waits for it any more. */
  stop(): void {
    if (this.#over) return
    this.#over = true
    this.#gather.context.objects.unawait(this.#number, this)
    this.#release()
  }

  #release(): void {
    const { host, values } = this.#gather.context
    values.release(host.self.process, this.#number)
  }
}
