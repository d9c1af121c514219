/**
 * The objects of this process and its way to those of others: values in, refs out, and back.
 *
 *     put, large arguments --> object (inline bytes, or in the store) --> watch/get --> value --> freed by the last ref
 */
import { type NodeId, objectKey, type ObjectNumber, type ProcessId } from '../base/ids.ts'
import { inlineBytes } from '../base/limits.ts'
import { compact, compactBytes } from '../objects/compact.ts'
import { type PullReport, reportOf } from '../objects/pull-failures.ts'
import { encodeValue, type EncodedValue } from '../objects/value.ts'
import { MessageType, type Message, type ObjectTuple, type RefTuple } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import type { Borrowing } from './borrowing.ts'
import { Copies } from './copies.ts'
import type { OwnerHost } from './host.ts'
import { Frees } from './frees.ts'
import { gatherValues } from './gathered-values.ts'
import type { LostObjects } from './lost-objects.ts'
import type { NodeLinks } from './node-links.ts'
import { freed } from './loss-errors.ts'
import type { Borrow, ObjectAccess, RegisterRefs } from './object-access.ts'
import { isLost, type ObjectTable, type Outcome } from './object-table.ts'
import { compactError } from './compact-error.ts'
import type { Replication } from './replication.ts'
import { noChunk, slotOf, type TaskTable } from './task-table.ts'
import { UnreadFailures } from './unread-failures.ts'

export interface ValueParts {
  readonly host: OwnerHost
  readonly table: TaskTable
  readonly objects: ObjectTable
  readonly access: ObjectAccess
  readonly nodes: NodeLinks
  readonly replication: Replication
}

export class OwnerValues {
  readonly #host: OwnerHost
  readonly #table: TaskTable
  readonly #objects: ObjectTable
  readonly #access: ObjectAccess
  /** What nodes are told of objects that are gone. */
  readonly frees: Frees
  readonly unread: UnreadFailures
  readonly #copies: Copies
  readonly #replication: Replication
  #borrowing!: Borrowing
  #lost!: LostObjects
  /** Why nothing is to be had of this process any more; set by `close`. */
  closed: Error | undefined
  /** Objects that are kept as long as this process lives. */
  kept = 0

  constructor(parts: ValueParts) {
    this.#host = parts.host
    this.#table = parts.table
    this.#objects = parts.objects
    this.#access = parts.access
    this.frees = new Frees(parts)
    this.unread = new UnreadFailures(parts)
    this.#replication = parts.replication
    const isHeld = (number: ObjectNumber): boolean => this.#table.has(number) && this.isHeld(number)
    this.#copies = new Copies({ ...parts, frees: this.frees, isHeld })
    parts.access.ownCopied = (number, holder) => this.#copies.copied(number, holder)
  }

  /** They know each other; references are made with this as what frees. */
  serve(borrowing: Borrowing, lost: LostObjects): void {
    this.#borrowing = borrowing
    this.#lost = lost
  }

  /** The link to that node manager is gone. */
  linkGone(node: NodeId): void {
    this.#replication.linkGone(node)
    this.frees.linkGone(node)
  }

  nodeDead(node: NodeId): void {
    this.#replication.nodeDead(node)
    this.frees.nodeDead(node)
  }

  /** Nothing is released, stored or awaited any more. */
  close(error: Error): void {
    this.closed = error
    this.frees.close()
  }

  /**
   * Stores a value as an object of this process; the caller holds the ref once. `replicas`: how many nodes are to keep
   * it. A small one stays in this process, and needs no node.
   */
  async put(value: unknown, replicas: number = 1): Promise<RefTuple> {
    const encoded = encodeValue(value, 'value', this.#host.refCodec)
    if (compactBytes(encoded) > inlineBytes) {
      const ref = this.store(encoded, true)
      const stored = await new Promise<Outcome>((resolve) => void this.watch(ref, resolve))
      if (stored[0] === 'error') {
        this.release(ref[0], ref[1])
        throw this.#access.decodeInline(stored[1], () => {})
      }
      if (replicas > 1)
        await this.#replication.replicate(ref[1], replicas).catch((error: unknown) => {
          this.release(ref[0], ref[1])
          throw error
        })
      return ref
    }
    const number = this.#objects.allocate(1)
    this.#borrowing.state.retainOwned(number)
    this.#objects.settle(number, ['inline', compact(encoded)])
    if (encoded.refs.length > 0) this.#contain(number, encoded)
    return [this.#host.self.process, number, this.#host.self.node]
  }

