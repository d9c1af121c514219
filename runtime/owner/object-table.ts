/**
 * What became of the objects of this owner, and who waits for them. A value that came inline is kept as the bytes that
 * came; who asks before it is there leaves a callback in the same place:
 *
 *     slot:  undefined --await--> waiter(s) --settle--> outcome --free--> (number released)
 *                     \------------settle-------------/
 */
import type { ObjectNumber } from '../base/ids.ts'
import type { Holder, ObjectTuple, RefTuple } from '../protocol/messages.ts'
import { SlotReader } from './slot-reader.ts'
import { itemChunk, slotOf, TaskState, type TaskTable } from './task-table.ts'

/**
 * An object's end state. `unread` errors are reported when nobody ever looked at them. A stored one without holders is
 * lost; `lost` says how copies of it were.
 */
export type Outcome = ObjectTuple & { unread?: boolean; lost?: string }
type Waiter = ((outcome: Outcome) => void) | SlotReader

/** In the place of a waiter: somebody has waited, or may yet. */
const asked: Waiter = () => {}

/** Of how copies were lost, so many characters at most before the next one. */
const mostWords = 500
/** How an object was lost that was freed, and whose number lineage keeps. */
const released = 'nobody referred to it any more'

/** Results of a task beyond its first have this in their `argsChunk` column, and their distance in `sequence`. */
const furtherResult = -2

export class ObjectTable {
  readonly #table: TaskTable
  /** Copies that were added, or made again: each is told from what was in the same place before. */
  #copies = 0
  /** There may be errors that nobody has read. */
  #mayBeUnread = false

  constructor(table: TaskTable) {
    this.#table = table
  }

  /** Numbers for a task with `count` results; the first is the task's. */
  allocate(count: number): ObjectNumber {
    const first = this.#table.allocate(count)
    for (let i = 1; i < count; i++) {
      const page = this.#table.at(first + i)
      page.argsChunk[slotOf(first + i)] = furtherResult
      page.sequence[slotOf(first + i)] = i
    }
    return first
  }

  /** Numbers for items of a generator, which its task need not outlive. */
  allocateItems(task: number, count: number): ObjectNumber {
    const template = this.#table.at(task).template[slotOf(task)] as number
    const first = this.#table.allocate(count)
    for (let number = first; number < first + count; number++) {
      const page = this.#table.at(number)
      page.argsChunk[slotOf(number)] = itemChunk
      page.sequence[slotOf(number)] = number - task
      page.template[slotOf(number)] = template
    }
    return first
  }

  /** The task that makes an object: itself, but for further results and for items of a generator. */
  taskOf(number: ObjectNumber): number {
    const page = this.#table.at(number)
    const slot = slotOf(number)
    const chunk = page.argsChunk[slot]
    return chunk === furtherResult || chunk === itemChunk ? number - (page.sequence[slot] as number) : number
  }

  isItem(number: ObjectNumber): boolean {
    return this.#table.page(number)?.argsChunk[slotOf(number)] === itemChunk
  }

  /** Whether that task was sent to a worker: what was put is in the same table, and was not. */
  isResult(task: number): boolean {
    return this.#table.page(task)?.lease[slotOf(task)] !== 0
  }

  outcome(number: ObjectNumber): Outcome | undefined {
    const held = this.#table.page(number)?.slot[slotOf(number)]
    if (held instanceof Uint8Array) return ['inline', held]
    return isOutcome(held) ? held : undefined
  }

  /** Calls back with the outcome: at once when it is there. */
  await(number: ObjectNumber, waiter: Waiter): void {
    const outcome = this.outcome(number)
    if (outcome !== undefined) {
      if (outcome[0] === 'error') outcome.unread = false
      return wake(waiter, outcome)
    }
    const page = this.#table.at(number)
    const slot = slotOf(number)
    const held = page.slot[slot]
    if (held === undefined) page.slot[slot] = waiter
    else if (Array.isArray(held)) (held as Waiter[]).push(waiter)
    else page.slot[slot] = [...waitersIn(held), waiter]
  }

  /** Takes a waiter back, before it was called. */
  unawait(number: ObjectNumber, waiter: Waiter): void {
    const page = this.#table.page(number)
    if (page === undefined) return
    const held = page.slot[slotOf(number)]
    // It was asked for, whatever becomes of it.
    if (held === waiter) page.slot[slotOf(number)] = asked
    else if (Array.isArray(held) && !isOutcome(held)) {
      const at = held.indexOf(waiter)
      if (at >= 0) held.splice(at, 1)
    }
  }

