/** From a ref to its value: asks the owner, brings stored bytes here, decodes. */
import { ConnectionLostError, ObjectLostError, OwnerDiedError } from '../base/errors.ts'
import { type NodeId, objectKey, type ObjectNumber, type ProcessId } from '../base/ids.ts'
import { setImmediate } from '../base/timers.ts'
import { decodeCompact, expand, isPlainBytes } from '../objects/compact.ts'
import { lostError, type PullReport, reportOf } from '../objects/pull-failures.ts'
import { decodeLent, decodeValue, type EncodedValue, type LentWords, type RefCodec } from '../objects/value.ts'
import type { ObjectStore } from '../objects/store.ts'
import { type Holder, MessageType, type Message, type ObjectTuple, type RefTuple } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import { nameOriginalPlaces } from '../code/original-places.ts'
import { compactError } from './compact-error.ts'
import type { OwnerHost } from './host.ts'
import type { Peers } from './peers.ts'
import { refTupleOf } from './refs.ts'

/** Registers the refs inside a value before they come to life. */
export type RegisterRefs = (refs: readonly RefTuple[]) => void

/**
 * Takes the value of a stored object that is numbers alone (`decodeLent`) where it lies in the store: what this gives is
 * the value of the read. The words are to be read alone, and handed to nobody; they stay as they are until `release`,
 * which is to be called.
 */
export type Borrow = (value: LentWords | { readonly numbers: LentWords }, release: () => void) => unknown

/** How often a copy is brought here for one read. */
const mostPulls = 3

/** A link to a node that has ended is lost within this, looked at so often, in milliseconds. */
const linkEndMs = 1_000
const lookMs = 10

/** Once asked, an owner answers, whoever still wants to know: who asks meanwhile waits for the same answer. */
interface Question {
  readonly owner: ProcessId
  /** Of what was asked without a report. */
  readonly key: string | undefined
  readonly answers: Set<(outcome: ObjectTuple) => void>
}

export class ObjectAccess {
  readonly #host: OwnerHost
  readonly #peers: Peers
  /** Told where else an object of this process is, or is about to be. */
  ownCopied: (number: ObjectNumber, holder: Holder) => void = () => {}
  readonly #questions = new Map<number, Question>()
  readonly #asked = new Map<string, Question>()
  #nextQuestion = 1

  constructor(host: OwnerHost, peers: Peers) {
    this.#host = host
    this.#peers = peers
  }

  get size(): number {
    return this.#questions.size
  }

