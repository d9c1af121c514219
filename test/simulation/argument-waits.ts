/** Tasks of a simulated owner that wait for the values of their arguments, as `runtime/owner/argument-waits.ts` has it. */
import type { NodeId } from '../../runtime/base/ids.ts'
import type { PullReport } from '../../runtime/objects/pull-failures.ts'
import type { RefTuple } from '../../runtime/protocol/messages.ts'
import type { SimOwner } from './owner.ts'
import { isLost, type Outcome, refKey } from './tasks.ts'

type Outcomes = ReadonlyMap<string, Outcome>
type Reports = ReadonlyMap<string, PullReport>

const none: ReadonlyMap<string, never> = new Map<string, never>()

export class ArgumentWaits {
  /** Of tasks whose values are all known. */
  readonly values: Map<number, Outcomes> = new Map<number, Outcomes>()
  readonly #owner: SimOwner

  constructor(owner: SimOwner) {
    this.#owner = owner
  }

  /** The task is ready when all are there. `known`: those that are. `reports`: of those that could not be read. */
  begin(task: number, refs: readonly RefTuple[], known: Outcomes = none, reports: Reports = none): void {
    const owner = this.#owner
    const attempt = owner.attemptOf(task)
    const found = new Map<string, Outcome>(known)
    const left = refs.filter((ref) => !known.has(refKey(ref)))
    let waits = left.length
    const end = (): void => {
      // It may have settled, or run again, while it waited.
      if (!owner.calls.has(task) || owner.attemptOf(task) !== attempt) return
      this.values.set(task, found)
      if (refs.some((ref) => this.#isGone(ref, found.get(refKey(ref))))) this.again(task, none)
      else owner.submit.ready(task)
    }
    for (const ref of left) {
      const take = (outcome: Outcome): void => {
        if (!owner.calls.has(task) || owner.attemptOf(task) !== attempt) return
        if (outcome.error) return owner.argumentFailed(task)
        found.set(refKey(ref), outcome)
        if (--waits === 0) end()
      }
      const report = reports.get(refKey(ref))
      if (report === undefined) owner.outcomeOf(ref, take)
      else owner.outcomeAgain(ref, report, take)
    }
    if (left.length === 0) end()
  }

  /** Its worker could not read some of its arguments. */
  again(task: number, reports: Reports): void {
    const call = this.#owner.calls.get(task)
    const values = this.values.get(task) ?? none
    this.values.delete(task)
    const inline = new Map([...values].filter(([, { stored }]) => stored === undefined))
    if (call !== undefined) this.begin(task, call.awaited, inline, reports)
  }

  /** What lay on that node is gone: a queued task that counts on it waits for it. */
  nodeDead(node: NodeId): void {
    for (const [task, values] of [...this.values]) {
      const counts = [...values.values()].some(({ stored }) => stored?.holders.some(([at]) => at === node))
      if (counts && this.#owner.submit.unready(task)) this.again(task, none)
    }
  }

  #isGone([owner, number]: RefTuple, value: Outcome | undefined): boolean {
    if (value?.stored === undefined || owner !== this.#owner.process.id) return false
    const now = this.#owner.outcomes.get(number)
    return now === undefined || isLost(now)
  }
}
