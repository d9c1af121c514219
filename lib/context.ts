/** Where the caller is: in a driver, or in which task on which worker. */
import { currentRuntime } from '../runtime/owner/current.ts'

export interface Context {
  readonly kind: 'driver' | 'worker' | 'none'
  /** Id of the node; '' before one is joined. */
  readonly node: string
  /** Id of this process. */
  readonly process: string
  readonly job: string
  readonly pid: number
  /** The running task; undefined outside of one. */
  readonly task: { readonly id: string; readonly name: string; readonly attempt: number } | undefined
  /** Raised when the running task is cancelled or its time is over; never, outside of a task. */
  readonly signal: AbortSignal
}

/**
 * Facts about the caller.
 *
 * @example
 * const work = remote(async () => {
 *   const { context } = await import('outpool')
 *   const { signal } = context()
 *   while (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 10))
 * })
 */
export function context(): Context {
  const runtime = currentRuntime()
  const { pid } = process
  if (runtime === undefined) {
    return { kind: 'none', node: '', process: '', job: '', pid, task: undefined, signal: new AbortController().signal }
  }
  const { node, process: id } = runtime.host.self
  const running = runtime.runningTask()
  const task =
    running === undefined
      ? undefined
      : { id: `${running.owner}:${running.number.toString(16)}`, name: running.name, attempt: running.attempt }
  const signal = running?.signal ?? new AbortController().signal
  return { kind: runtime.kind, node, process: id, job: runtime.job, pid, task, signal }
}
