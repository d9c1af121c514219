/** What a task says before its end. */
import { compact } from '../runtime/objects/compact.ts'
import { encodeValue } from '../runtime/objects/value.ts'
import { currentRuntime } from '../runtime/owner/current.ts'

/**
 * In a running task: what says values to its caller before its end (see `PinnedCallOptions.heard`); undefined outside of
 * one. It may be used until the task ends, and does nothing then. Throws SerializationError for what cannot travel.
 */
export function taskTeller(): ((value: unknown) => void) | undefined {
  const task = currentRuntime()?.runningTask()
  return task === undefined ? undefined : (value) => task.tell(compact(encodeValue(value, 'event')))
}
