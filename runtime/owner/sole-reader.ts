/**
 * The one reader of a call whose ref nobody has: the promise that `run` returned. Most calls are of this kind, and
 * thousands are in flight, so it is one small object in the task's slot and no closure of it is made.
 */
import type { ProcessId, NodeId } from '../base/ids.ts'
import type { RefCodec } from '../objects/value.ts'
import { decodeCompact, isPlainBytes } from '../objects/compact.ts'
import type { ObjectTuple, RefTuple } from '../protocol/messages.ts'
import { SlotReader } from './slot-reader.ts'

type Resolve = (value: unknown) => void
type Reject = (error: unknown) => void

/** What a reader needs of its owner; one for all of them. */
export interface ReaderContext {
  readonly self: { readonly node: NodeId; readonly process: ProcessId }
  readonly refCodec: RefCodec
  deliver(ref: RefTuple, outcome: ObjectTuple, resolve: Resolve, reject: Reject): void
}

let resolveOfNew: Resolve
let rejectOfNew: Reject

/** The executor of all promises here; one of its own for each call would be a closure and its context. */
function takeFunctions(resolve: Resolve, reject: Reject): void {
  resolveOfNew = resolve
  rejectOfNew = reject
}

export class SoleReader extends SlotReader {
  readonly promise: Promise<unknown> = new Promise<unknown>(takeFunctions)
  /** Of the first result of its task; known when that is submitted. */
  number = 0
  readonly #resolve: Resolve = resolveOfNew
  readonly #reject: Reject = rejectOfNew
  readonly #context: ReaderContext
  /** The process waits for it until then. */
  readonly #leave: () => void

  constructor(context: ReaderContext, leave: () => void) {
    super()
    this.#context = context
    this.#leave = leave
  }

  settle(outcome: ObjectTuple): void {
    this.#leave()
    const { self } = this.#context
    this.#context.deliver([self.process, this.number, self.node], outcome, this.#resolve, this.#reject)
  }

  settleInline(bytes: Uint8Array): void {
    if (!isPlainBytes(bytes)) return this.settle(['inline', bytes])
    this.#leave()
    let value: unknown
    try {
      value = decodeCompact(bytes, this.#context.refCodec)
    } catch (error) {
      return this.#reject(error)
    }
    this.#resolve(value)
  }

  /** It was not submitted. */
  fail(error: unknown): void {
    this.#leave()
    this.#reject(error)
  }
}
