/**
 * Tasks that wait for the values of their arguments: before they are ready the first time, and again when copies of those
 * values are gone before a worker could read them.
 */
import { SerializationError } from '../base/errors.ts'
import type { NodeId, ProcessId } from '../base/ids.ts'
import { maxFrameBytes } from '../base/limits.ts'
import { decodeCompact } from '../objects/compact.ts'
import type { PullReport } from '../objects/pull-failures.ts'
import type { Attachment, Holder, RefTuple } from '../protocol/messages.ts'
import { isLost, type ObjectTable, type Outcome } from './object-table.ts'
import { compactError } from './compact-error.ts'
import type { OwnerValues } from './owner-values.ts'
import type { SubmitState } from './submit-state.ts'
import { slotOf, TaskState, type TaskTable } from './task-table.ts'

/** An argument that a worker could not read, as it says in `details.lost` of its error. */
export type LostArgument = readonly [
  ref: RefTuple,
  absent: readonly Holder[],
  unreached: readonly Holder[],
  why: string,
]

export interface ArgumentParts {
  readonly self: { readonly process: ProcessId }
  readonly table: TaskTable
  readonly objects: ObjectTable
  readonly values: OwnerValues
  /** Where the values go when all are there. */
  readonly attachments: Map<number, readonly Attachment[]>
  state(): SubmitState
  /** The task ends with the error of its argument, without having run. Not called from within another such call. */
  failed(number: number, error: Uint8Array): void
}

type Known = readonly (Attachment | undefined)[]
type Reports = ReadonlyMap<string, PullReport>

/** Of a message, beside the values that are attached to it: a spec, and for each of them a ref. */
const pushBytes = 1024 * 1024
const refBytes = 64

const nothing: Known = []
const noReports: Reports = new Map<string, PullReport>()

export class ArgumentWaits {
  readonly #parts: ArgumentParts
  /** A list instead of recursion: a task whose argument failed is the argument of the next one. */
  readonly #failing: (readonly [number: number, error: Uint8Array])[] = []
  #isFailing = false

  constructor(parts: ArgumentParts) {
    this.#parts = parts
  }

  /**
   * The task is ready when all values are there. `known`: those that are. `reports`: of refs whose value was known and
   * could not be read.
   */
  begin(number: number, awaited: readonly RefTuple[], known: Known = nothing, reports: Reports = noReports): void {
    const { values } = this.#parts
    const found: Attachment[] = []
    let left = awaited.length
    const take = (i: number, ref: RefTuple, outcome: Outcome): void => {
      if (outcome[0] === 'error') return this.#fail(number, outcome[1])
      found[i] = [ref, outcome]
      if (--left === 0 && this.#isWaiting(number)) this.#complete(number, found)
    }
    awaited.forEach((ref, i) => {
      const value = known[i]
      if (value !== undefined) return take(i, ref, value[1])
      const report = reports.size === 0 ? undefined : reports.get(nameOf(ref))
      if (report === undefined) values.watch(ref, (outcome) => take(i, ref, outcome), false)
      else values.again(ref, report, (outcome) => take(i, ref, outcome))
    })
  }

  /** It may have been cancelled meanwhile, and its refs be held all the same. */
  #isWaiting(number: number): boolean {
    const { table } = this.#parts
    return table.has(number) && table.at(number).state[slotOf(number)] === TaskState.waiting
  }

  /** Its worker could not read some of its arguments: it waits for what their owners say to that. */
  lost(number: number, error: Uint8Array): void {
    const reports = new Map<string, PullReport>()
    for (const [ref, absent, unreached, why] of lostIn(error)) reports.set(nameOf(ref), { absent, unreached, why })
    this.#beginAgain(number, reports)
  }

  /** What lay on that node is gone: a queued task that counts on it waits for it. */
  nodeDead(node: NodeId): void {
    for (const [number, values] of [...this.#parts.attachments]) {
      const counts = values.some(([, value]) => value[0] === 'stored' && value[2].some(([at]) => at === node))
      if (counts && this.#parts.state().unready(number)) this.#beginAgain(number, noReports)
    }
  }

  #beginAgain(number: number, reports: Reports): void {
    const { attachments } = this.#parts
    const values = attachments.get(number) ?? []
    attachments.delete(number)
    const inline = values.map((value) => (value[1][0] === 'inline' ? value : undefined))
    const refs = values.map(([ref]) => ref)
    this.begin(number, refs, inline, reports)
  }

  #complete(number: number, found: readonly Attachment[]): void {
    const tooLarge = this.#tooLarge(number, found)
    if (tooLarge !== undefined) return this.#fail(number, compactError(tooLarge))
    this.#parts.attachments.set(number, found)
    // Copies may have gone while other values were waited for.
    if (found.some((value) => this.#isGone(value))) this.#beginAgain(number, noReports)
    else this.#parts.state().ready(number)
  }

  /** Small values travel with the call; those of very many refs together may be more than one message takes. */
  #tooLarge(number: number, found: readonly Attachment[]): SerializationError | undefined {
    let sizeBytes = pushBytes + (this.#parts.table.at(number).argsLength[slotOf(number)] ?? 0)
    for (const [, value] of found) sizeBytes += refBytes + (value[0] === 'inline' ? value[1].length : 0)
    if (sizeBytes <= maxFrameBytes) return undefined
    return new SerializationError(
      `the values of the ${found.length} refs among the arguments take ${sizeBytes} bytes, and one call takes ${maxFrameBytes}; ` +
        'pass one list of these refs, and get them in the task',
    )
  }

  #isGone([[owner, number], value]: Attachment): boolean {
    if (value[0] !== 'stored' || owner !== this.#parts.self.process) return false
    const now = this.#parts.objects.outcome(number)
    return now === undefined || isLost(now)
  }

  #fail(number: number, error: Uint8Array): void {
    this.#failing.push([number, error])
    if (this.#isFailing) return
    this.#isFailing = true
    for (let next = this.#failing.shift(); next !== undefined; next = this.#failing.shift()) {
      const [task, bytes] = next
      if (this.#parts.table.has(task) && this.#parts.state().drop(task)) this.#parts.failed(task, bytes)
    }
    this.#isFailing = false
  }
}

function nameOf([owner, number]: RefTuple): string {
  return `${owner}:${number}`
}

function lostIn(error: Uint8Array): readonly LostArgument[] {
  const decoded = decodeCompact(error)
  const lost = (decoded as { details?: { lost?: unknown } } | undefined)?.details?.lost
  return Array.isArray(lost) ? (lost as LostArgument[]) : []
}
