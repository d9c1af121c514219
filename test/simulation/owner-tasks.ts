/** The calls of a simulated process: what they pin, how they settle, what is late of them. */
import type { NodeId } from '../../runtime/base/ids.ts'
import type { Failure, Grant } from '../../runtime/owner/submit-types.ts'
import type { SubmitState } from '../../runtime/owner/submit-state.ts'
import type { ContainedRefs, Peer } from '../../runtime/owner/reference-types.ts'
import { slotOf } from '../../runtime/owner/task-table.ts'
import type { RefTuple } from '../../runtime/protocol/messages.ts'
import type { ArgumentWaits } from './argument-waits.ts'
import { OwnerObjects } from './owner-objects.ts'
import type { OwnedStreams } from './streams.ts'
import type { Call, Outcome, Stored } from './tasks.ts'

export abstract class OwnerTasks extends OwnerObjects {
  abstract readonly submit: SubmitState
  readonly calls: Map<number, Call> = new Map<number, Call>()
  readonly pins: Map<number, readonly RefTuple[]> = new Map()
  /** By lease and sequence: pins of tasks that have settled, but run on until their worker answers or ends. */
  readonly latePins: Map<string, readonly RefTuple[]> = new Map()
  /** By lease and sequence: the results that tasks may still leave which have settled and run on. */
  readonly lateResults: Map<string, readonly [number: number, count: number]> = new Map()
  abstract readonly waits: ArgumentWaits
  abstract readonly streams: OwnedStreams
  readonly leases: Map<number, Grant> = new Map<number, Grant>()

  /** Submits a call; returns the refs of its results, each held once. */
  start(call: Call, opened: (number: number) => void = () => {}): RefTuple[] {
    const { template, awaited, contained } = call
    const number = this.table.allocate(template.numReturns)
    opened(number)
    const results = Array.from({ length: template.numReturns }, (_, i) => this.refOf(number + i))
    for (const ref of results) this.refs.retainOwned(ref[1])
    for (const ref of results) this.world.checks.held(ref, this.process.id)
    const pins = [...awaited, ...contained]
    for (const ref of pins) this.refs.retain(ref)
    this.pins.set(number, pins)
    this.calls.set(number, call)
    this.world.checks.accept(this.process.id, number, template.maxRetries)
    this.results(number, template.numReturns)
    this.submit.submit(number, template, awaited.length === 0)
    if (awaited.length > 0) this.waits.begin(number, awaited)
    return results
  }

  /** A task that has settled runs once more; the refs in `pins` are held for it. */
  runAgain(number: number, call: Call, pins: readonly RefTuple[], known: ReadonlyMap<string, Outcome>): void {
    this.pins.set(number, pins)
    this.calls.set(number, call)
    this.world.checks.runsAgain(this.process.id, number)
    this.submit.rerun(number, call.awaited.length === 0)
    if (call.awaited.length > 0) this.waits.begin(number, call.awaited, known)
  }

  attemptOf(number: number): number {
    return this.table.page(number)?.attempt[slotOf(number)] ?? -1
  }
  cancel(number: number, force: boolean): void {
    this.world.note(this.process, `cancels ${number}${force ? ' with force' : ''}`)
    this.submit.cancel(number, 'a whim', force, true)
  }

  fail(number: number, failure: Failure): void {
    if (failure.kind === 'timeout') this.streams.timedOut(number, failure.timeoutMs)
    const page = this.table.at(number)
    if (this.keepLate(number, this.pins.get(number) ?? [])) {
      const count = this.calls.get(number)?.template.numReturns ?? 1
      this.lateResults.set(`${page.lease[slotOf(number)]}.${page.sequence[slotOf(number)]}`, [number, count])
      this.pins.delete(number)
    }
    this.finish(number, { error: true, refs: [] })
  }

  /** Lets go of `refs` when the worker is done with a task that has settled. False where it is, or there is none. */
  keepLate(number: number, refs: readonly RefTuple[]): boolean {
    const page = this.table.at(number)
    const index = page.lease[slotOf(number)] as number
    if (!this.leases.has(index)) return false
    const key = `${index}.${page.sequence[slotOf(number)]}`
    this.latePins.set(key, [...(this.latePins.get(key) ?? []), ...refs])
    return true
  }

