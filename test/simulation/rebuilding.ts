/**
 * Lost values of a simulated owner, and how they come back: `LineageState` and `RecoveryState`, whose instructions are
 * carried out as `runtime/owner/lineage.ts` and `recovery.ts` do it.
 */
import type { NodeId } from '../../runtime/base/ids.ts'
import type { PullReport } from '../../runtime/objects/pull-failures.ts'
import { LineageState } from '../../runtime/owner/lineage-state.ts'
import { type LossReason, RecoveryState } from '../../runtime/owner/recovery-state.ts'
import { slotOf } from '../../runtime/owner/task-table.ts'
import type { Holder, RefTuple } from '../../runtime/protocol/messages.ts'
import type { SimOwner } from './owner.ts'
import { type Call, isLost, type Outcome, refKey } from './tasks.ts'
import { keyOf } from './values.ts'

interface Spec {
  readonly call: Call
  /** Refs that are held for it. */
  readonly held: readonly RefTuple[]
  /** Arguments that other kept specs make. */
  readonly made: readonly number[]
  /** Arguments that need not be waited for: their values are part of it. */
  readonly known: ReadonlyMap<string, Outcome>
}

/** How long a reader that reaches no holder is left waiting before it tries again, in milliseconds. */
const laterMs = 200
const specBytes = 1_000

export class Rebuilding {
  readonly lineage: LineageState
  readonly state: RecoveryState
  readonly specs: Map<number, Spec> = new Map<number, Spec>()
  readonly #owner: SimOwner
  /** Lost objects that somebody waits for. */
  readonly #wanted = new Set<number>()

