/** What a running task can know of itself, and where it is kept: one AsyncLocalStorage per process. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { NodeId, ProcessId } from '../base/ids.ts'

/** A task while it runs. */
export interface RunningTask {
  readonly name: string
  readonly owner: ProcessId
  readonly number: number
  readonly attempt: number
  readonly job: ProcessId
  readonly node: NodeId
  /** Raised when the task is cancelled or its time is over. */
  readonly signal: AbortSignal
  /** Waits for values from elsewhere that are under way in it. */
  waits: number
  /** Tasks that it submitted. */
  children: Set<number> | undefined
}

const storage = new AsyncLocalStorage<RunningTask>()

/** The task that the caller runs in, or undefined outside of any. */
export function runningTask(): RunningTask | undefined {
  return storage.getStore()
}

export function runWithin<T>(task: RunningTask, body: () => T): T {
  return storage.run(task, body)
}