  /**
   * Asks the owner of somebody else's object what became of it; answers when it is ready, in any case once. `report`: what
   * was answered before is of no use, because no copy could be read. Returns what forgets the question.
   */
  ask(ref: RefTuple, answer: (outcome: ObjectTuple) => void, report?: PullReport): () => void {
    const [owner, number, node] = ref
    const key = report === undefined ? objectKey({ owner, number }) : undefined
    const own = (outcome: ObjectTuple): void => answer(outcome)
    const open = key === undefined ? undefined : this.#asked.get(key)
    if (open !== undefined) {
      open.answers.add(own)
      return () => void open.answers.delete(own)
    }
    const id = this.#nextQuestion++
    const question = { owner, key, answers: new Set([own]) }
    this.#questions.set(id, question)
    if (key !== undefined) this.#asked.set(key, question)
    this.#peers.reach({ node, process: owner }).then(
      (link) =>
        link.send(
          report === undefined
            ? [MessageType.objectGet, id, number]
            : [MessageType.objectLost, id, number, report.absent, report.unreached, report.why ?? ''],
        ),
      (reason: Error) => this.#settle(id, ownerDied(ref, reason.message)),
    )
    return () => void question.answers.delete(own)
  }

  received(message: Message): boolean {
    if (message[0] !== MessageType.objectValue) return false
    this.#settle(message[1], message[2])
    return true
  }

  /** A process is gone: what it was asked is answered by its death. */
  gone(process: ProcessId, reason: string): void {
    for (const [id, question] of [...this.#questions]) {
      if (question.owner === process) this.#settle(id, ['error', compactError(ownerDiedError(process, reason))])
    }
  }

  close(error: Error): void {
    for (const id of [...this.#questions.keys()]) this.#settle(id, ['error', compactError(error)])
  }

  /** The value of an inline outcome. */
  decodeInline(bytes: Uint8Array, register: RegisterRefs): unknown {
    if (isPlainBytes(bytes)) return decodeCompact(bytes, this.#host.refCodec)
    return this.#decode(expand(bytes), register)
  }

  /** What an error outcome holds, with the lines of this process's functions. */
  decodeError(bytes: Uint8Array, register: RegisterRefs): unknown {
    return nameOriginalPlaces(this.decodeInline(bytes, register))
  }

  /** An error, for a log. */
  textOf(bytes: Uint8Array): string {
    const error = this.decodeError(bytes, () => {})
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }

  /** The value of any outcome; with `borrow`, what that makes of numbers that are stored. */
  async decode(ref: RefTuple, outcome: ObjectTuple, register: RegisterRefs, borrow?: Borrow): Promise<unknown> {
    if (outcome[0] === 'inline') return this.decodeInline(outcome[1], register)
    if (outcome[0] === 'error') throw this.decodeError(outcome[1], register)
    const [, sizeBytes, holders] = outcome
    const key = objectKey({ owner: ref[0], number: ref[1] })
    const { store } = this.#host
    const holder = this.#host.storeHolder[1]
    const expected = holders.some(([, process]) => process === holder)
    let damage = ''
    const look = async (expect?: boolean): ReturnType<ObjectStore['get']> =>
      this.#storedHere(key, expect, (error) => (damage = error.message))
    let stored = await look(expected)
    // A copy may be dropped again before it is used, when memory is short.
    for (let pulls = 0; stored === undefined && pulls < mostPulls; pulls++) {
      this.tellCopy(ref, false)
      await this.#host.pull(key, sizeBytes, holders, ref[2]).catch((error: unknown) => {
        throw lostHere(error, key, damage, this.#host.self.node)
      })
      this.tellCopy(ref, true)
      stored = await look()
    }
    if (stored === undefined) {
      throw new ObjectLostError(
        `object ${key} was brought here and is gone again, ${mostPulls} times; the node's store is short of memory`,
        { details: { key } },
      )
    }
    const lent = borrow === undefined || stored.lent === undefined ? undefined : decodeLent(stored.lent)
    let isLent = false
    try {
      if (borrow === undefined || lent === undefined) return this.#decode(stored.encoded, register)
      isLent = true
      return borrow(lent, () => stored.release())
    } finally {
      if (!isLent) stored.release()
      // The memory of a process that shares no store is no cache: what belongs to others goes when it was read.
      if (!this.#host.home.sameMachine && ref[0] !== this.#host.self.process) await store.delete(key)
    }
  }

  /**
   * A copy on this machine, or in this process, is freed by its owner, who has to know of it: of one that the node brings
   * here before that, so that it cannot be missed; of one that this process keeps itself when it is there.
   */
  tellCopy([owner, number, node]: RefTuple, isHere: boolean): void {
    const { self, home, storeHolder } = this.#host
    if (isHere === home.sameMachine) return
    if (owner === self.process) return this.ownCopied(number, storeHolder)
    if (isHere) return
    this.#peers.reach({ node, process: owner }).then(
      (link) => link.send([MessageType.objectCopied, number]),
      () => {
        // An owner that is gone takes all copies along.
      },
    )
  }

  /** A link that breaks says nothing of the value: the store is asked again over the next one, if there is one. */
  async #storedHere(
    key: string,
    expected: boolean | undefined,
    onLost: (error: Error) => void,
  ): ReturnType<ObjectStore['get']> {
    const { store, home } = this.#host
    for (;;) {
      const { link } = home
      try {
        return await store.get(key, expected)
      } catch (error) {
        if (error instanceof ObjectLostError) {
          // Its bytes on disk are not those that were written: a copy less.
          onLost(error)
          await store.delete(key)
          return undefined
        }
        if (!(error instanceof ConnectionLostError) || !(await this.#ends(link))) throw error
        // Rejects when the home is gone for good. The end of a link may be told to us before it is told to the home.
        await new Promise((resolve) => setImmediate(resolve))
        await home.connected()
      }
    }
  }

  /** Whether the link is lost. The memory of a node that ends may be gone before its link is. */
  async #ends(link: Link): Promise<boolean> {
    const { clock } = this.#host
    for (let waitedMs = 0; !link.closed && waitedMs < linkEndMs; waitedMs += lookMs)
      await new Promise<void>((resolve) => void clock.after(lookMs, resolve, true))
    return link.closed
  }

  #decode(encoded: EncodedValue, register: RegisterRefs): unknown {
    const codec: RefCodec = this.#host.refCodec
    if (encoded.refs.length > 0) register(encoded.refs.map(refTupleOf))
    return decodeValue(encoded, codec)
  }

  #settle(id: number, outcome: ObjectTuple): void {
    const question = this.#questions.get(id)
    if (question === undefined) return
    this.#questions.delete(id)
    if (question.key !== undefined) this.#asked.delete(question.key)
    for (const answer of question.answers) answer(outcome)
  }
}

/** Nobody else has an object whose copy on the disk of this node is damaged. */
function lostHere(error: unknown, key: string, damage: string, node: NodeId): unknown {
  const report = damage === '' ? undefined : reportOf(error)
  if (report === undefined) return error
  const here = `node ${node}: ${damage}`
  const why = report.why ? `${here}; ${report.why}` : here
  return lostError(`${(error as Error).message}; ${here}`, key, { ...report, why })
}

function ownerDied([owner]: RefTuple, reason: string): ObjectTuple {
  return ['error', compactError(ownerDiedError(owner, reason))]
}

function ownerDiedError(owner: ProcessId, reason: string): OwnerDiedError {
  return new OwnerDiedError(
    `process ${owner}, which owns this object, is gone (${reason}), and its value with it; make the object in a process that lives longer`,
    { details: { owner } },
  )
}
