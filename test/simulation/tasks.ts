/** What the simulated programs are made of: calls, what they do, and how they end. */
import type { ProcessId } from '../../runtime/base/ids.ts'
import type { TaskTemplate } from '../../runtime/owner/submit-types.ts'
import type { PullReport } from '../../runtime/objects/pull-failures.ts'
import type { Reading } from './process-store.ts'
import type { QueuedTask } from '../../runtime/worker/executor-state.ts'
import type { Holder, RefTuple } from '../../runtime/protocol/messages.ts'

/** What a call does when it runs; drawn anew at each run where it says so. */
export interface Behaviour {
  readonly durationMs: number
  /** Calls that it makes itself. */
  readonly children: number
  readonly awaitsChildren: boolean
  /** Gets the values behind the refs in its arguments. */
  readonly getsRefs: boolean
  /** Its result contains some of the refs that it has. */
  readonly returnsRefs: boolean
  /** It keeps refs after its end, as module state does. */
  readonly keepsRefs: boolean
  /** How likely it throws. */
  readonly throws: number
  readonly heedsAbort: boolean
  /** Bytes of each result; 0 for one that travels inline. */
  readonly resultBytes: number
  /** Of a generator, which makes so many items. */
  readonly items?: number
}

export interface Call {
  readonly template: TaskTemplate
  readonly behaviour: Behaviour
  /** Arguments that are refs: the callee gets their values. */
  readonly awaited: readonly RefTuple[]
  /** Refs inside of arguments. */
  readonly contained: readonly RefTuple[]
  readonly depth: number
}

/** A value in stores: by whom it is held. */
export interface Stored {
  readonly sizeBytes: number
  readonly holders: readonly Holder[]
}

/** What became of an object. */
export interface Outcome {
  readonly error: boolean
  /** Refs inside of the value. */
  readonly refs: readonly RefTuple[]
  readonly stored?: Stored | undefined
  /** Nobody referred to it any more, and its number stays. */
  readonly released?: boolean
}

/** Whether there is no copy of it any more. */
export function isLost({ stored }: Outcome): boolean {
  return stored?.holders.length === 0
}

/** A call as it is pushed: by whom, which attempt, and the values of its arguments. */
export interface PushedTask extends QueuedTask {
  readonly owner: ProcessId
  readonly link: number
  readonly number: number
  readonly attempt: number
  readonly call: Call
  readonly inside: readonly RefTuple[]
  /** Values of arguments that are in stores. */
  readonly values: readonly (readonly [RefTuple, Stored])[]
  readonly readings: Reading[]
  readonly reports: Map<string, PullReport>
  readonly local: number
  aborted: boolean
  /** Its own, while it runs. */
  handles: RefTuple[]
  readonly children: number[]
  over: boolean
  waits: number
  /** Its owner was sent something about it. */
  told: boolean
  /** An item that it made is on its way into a store: it ends after that. */
  isStoring: boolean
  /** Refs came with its arguments. */
  readonly borrows: boolean
}

export const refKey = ([owner, number]: RefTuple): string => `${owner}:${number}`