  /** The end of an object: wakes who waits, keeps the outcome if anybody may still ask. */
  settle(number: ObjectNumber, became: Outcome): void {
    const page = this.#table.at(number)
    const slot = slotOf(number)
    const held = page.slot[slot]
    const waiters = isOutcome(held) ? [] : waitersIn(held)
    const outcome: Outcome =
      became[0] === 'stored' && this.#isMadeAgain(number)
        ? ['stored', became[1], became[2].map((holder) => this.#copyAt(holder))]
        : became
    // The results of one failed task share its outcome: one that was read is enough.
    if (outcome[0] === 'error') {
      outcome.unread = outcome.unread !== false && (held === undefined || isOutcome(held))
      this.#mayBeUnread ||= outcome.unread
    }
    page.slot[slot] = outcome[0] === 'inline' ? owned(outcome[1]) : outcome
    if (page.state[slot] === TaskState.none) page.state[slot] = TaskState.settled
    for (const waiter of waiters) wake(waiter, outcome)
  }

  /** It is freed, and its number stays: there is no copy any more. An error stays what it is. */
  lose(number: ObjectNumber): void {
    const outcome = this.outcome(number)
    if (outcome?.[0] === 'error') return
    this.#setStored(number, outcome?.[0] === 'stored' ? outcome[1] : 0, [], released)
  }

  /** Of the places where a stored object lies those stay that `isLeft` says; `how` the others were lost is kept. */
  keepHolders(number: ObjectNumber, isLeft: (holder: Holder) => boolean, how: string): void {
    const outcome = this.outcome(number)
    if (outcome?.[0] !== 'stored' || outcome[2].every(isLeft)) return
    const left = outcome[2].filter(isLeft)
    const { lost: before = '' } = outcome
    // Copies may come and go for as long as the object is there: what is known of the last ones says enough.
    const known = before === '' || before.length > mostWords ? how : `${before}; ${how}`
    this.#setStored(number, outcome[1], left, known)
  }

  /** An object that is lost is to be settled anew: who asks waits. */
  reopen(number: ObjectNumber): void {
    this.#table.at(number).slot[slotOf(number)] = undefined
  }

  /** Whether another attempt of its task may have left something where it lies. */
  #isMadeAgain(number: ObjectNumber): boolean {
    const task = this.taskOf(number)
    return (this.#table.page(task)?.attempt[slotOf(task)] ?? 0) > 0
  }

  #copyAt([node, process]: Holder): Holder {
    return [node, process, ++this.#copies]
  }

  #setStored(number: ObjectNumber, sizeBytes: number, holders: readonly Holder[], lost: string | undefined): void {
    const outcome: Outcome = ['stored', sizeBytes, holders]
    if (lost !== undefined) outcome.lost = lost
    this.#table.at(number).slot[slotOf(number)] = outcome
  }

  /** The common end: one inline value. Wakes a single reader without building anything for it. */
  settleInline(number: ObjectNumber, bytes: Uint8Array, alive: boolean): void {
    const page = this.#table.at(number)
    const slot = slotOf(number)
    const held = page.slot[slot]
    const isOne = held instanceof SlotReader
    if (held === undefined || (alive && !isOne)) return this.settle(number, ['inline', bytes])
    page.slot[slot] = alive ? owned(bytes) : undefined
    if (alive && page.state[slot] === TaskState.none) page.state[slot] = TaskState.settled
    if (isOne) return held.settleInline(bytes)
    for (const waiter of waitersIn(held)) wake(waiter, ['inline', bytes])
  }

  /** Somebody else was given the ref: that may ask, or not. */
  passedOn(number: ObjectNumber): void {
    const page = this.#table.page(number)
    if (page === undefined) return
    const slot = slotOf(number)
    const held = page.slot[slot]
    if (held === undefined) page.slot[slot] = asked
    else if (isOutcome(held) && held[0] === 'error') held.unread = false
  }

  /** Errors that nobody has read, each once for all results of its task; they count as read from now on. */
  takeUnread(): Uint8Array[] {
    const errors: Uint8Array[] = []
    if (!this.#mayBeUnread) return errors
    this.#mayBeUnread = false
    for (const number of this.#table.numbers()) {
      const held = this.#table.at(number).slot[slotOf(number)]
      if (held instanceof Uint8Array || !isOutcome(held) || held[0] !== 'error' || held.unread !== true) continue
      held.unread = false
      errors.push(held[1])
    }
    return errors
  }

  /** Whether anybody waits for it. */
  isAwaited(number: ObjectNumber): boolean {
    const held = this.#table.page(number)?.slot[slotOf(number)]
    return !isOutcome(held) && waitersIn(held).some((waiter) => waiter !== asked)
  }

  /** Adds a place where a stored object lies too. */
  addHolder(number: ObjectNumber, holder: Holder): void {
    const outcome = this.outcome(number)
    if (outcome?.[0] !== 'stored' || outcome.lost === released) return
    if (outcome[2].some(([node, process]) => node === holder[0] && process === holder[1])) return
    this.#setStored(number, outcome[1], [...outcome[2], this.#copyAt(holder)], outcome.lost)
  }

  /** The store of that node does not have it (any more). */
  removeHolder(number: ObjectNumber, node: RefTuple[2]): void {
    const outcome = this.outcome(number)
    if (outcome?.[0] !== 'stored') return
    const left = outcome[2].filter((holder) => holder[0] !== node || holder[1] !== node)
    if (left.length < outcome[2].length) this.#setStored(number, outcome[1], left, outcome.lost)
  }
}

/** Whether there is no copy of it any more. */
export function isLost(outcome: Outcome): boolean {
  return outcome[0] === 'stored' && outcome[2].length === 0
}

/** Those who wait in a slot that holds no outcome. */
function waitersIn(held: unknown): readonly Waiter[] {
  if (typeof held === 'function' || held instanceof SlotReader) return [held as Waiter]
  return Array.isArray(held) ? (held as Waiter[]) : []
}

function wake(waiter: Waiter, outcome: Outcome): void {
  if (waiter instanceof SlotReader) waiter.settle(outcome)
  else waiter(outcome)
}

function isOutcome(held: unknown): held is Outcome {
  return held instanceof Uint8Array || (Array.isArray(held) && typeof held[0] === 'string')
}

/** Bytes of a message are views of its frame: what is kept must not keep all of that. */
function owned(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength < bytes.buffer.byteLength / 2 ? new Uint8Array(bytes) : bytes
}