  /** Where a task stands, in words. */
  whereIs(number: number): string {
    const page = this.table.at(number)
    const slot = slotOf(number)
    const { classIndex } = this.submit.templateOf(number)
    const { queued, requests, leases, saturated, of, closed } = this.submit.classAt(classIndex)
    const at = this.submit.leases.get(page.lease[slot] as number)
    const where = `in state ${page.state[slot]}, in ${of.kind} class ${classIndex} (${closed?.kind ?? 'open'})`
    const facts = `${queued} queued, ${requests.size} requests, ${leases.length} leases${saturated ? ', saturated' : ''}`
    const lease = at && `${at.state}, ${at.count} tasks, ${at.blocked ? 'blocked' : 'not blocked'}, ${at.grant.worker}`
    return `${where} with ${facts}; at ${lease ?? 'no lease'}`
  }

  protected replied(
    worker: Peer,
    number: number,
    settled: boolean,
    results: readonly (ContainedRefs & { readonly stored?: Stored | undefined })[],
    borrowed: readonly RefTuple[],
    ackId: number,
    late: readonly RefTuple[],
  ): void {
    const pins = number < 0 ? late : (this.pins.get(number) ?? [])
    if (settled) this.pins.delete(number)
    const settles = settled || number < 0
    const held = settled ? results.filter((result) => this.refs.isLive(result.number)) : []
    this.refs.replied({ worker, pins, settled: settles, borrowed, results, ackId })
    this.released()
    if (!settled) return
    const call = this.calls.get(number)
    const count = call?.template.numReturns ?? 0
    const error = results.length === 0
    const outcomes = Array.from({ length: count }, (_, i) => ({
      error,
      refs: held.find((r) => r.number === number + i)?.refs ?? [],
      stored: results[i]?.stored,
    }))
    this.#settleAll(number, outcomes, true)
  }

  protected finish(number: number, outcome: Outcome): void {
    const count = this.calls.get(number)?.template.numReturns ?? 1
    const pins = this.pins.get(number) ?? []
    this.pins.delete(number)
    this.#settleAll(
      number,
      Array.from({ length: count }, () => outcome),
      false,
    )
    for (const ref of pins) this.release(ref)
  }

  #settleAll(number: number, outcomes: readonly Outcome[], answered: boolean): void {
    this.streams.settled(number, answered, outcomes[0]?.error === true)
    this.world.checks.settled(this.process.id, number)
    this.calls.delete(number)
    this.waits.values.delete(number)
    outcomes.forEach((outcome, i) => this.settle(number + i, outcome))
    this.rebuilding.finished(number)
  }

  argumentFailed(number: number): void {
    if (this.submit.drop(number)) this.finish(number, { error: true, refs: [] })
  }

  protected takeLatePins(index: number | undefined, sequence: number): readonly RefTuple[] {
    const key = `${index}.${sequence}`
    const pins = this.latePins.get(key) ?? []
    this.latePins.delete(key)
    this.lateResults.delete(key)
    return pins
  }

  /** Nodes on which attempts that came to nothing have left a result, or may do so. */
  strayPlaces(number: number): ReadonlySet<NodeId> {
    const places = new Set(this.strays.get(number))
    for (const [key, [first, count]] of this.lateResults) {
      const lease = this.leases.get(Number(key.split('.')[0]))
      if (lease !== undefined && number >= first && number < first + count) places.add(lease.node)
    }
    return places
  }

  /** The first result and the number of them, of a task that may have left some. */
  protected leftBy(index: number, sequence: number): readonly [number: number, count: number] | undefined {
    const late = this.lateResults.get(`${index}.${sequence}`)
    if (late !== undefined) return late
    const number = this.submit.leases.get(index)?.task(sequence) ?? -1
    const template = this.calls.get(number)?.template
    return template && [number, template.numReturns]
  }

  protected unpin(index: number, sequences: readonly number[]): void {
    for (const sequence of sequences) for (const ref of this.takeLatePins(index, sequence)) this.release(ref)
  }

  /** The lease is over. */
  protected unpinLease(index: number): void {
    for (const key of this.latePins.keys()) {
      const [of, sequence] = key.split('.')
      if (Number(of) === index) this.unpin(index, [Number(sequence)])
    }
  }
}
