/**
 * The one reader of a call whose ref nobody has: the promise that `run` returned, or the listener that `call` was given.
 * Most calls are of these kinds, and thousands are in flight, so it is one small object in the task's slot and no closure
 * of it is made.
 */
import type { ProcessId, NodeId } from '../base/ids.ts'
import type { RefCodec } from '../objects/value.ts'
import { decodeCompact, isPlainBytes } from '../objects/compact.ts'
import type { ObjectTuple, RefTuple } from '../protocol/messages.ts'
import type { Borrow } from './object-access.ts'
import { SlotReader } from './slot-reader.ts'

type Resolve = (value: unknown) => void
type Reject = (error: unknown) => void

/** Who hears of a call as the answer comes, in the middle of the owner's work: it is to take note, and nothing else. */
export interface CallListener {
  answered(value: unknown): void
  failed(error: unknown): void
  /** What the task says before its end, in order. */
  readonly heard?: ((value: unknown) => void) | undefined
}

/** What a reader needs of its owner; one for all of them. */
export interface ReaderContext {
  readonly self: { readonly node: NodeId; readonly process: ProcessId }
  readonly refCodec: RefCodec
  deliver(ref: RefTuple, outcome: ObjectTuple, resolve: Resolve, reject: Reject, borrow?: Borrow): void
}

export abstract class SoleReader extends SlotReader {
  /** Of the first result of its task; known when that is submitted. */
  number = 0
  readonly #context: ReaderContext
  /** The process waits for it until this is called: when it is told, was not submitted, or was had back. */
  readonly leave: () => void

  constructor(context: ReaderContext, leave: () => void) {
    super()
    this.#context = context
    this.leave = leave
  }

  protected abstract answered(value: unknown): void
  protected abstract failed(error: unknown): void

  /** See `ObjectAccess.decode`. */
  protected get borrow(): Borrow | undefined {
    return undefined
  }

  settle(outcome: ObjectTuple): void {
    this.leave()
    const { self } = this.#context
    this.#context.deliver(
      [self.process, this.number, self.node],
      outcome,
      (value) => this.answered(value),
      (error) => this.failed(error),
      this.borrow,
    )
  }

  settleInline(bytes: Uint8Array): void {
    if (!isPlainBytes(bytes)) return this.settle(['inline', bytes])
    this.leave()
    let value: unknown
    try {
      value = decodeCompact(bytes, this.#context.refCodec)
    } catch (error) {
      return this.failed(error)
    }
    this.answered(value)
  }
}

export class ListenerReader extends SoleReader {
  readonly #listener: CallListener

  constructor(context: ReaderContext, leave: () => void, listener: CallListener) {
    super(context, leave)
    this.#listener = listener
  }

  protected answered(value: unknown): void {
    this.#listener.answered(value)
  }

  protected failed(error: unknown): void {
    this.#listener.failed(error)
  }
}

/** These hold their promise, which holds its value: they are not kept beyond the reader that is being made. */
let resolveOfNew: Resolve | undefined
let rejectOfNew: Reject | undefined

/** The executor of all promises here; one of its own for each call would be a closure and its context. */
function takeFunctions(resolve: Resolve, reject: Reject): void {
  resolveOfNew = resolve
  rejectOfNew = reject
}

export class PromiseReader extends SoleReader {
  readonly promise: Promise<unknown> = new Promise<unknown>(takeFunctions)
  readonly #resolve: Resolve = resolveOfNew as Resolve
  readonly #reject: Reject = rejectOfNew as Reject

  constructor(context: ReaderContext, leave: () => void) {
    super(context, leave)
    resolveOfNew = undefined
    rejectOfNew = undefined
  }

  protected answered(value: unknown): void {
    this.#resolve(value)
  }

  /** Also called where it could not be submitted. */
  failed(error: unknown): void {
    this.#reject(error)
  }
}

/** Of few calls, for what is large. */
export class BorrowingReader extends PromiseReader {
  readonly #borrow: Borrow

  constructor(context: ReaderContext, leave: () => void, borrow: Borrow) {
    super(context, leave)
    this.#borrow = borrow
  }

  protected override get borrow(): Borrow {
    return this.#borrow
  }
}
