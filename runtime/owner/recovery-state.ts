/**
 * What an owner does about stored objects whose copies are gone. Pure. For each object:
 *
 *                      last copy gone                somebody needs it
 *     1 available ---------------------> 2 lost --------------------------> 3 recovering
 *          ^                                                                 |       |
 *          +----------- its task has run again, or runs already for another -+       +--> 4 failed, with the reason
 *
 * - Nothing is run before somebody needs it: a `get`, a task that has it as an argument, a process that was refused.
 * - Everybody who needs it waits for the one recovery; a task with several lost results runs once for all of them.
 * - Its task needs its own arguments: those that are lost come first, which leads here again. A chain of any length is
 *   a list here, not a recursion.
 *
 * A reader that could not get at a copy says so (`reported`): who answers that it does not have it is no holder; who does
 * not answer may be dead, which the cluster knows within seconds. Until then the reader tries again.
 */
import type { Clock } from '../base/clock.ts'
import type { NodeId, ObjectNumber, TaskNumber } from '../base/ids.ts'
import type { PullReport } from '../objects/pull-failures.ts'
import type { Holder } from '../protocol/messages.ts'
import { NumberQueue } from './number-queue.ts'

/** Why an object cannot be made again. `details.reason` of ObjectReconstructionFailedError. */
export type LossReason =
  /** It was `put`, or was a large argument: no task made it. */
  | 'put'
  /** Its task has `maxRetries: 0`. */
  | 'retries disabled'
  /** Its task has no retry left. */
  | 'attempts exceeded'
  /** The spec of its task was let go of for want of room. */
  | 'lineage evicted'
  /** Its task ran in a worker of its own (a pool with an initializer), whose state is gone. */
  | 'pinned worker'
  /** An argument of its task belongs to a process that is gone. */
  | 'owner died'
  /** The task was cancelled while it ran again. */
  | 'cancelled'
  /** It is an item of a generator that failed or was cancelled. */
  | 'generator ended'
  /** The task failed when it ran again. */
  | 'task failed'
  /** The task could not be placed, or no worker be started for it. */
  | 'unschedulable'

export interface RecoveryEffects {
  /** The task whose spec is kept and makes the object. */
  makerOf(number: ObjectNumber): TaskNumber | undefined
  /**
   * Why an object cannot be made again; undefined where its maker may run once more; `later` where that is not over and
   * `need` will be called again.
   */
  judge(number: ObjectNumber, maker: TaskNumber | undefined): LossReason | 'later' | undefined
  /** It has no value until it is settled anew: from now on whoever asks waits. */
  reopen(number: ObjectNumber): void
  /** Run the task again, once its arguments are there. Ends with `ended`. May lead to `need` at once. */
  rerun(task: TaskNumber): void
  /** There will be no value: whoever waits is told. */
  fail(number: ObjectNumber, reason: LossReason): void
}

/** What is known of the copies after a report, and when the reader is to hear of it. */
export interface Verdict {
  readonly holders: readonly Holder[]
  readonly answer: 'now' | 'later'
}

/** A holder that the cluster takes for alive and nobody reaches is one no longer after this, in milliseconds. */
const suspectMs = 30_000
/** And after so many reports, at least: who cannot reach it now and then may just be unlucky. */
const suspectReports = 3
/**
 * Without a report for so long, the next one is about something new, in milliseconds: well above what a pull may take that
 * hears nothing, which is up to a minute for each holder.
 */
const forgetMs = 180_000

export class RecoveryState {
  readonly #effects: RecoveryEffects
  readonly #clock: Pick<Clock, 'now'>
  /** Tasks that run again. */
  readonly #running: Set<TaskNumber> = new Set<TaskNumber>()
  /** Objects that are waited for and have not been judged. */
  readonly #needed: NumberQueue = new NumberQueue()
  /** Holders that do not answer, by object. */
  readonly #suspected: Map<ObjectNumber, { readonly sinceMs: number; lastMs: number; reports: number }> = new Map()
  #isJudging = false

  constructor(effects: RecoveryEffects, clock: Pick<Clock, 'now'>) {
    this.#effects = effects
    this.#clock = clock
  }

  /** Tasks that run again, and objects of which somebody could not get a copy. */
  get size(): number {
    return this.#running.size + this.#suspected.size
  }

  /** Whether nothing runs again. */
  get isIdle(): boolean {
    return this.#running.size === 0
  }

  isRunning(task: TaskNumber): boolean {
    return this.#running.has(task)
  }

  /** Somebody needs an object of which there is no copy. */
  need(number: ObjectNumber): void {
    this.#effects.reopen(number)
    this.#needed.push(number)
    if (this.#isJudging) return
    this.#isJudging = true
    for (let next = this.#needed.shift(); next !== undefined; next = this.#needed.shift()) this.#recover(next)
    this.#isJudging = false
  }

  /** The task has run again, whatever came of it. */
  ended(task: TaskNumber): void {
    this.#running.delete(task)
  }

  /** A reader could not get at any of `holders`, as far as it knew them. */
  reported(
    number: ObjectNumber,
    holders: readonly Holder[],
    report: PullReport,
    isDead: (node: NodeId) => boolean,
  ): Verdict {
    const left = holders.filter((holder) => !isIn(report.absent, holder) && !isDead(holder[0]))
    if (left.length === 0) return this.#gone(number)
    const tried = [...report.absent, ...report.unreached]
    // It knew less than is known here, and learns it by the answer.
    if (tried.length > 0 && !left.every((holder) => isIn(tried, holder))) return { holders: left, answer: 'now' }
    const now = this.#clock.now()
    const before = this.#suspected.get(number)
    if (before === undefined || now - before.lastMs > forgetMs) {
      this.#suspected.set(number, { sinceMs: now, lastMs: now, reports: 1 })
      return { holders: left, answer: 'later' }
    }
    before.lastMs = now
    before.reports++
    const isOver = now - before.sinceMs > suspectMs && before.reports >= suspectReports
    return isOver ? this.#gone(number) : { holders: left, answer: 'later' }
  }

  /** The object is freed, or has a value again. */
  drop(number: ObjectNumber): void {
    if (this.#suspected.size > 0) this.#suspected.delete(number)
  }

  clear(): void {
    this.#running.clear()
    this.#suspected.clear()
  }

  #gone(number: ObjectNumber): Verdict {
    this.#suspected.delete(number)
    return { holders: [], answer: 'now' }
  }

  #recover(number: ObjectNumber): void {
    const maker = this.#effects.makerOf(number)
    // It runs for another of its results, or for somebody who asked before.
    if (maker !== undefined && this.#running.has(maker)) return
    const reason = this.#effects.judge(number, maker)
    if (reason === 'later') return
    if (reason !== undefined || maker === undefined) return this.#effects.fail(number, reason ?? 'lineage evicted')
    this.#running.add(maker)
    this.#effects.rerun(maker)
  }
}

/** What is said of a copy that was in the same place before is not said of this one. */
function isIn(holders: readonly Holder[], [node, process, copy]: Holder): boolean {
  return holders.some((holder) => holder[0] === node && holder[1] === process && holder[2] === copy)
}
