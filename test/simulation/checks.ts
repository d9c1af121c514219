/** What the simulation holds against the runtime: counted outside of it, checked while it runs. */
import type { ProcessId } from '../../runtime/base/ids.ts'
import type { RefTuple } from '../../runtime/protocol/messages.ts'
import { refKey } from './tasks.ts'

/** Thrown where something happened that must not; `invariant` is its short name. */
export class Violation extends Error {
  /** The first since somebody took it: one that is thrown within a promise may be taken for a failure of that. */
  static first: Violation | undefined
  readonly invariant: string

  constructor(invariant: string, text: string) {
    super(`${invariant}: ${text}`)
    this.invariant = invariant
    Violation.first ??= this
  }
}

export function demand(condition: boolean, invariant: string, text: () => string): void {
  if (!condition) throw new Violation(invariant, text())
}

interface CallRecord {
  readonly owner: ProcessId
  readonly maxRetries: number
  settled: number
  /** How often each attempt was started. */
  readonly starts: Map<number, number>
}

export class Checks {
  readonly #calls = new Map<string, CallRecord>()
  /** Processes that ever held a ref, whose loss may take it with them. */
  readonly #holders = new Map<string, Set<ProcessId>>()
  accepted = 0
  starts = 0
  retries = 0

  accept(owner: ProcessId, number: number, maxRetries: number): void {
    this.accepted++
    this.#calls.set(`${owner}:${number}`, { owner, maxRetries, settled: 0, starts: new Map() })
  }

  started(owner: ProcessId, number: number, attempt: number): void {
    this.starts++
    if (attempt > 0) this.retries++
    const call = this.#callOf(owner, number)
    const starts = (call.starts.get(attempt) ?? 0) + 1
    call.starts.set(attempt, starts)
    const name = `task ${number} of ${owner}, attempt ${attempt}`
    demand(starts === 1, 'started-once', () => `${name} was started ${starts} times`)
    demand(
      call.maxRetries < 0 || attempt <= call.maxRetries,
      'retries-bounded',
      () => `${name} has ${call.maxRetries} retries`,
    )
  }

  settled(owner: ProcessId, number: number): void {
    const call = this.#callOf(owner, number)
    call.settled++
    demand(call.settled === 1, 'settles-once', () => `task ${number} of ${owner} settled ${call.settled} times`)
  }

  /** A result is taken: it has to be of the attempt that is under way, which has started and was not given up. */
  answered(owner: ProcessId, number: number, answering: number, current: number): void {
    const name = `task ${number} of ${owner}`
    demand(answering === current, 'fenced', () => `${name} took a result of attempt ${answering} in ${current}`)
    const { starts } = this.#callOf(owner, number)
    demand(starts.get(answering) === 1, 'fenced', () => `${name} has a result of an attempt that never started`)
  }

  /** A task that has settled is to run once more. */
  runsAgain(owner: ProcessId, number: number): void {
    this.#callOf(owner, number).settled = 0
  }

  held(ref: RefTuple, holder: ProcessId): void {
    const holders = this.#holders.get(refKey(ref)) ?? new Set<ProcessId>()
    this.#holders.set(refKey(ref), holders.add(holder))
  }

  holdersOf(ref: RefTuple): ReadonlySet<ProcessId> {
    return this.#holders.get(refKey(ref)) ?? new Set()
  }

  /** At the end: every call of a process that is still there has settled; `where` tells of those. */
  allSettled(where: (process: ProcessId, number: number) => string | undefined): void {
    const left: string[] = []
    for (const [name, call] of this.#calls) {
      const stands = call.settled === 1 ? undefined : where(call.owner, Number(name.split(':')[1]))
      if (stands !== undefined) left.unshift(`task ${name} ${stands}`)
    }
    demand(left.length === 0, 'every-call-settles', () => left.join('\n'))
  }

  #callOf(owner: ProcessId, number: number): CallRecord {
    const call = this.#calls.get(`${owner}:${number}`)
    if (call === undefined) throw new Violation('known-call', `task ${number} of ${owner} was never accepted`)
    return call
  }
}
