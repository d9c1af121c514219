/** The error that a task ends with when it got no answer of its own. */
import {
  ConnectionLostError,
  NodeDiedError,
  type OutpoolError,
  RuntimeEnvSetupError,
  TaskCancelledError,
  TaskTimeoutError,
  TaskUnschedulableError,
  WorkerCrashedError,
} from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import type { Address } from '../transport/dial.ts'
import type { Failure } from './submit-types.ts'

/** `name` is the task's, `story` what happened to it before, in words. */
export function failureError(failure: Failure, name: string, story: readonly string[]): OutpoolError {
  const details = { task: name, story }
  switch (failure.kind) {
    case 'cancelled':
      return new TaskCancelledError(`task ${name} was cancelled: ${failure.reason}`, { details })
    case 'timeout':
      return new TaskTimeoutError(
        `task ${name} ran longer than its timeout of ${failure.timeoutMs} ms; raise \`timeout\` or make the task shorter`,
        { details: { ...details, timeoutMs: failure.timeoutMs } },
      )
    case 'worker-crashed': {
      const [code, signal, pid, stderrTail] = failure.exit
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`
      const tail = stderrTail === '' ? '' : `\nIts last lines on stderr:\n${stderrTail}`
      const text = `the worker process (pid ${pid}, node ${failure.node}) that ran task ${name} ended with ${how} before it answered`
      return new WorkerCrashedError(`${text}; set \`maxRetries\` to run such tasks again${tail}`, {
        details: { ...details, code, signal, pid, node: failure.node, attempt: failure.attempt, stderrTail },
      })
    }
    case 'node-died':
      return new NodeDiedError(
        `node ${failure.node} died while it ran task ${name}: ${failure.reason}; set \`maxRetries\` to run such tasks again`,
        { details: { ...details, node: failure.node, attempt: failure.attempt } },
      )
    case 'unschedulable':
      return new TaskUnschedulableError(`task ${name} cannot be placed: ${failure.text}`, { details })
    case 'setup':
      return new RuntimeEnvSetupError(`no worker could be started for task ${name}: ${failure.text}`, { details })
    case 'class-closed':
      return new ConnectionLostError(`task ${name} was not run to its end: ${failure.reason}`, { details })
  }
}

/** What everything ends with that a process had under way. */
export function homeGone(node: NodeId, address: Address, cause: Error): ConnectionLostError {
  const where = 'url' in address ? address.url : address.unix
  const next =
    'what this process had under way is over; init({ address }) joins another node, or that one when it is back'
  return new ConnectionLostError(`home node ${node} at ${where} is gone: ${cause.message}; ${next}`, {
    ...{ cause, details: { node } },
  })
}