  /** As `later`, for what this process keeps as long as it lives: packed modules that go along with its functions. */
  forLife(making: Promise<unknown>): RefTuple {
    this.kept++
    return this.later(making)
  }

  /**
   * An object of this process whose value is still being made; the caller holds the ref once. What `making` rejects with
   * is what everybody gets who asks.
   */
  later(making: Promise<unknown>): RefTuple {
    const { process, node } = this.#host.self
    const number = this.#objects.allocate(1)
    this.#borrowing.state.retainOwned(number)
    this.#borrowing.state.retainOwned(number)
    making
      .then(async (value): Promise<Outcome> => {
        const encoded = encodeValue(value, 'value', this.#host.refCodec)
        if (encoded.refs.length > 0) this.#contain(number, encoded)
        if (compactBytes(encoded) <= inlineBytes) return ['inline', compact(encoded)]
        const sizeBytes = await this.#host.store.put(objectKey({ owner: process, number }), encoded)
        return ['stored', sizeBytes, [this.#host.storeHolder]]
      })
      .catch((error: unknown): Outcome => ['error', compactError(error)])
      .then((outcome) => this.#made(number, outcome))
      .catch((error: unknown) => this.#host.warn(`making object ${number} failed: ${String(error)}`))
    return [process, number, node]
  }

  /** The value of an object; what `until` registers ends the wait early, without a value. */
  get(ref: RefTuple, until?: (stop: (reason: unknown) => void) => () => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const waiting: { over: boolean; clear?: () => void } = { over: false }
      const unwatch = this.watch(ref, (outcome) => {
        waiting.over = true
        waiting.clear?.()
        this.deliver(ref, outcome, resolve, reject)
      })
      if (waiting.over || until === undefined) return
      waiting.clear = until((reason) => {
        unwatch()
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- an abort reason is the user's
        reject(reason)
      })
    })
  }

  /** The values of objects of this process in their order; rejects with the first error. */
  getAll(refs: readonly RefTuple[]): Promise<unknown[]> {
    return gatherValues({ host: this.#host, objects: this.#objects, values: this }, refs)
  }

  isReady(number: ObjectNumber): boolean {
    return this.#objects.outcome(number) !== undefined
  }

  /**
   * Calls back, once, with what became of an object: at once when that is known here. Returns what takes the callback
   * back. `waits`: the process counts as waiting meanwhile.
   */
  watch(ref: RefTuple, then: (outcome: Outcome) => void, waits = true): () => void {
    const [owner, number] = ref
    const own = owner === this.#host.self.process
    const known = this.known(ref)
    if (known !== undefined) {
      then(known)
      return () => {}
    }
    const leave = waits ? this.#host.enterWait() : undefined
    const letGo = own ? this.hold(ref) : undefined
    let over = false
    const end = (): void => {
      if (over) return
      over = true
      leave?.()
      letGo?.()
    }
    const waiter = (outcome: Outcome): void => {
      if (over) return
      // It is held until it was handed on.
      then(outcome)
      end()
    }
    if (own) this.#objects.await(number, waiter)
    const forget = own ? undefined : this.#access.ask(ref, waiter)
    return () => {
      if (own && !over) this.#objects.unawait(number, waiter)
      forget?.()
      end()
    }
  }

  /** A copy of what another process owns is about to be brought to the store here: its owner is to free that, too. */
  comes(ref: RefTuple): void {
    if (ref[0] !== this.#host.self.process) this.#access.tellCopy(ref, false)
  }

  /** A copy of the value was brought to the store here: it goes with the object. */
  brought(ref: RefTuple): void {
    if (ref[0] === this.#host.self.process) this.#objects.addHolder(ref[1], this.#host.storeHolder)
  }

  retain(ref: RefTuple): void {
    this.#borrowing.state.retain(ref)
  }

  /** Keeps an object that is here, until what this returns is called; again, that has no effect. */
  hold(ref: RefTuple): () => void {
    const [owner, number] = ref
    const isOwn = owner === this.#host.self.process
    let isKept = isOwn ? this.#table.has(number) : this.#borrowing.state.isHeld(owner, number)
    if (isKept && isOwn) this.#borrowing.state.retainOwned(number)
    else if (isKept) this.retain(ref)
    return () => {
      if (isKept) this.release(owner, number)
      isKept = false
    }
  }

  release(owner: ProcessId, number: ObjectNumber): void {
    if (this.closed !== undefined) return
    this.#borrowing.state.release(owner, number)
    if (owner !== this.#host.self.process) this.#borrowing.released()
  }

  /** What is known at once of an object: its outcome, or why there will be none. */
  known([owner, number, node]: RefTuple): Outcome | undefined {
    if (this.closed !== undefined) return ['error', compactError(this.closed)]
    if (owner !== this.#host.self.process) return undefined
    if (!this.#table.has(number)) return ['error', compactError(freed([owner, number, node]))]
    let outcome = this.#objects.outcome(number)
    if (outcome !== undefined && isLost(outcome)) {
      // Its number may be kept for lineage alone.
      if (!this.#borrowing.state.isHeld(owner, number)) return ['error', compactError(freed([owner, number, node]))]
      this.#lost.recovery.state.need(number)
      outcome = this.#objects.outcome(number)
    }
    if (outcome?.[0] === 'error') outcome.unread = false
    return outcome
  }

  /** No copy of what was answered could be read: calls back when there is something else, in any case once. */
  again(ref: RefTuple, report: PullReport, then: (outcome: Outcome) => void): void {
    if (ref[0] !== this.#host.self.process) return void this.#access.ask(ref, then, report)
    this.#lost.recovery.reported(ref[1], report, () => void this.watch(ref, then, false))
  }

  /** The value of an outcome; of another one where no copy of it can be read. */
  async #read(ref: RefTuple, outcome: ObjectTuple, register: RegisterRefs, borrow?: Borrow): Promise<unknown> {
    for (let now = outcome; ;) {
      try {
        const value = await this.#access.decode(ref, now, register, borrow)
        this.brought(ref)
        return value
      } catch (error) {
        if (now[0] === 'stored') this.frees.mayComeHere(ref)
        const report = now[0] === 'stored' ? reportOf(error) : undefined
        if (report === undefined) throw error
        now = await new Promise<Outcome>((resolve) => this.again(ref, report, resolve))
      }
    }
  }

  /** Hands an outcome to a promise; the object stays alive until its value is decoded. `borrow`: as for `ObjectAccess`. */
  deliver(
    ref: RefTuple,
    outcome: ObjectTuple,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    borrow?: Borrow,
  ): void {
    const register: RegisterRefs = (refs) => this.#borrowing.state.decodeWithin(ref, refs)
    if (outcome[0] !== 'stored') {
      try {
        if (outcome[0] === 'inline') resolve(this.#access.decodeInline(outcome[1], register))
        else reject(this.#access.decodeError(outcome[1], register))
      } catch (error) {
        reject(error)
      }
      return
    }
    const letGo = this.hold(ref)
    const leave = this.#host.enterWait()
    this.#read(ref, outcome, register, borrow)
      .then(resolve, reject)
      .finally(() => {
        leave()
        letGo()
      })
  }

  /**
   * A value too large to travel inline becomes an object; it is ready when it is in the store. Its buffers are taken as
   * they are at the call, copied where they cannot be stored at once; unless the caller keeps them as they are until then
   * (`isKept`).
   */
  store(encoded: EncodedValue, isKept: boolean = false): RefTuple {
    const number = this.#objects.allocate(1)
    this.#borrowing.state.retainOwned(number)
    const ref: RefTuple = [this.#host.self.process, number, this.#host.self.node]
    if (encoded.refs.length > 0) this.#contain(number, encoded)
    this.#borrowing.state.retainOwned(number)
    this.#storing(objectKey({ owner: ref[0], number }), encoded, isKept)
      .then(
        (sizeBytes): Outcome => ['stored', sizeBytes, [this.#host.storeHolder]],
        (error: unknown): Outcome => ['error', compactError(error)],
      )
      .then((outcome) => this.#made(number, outcome))
      .catch((error: unknown) => this.#host.warn(`storing object ${number} failed: ${String(error)}`))
    return ref
  }

  /** An object that was put has its value, or will have none: at the end of everything, too, whoever waits is told. */
  #made(number: ObjectNumber, outcome: Outcome): void {
    const end = this.closed
    this.#objects.settle(number, end === undefined ? outcome : ['error', compactError(end)])
    if (end === undefined) this.release(this.#host.self.process, number)
  }

  async #storing(key: string, encoded: EncodedValue, isKept: boolean): Promise<number> {
    const { store } = this.#host
    if (isKept) return store.put(key, encoded)
    // Up to here nothing was awaited: these are the bytes of the call.
    const now = store.putNow?.(key, encoded)
    if (now !== undefined) return now
    const buffers = encoded.buffers.map((buffer) => new Uint8Array(buffer))
    return store.put(key, { ...encoded, buffers })
  }

  #contain(number: number, encoded: EncodedValue): void {
    const refs = encoded.refs.map(({ owner, number: inner, address }): RefTuple => [owner, inner, address.node])
    this.#borrowing.state.contain(number, refs)
  }

  /** Whether an object of this process is to stay: nobody tells when a handle goes that came after it was freed. */
  isHeld(number: number): boolean {
    return this.#borrowing.state.isLive(number)
  }

  /** Nobody refers to an object of this process any more. */
  free(number: ObjectNumber): void {
    if (this.#objects.isItem(number)) return this.drop(number)
    // The results of a task that has not settled go when it does (`Submission.finish`).
    const task = this.#objects.taskOf(number)
    const page = this.#table.page(task)
    if (page === undefined || page.argsChunk[slotOf(task)] === noChunk) this.drop(number)
  }

  drop(number: ObjectNumber): void {
    if (!this.#table.has(number)) return
    const outcome = this.#objects.outcome(number)
    if (outcome?.[0] === 'stored') {
      if (this.#replication.size > 0) this.#replication.drop(number)
      this.frees.free(number, outcome[2])
    }
    if (outcome?.[0] === 'error') this.unread.dropped(outcome)
    if (this.frees.size > 0) this.frees.dropped(number)
    this.#lost.recovery.dropped(number)
    if (!this.#lost.lineage.unheld(number)) this.#table.release(number)
  }

  /** Nobody wants the object, nor a task of which it was an argument: copies that an attempt left since go, too. */
  forget(number: ObjectNumber): void {
    if (!this.#table.has(number) || this.isHeld(number)) return
    this.frees.dropped(number)
    this.#table.release(number)
  }

  /** Another process asks for an object of this one, or could not read what it was told of. False for another message. */
  asked(link: Link, message: Message): boolean {
    if (this.#copies.received(link, message)) return true
    if (message[0] === MessageType.objectGet) this.#tell(link, message[1], message[2])
    else if (message[0] !== MessageType.objectLost) return false
    else {
      const [, requestId, number, absent, unreached, why] = message
      this.#lost.recovery.reported(number, { absent, unreached, why }, () => this.#tell(link, requestId, number))
    }
    return true
  }

  #tell(link: Link, requestId: number, number: ObjectNumber): void {
    const ref: RefTuple = [this.#host.self.process, number, this.#host.self.node]
    // Who asks may want to know only where it lies. Who has a copy brought says so (`Copies`).
    this.watch(ref, (outcome) => link.send([MessageType.objectValue, requestId, outcome]), false)
  }
}
