/** Which task the caller runs in: one AsyncLocalStorage per process. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { RunningTask } from '../owner/current.ts'

const storage = new AsyncLocalStorage<RunningTask>()

export function runningTask(): RunningTask | undefined {
  return storage.getStore()
}

/** What the first task would do: Node then begins to follow what is asynchronous, a fraction of a millisecond. */
export function prepareContext(): void {
  // Not of `undefined`: that is what it has already, and Node looks.
  storage.run(nobody as RunningTask, () => {})
}

const nobody = {}

export function runWithin<T>(task: RunningTask, body: () => T): T {
  return storage.run(task, body)
}