  constructor(owner: SimOwner) {
    this.#owner = owner
    this.lineage = new LineageState(owner.world.options.specs * specBytes, { forget: (task) => this.#forget(task) })
    this.state = new RecoveryState(
      {
        makerOf: (number) => this.lineage.makerOf(number),
        judge: (number, maker) => this.#judge(number, maker),
        reopen: (number) => {
          if (owner.outcomes.delete(number)) this.#wanted.add(number)
        },
        rerun: (task) => this.#rerun(task),
        fail: (number, reason) => this.#settleAgain(number, this.#failure(number, reason)),
      },
      owner.world.clock,
    )
  }

  get size(): number {
    return this.specs.size + this.state.size + this.#wanted.size
  }

  /** A task has finished, and its results are about to settle. */
  keep(task: number, call: Call, results: readonly Outcome[], values: ReadonlyMap<string, Outcome>): void {
    const { table, refs, submit, process } = this.#owner
    const { kind } = submit.classAt(call.template.classIndex).of
    if (this.specs.has(task) || table.at(task).retries[slotOf(task)] === 0 || kind !== 'task') return
    const stored = results.flatMap((result, i) => (result.stored === undefined ? [] : [task + i]))
    if (stored.length === 0) return
    const held: RefTuple[] = []
    const made: number[] = []
    const known = new Map<string, Outcome>()
    const take = (ref: RefTuple): void => {
      if (ref[0] === process.id && this.lineage.makerOf(ref[1]) !== undefined) made.push(ref[1])
      else held.push(ref)
    }
    for (const ref of call.awaited) {
      const value = values.get(refKey(ref))
      const isInline = value !== undefined && value.stored === undefined
      if (isInline) known.set(refKey(ref), value)
      if (!isInline || value.refs.length > 0) take(ref)
    }
    for (const ref of call.contained) take(ref)
    for (const ref of held) refs.retain(ref)
    this.specs.set(task, { call, held, made, known })
    this.lineage.keep(task, stored, made, specBytes)
  }

  /** Whether an object that nobody refers to any more keeps its number, because of a spec. */
  unheld(number: number): boolean {
    this.state.drop(number)
    if (!this.specs.has(this.#owner.taskOf(number))) return false
    this.#owner.outcomes.set(number, { error: false, refs: [], stored: { sizeBytes: 0, holders: [] }, released: true })
    this.#owner.world.losses.released(keyOf(this.#owner.refOf(number)))
    this.lineage.unheld(number)
    return true
  }

  /** Somebody could not read a copy; calls back when there is something new. */
  reported(number: number, report: PullReport, then: () => void): void {
    const owner = this.#owner
    const outcome = owner.outcomes.get(number)
    const stored = outcome?.stored
    if (outcome === undefined || stored === undefined || stored.holders.length === 0) return then()
    const isDead = (node: NodeId): boolean => owner.deadNodes.has(node)
    const { holders, answer } = this.state.reported(number, stored.holders, report, isDead)
    const gone = stored.holders.filter((holder) => !holders.includes(holder))
    const said = ({ 1: process }: Holder): boolean => report.absent.some(([, absent]) => absent === process)
    if (stored.holders.some((holder) => said(holder) && !report.absent.some(({ 2: copy }) => copy === holder[2])))
      owner.world.count('late report')
    for (const holder of gone) if (said(holder)) owner.world.losses.dropped(keyOf(owner.refOf(number)), holder)
    if (gone.length > 0) owner.outcomes.set(number, { ...outcome, stored: { ...stored, holders } })
    for (const [node] of gone) if (!isDead(node)) owner.strayed(number, 1, node)
    if (answer === 'now') then()
    else owner.world.network.after(owner.process, laterMs, 'look again', then)
  }

  nodeDead(node: NodeId): void {
    for (const [number, outcome] of this.#owner.outcomes) {
      const holders = outcome.stored?.holders.filter(([at]) => at !== node)
      if (outcome.stored === undefined || holders?.length === outcome.stored.holders.length) continue
      this.#owner.outcomes.set(number, { ...outcome, stored: { ...outcome.stored, holders: holders ?? [] } })
    }
  }

  /** Whether what a task answers is to be taken for this result: not for one that was not lost, when it ran again. */
  takes(number: number): boolean {
    return !this.#isRunning(number) || this.#isGone(number)
  }

  /** True where the outcome is dealt with: the task has run again. */
  settle(number: number, outcome: Outcome): boolean {
    if (!this.#isRunning(number)) return false
    if (!outcome.error) {
      if (this.#isGone(number)) this.#settleAgain(number, outcome)
      else if (outcome.stored !== undefined) this.#freeSecond(number, outcome)
    } else if (this.#wanted.has(number)) this.#settleAgain(number, this.#failure(number, 'task failed'))
    return true
  }

  finished(task: number): void {
    if (!this.state.isRunning(task)) return
    this.state.ended(task)
    this.lineage.ran(task, (number) => this.#owner.refs.isLive(number))
  }

  /** Wants what is lost; the outcome changes by that, now or later. */
  need(number: number): void {
    this.state.need(number)
  }

  #isRunning(number: number): boolean {
    return !this.state.isIdle && this.state.isRunning(this.#owner.taskOf(number))
  }

  #isGone(number: number): boolean {
    const outcome = this.#owner.outcomes.get(number)
    return outcome === undefined || isLost(outcome)
  }

  #settleAgain(number: number, outcome: Outcome): void {
    this.#wanted.delete(number)
    this.state.drop(number)
    if (!outcome.error) this.#owner.world.losses.madeAgain(keyOf(this.#owner.refOf(number)))
    this.#owner.settled(number, outcome)
  }

  #freeSecond(number: number, { stored }: Outcome): void {
    const kept = this.#owner.outcomes.get(number)?.stored?.holders ?? []
    for (const [node] of stored?.holders ?? [])
      if (!kept.some(([, process]) => process === node))
        this.#owner.values.freeAt(node, keyOf(this.#owner.refOf(number)))
  }

  #judge(number: number, maker: number | undefined): LossReason | undefined {
    const { table, submit, refs } = this.#owner
    const task = maker ?? this.#owner.taskOf(number)
    if (maker === undefined && table.page(task)?.lease[slotOf(task)] === 0) return 'put'
    const template = submit.templateOf(task)
    if (submit.classAt(template.classIndex).of.kind === 'pinned') return 'pinned worker'
    if (template.maxRetries === 0) return 'retries disabled'
    if (table.at(task).retries[slotOf(task)] === 0) return 'attempts exceeded'
    const made = maker === undefined ? undefined : this.specs.get(maker)?.made
    if (made === undefined) return 'lineage evicted'
    const isThere = (arg: number): boolean =>
      table.has(arg) && (this.lineage.makerOf(arg) !== undefined || refs.isLive(arg))
    return made.every(isThere) ? undefined : 'lineage evicted'
  }

  #rerun(task: number): void {
    const owner = this.#owner
    const spec = this.specs.get(task)
    if (spec === undefined) return
    this.lineage.runs(task)
    owner.world.count('rebuilt')
    owner.world.note(owner.process, `makes ${[...this.#wanted].join()} again, by task ${task}`)
    for (let i = task; i < task + spec.call.template.numReturns; i++)
      if (this.#wanted.has(i)) owner.world.losses.rebuilt(owner.process, keyOf(owner.refOf(i)), owner.strayPlaces(i))
    for (const ref of spec.held) owner.refs.retain(ref)
    for (const made of spec.made) owner.refs.retainOwned(made)
    owner.runAgain(task, spec.call, [...spec.held, ...spec.made.map((made) => owner.refOf(made))], spec.known)
  }

  #failure(number: number, reason: LossReason): Outcome {
    const { world, process } = this.#owner
    world.count(`not rebuilt: ${reason}`)
    world.losses.told(process, keyOf(this.#owner.refOf(number)), reason, this.#owner.strayPlaces(number))
    return { error: true, refs: [] }
  }

  #forget(task: number): void {
    const owner = this.#owner
    const spec = this.specs.get(task)
    if (spec === undefined) return
    this.specs.delete(task)
    for (let i = spec.call.template.numReturns - 1; i >= 0; i--) {
      const number = task + i
      if (!owner.table.has(number) || owner.refs.isLive(number)) continue
      owner.outcomes.delete(number)
      owner.freeStrays(number)
      owner.table.release(number)
    }
    for (const ref of spec.held) owner.release(ref)
  }
}
