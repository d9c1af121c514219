/** The error that a task ends with when it got no answer of its own. */
import {
  AuthenticationError,
  ConnectionLostError,
  NodeDiedError,
  type OutpoolError,
  ProtocolVersionError,
  RuntimeEnvSetupError,
  TaskCancelledError,
  TaskTimeoutError,
  TaskUnschedulableError,
  WorkerCrashedError,
} from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import { withOriginalPlaces } from '../code/original-places.ts'
import type { ExitReport } from '../protocol/messages.ts'
import type { Address } from '../transport/dial.ts'
import type { Failure, TaskTemplate, WorkerFailure } from './submit-types.ts'

/** `story` is what happened to the task before, in words. */
export function failureError(
  failure: Failure,
  { name, startOf }: Pick<TaskTemplate, 'name' | 'startOf'>,
  story: readonly string[],
): OutpoolError {
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
      const [code, signal, pid] = failure.exit
      const stderrTail = lastLinesOf(failure.exit)
      const how = signal === null ? `exit code ${code}` : `signal ${signal}${whyOf(failure.exit)}`
      const tail = stderrTail === '' ? '' : `\nIts last lines on stderr:\n${stderrTail}`
      const worker = `the worker process (pid ${pid}, node ${failure.node})`
      const text =
        startOf !== undefined
          ? `${worker} of ${startOf} ended with ${how} while it was set up`
          : failure.unstarted
            ? `${worker} that task ${name} waited for ended with ${how}`
            : `${worker} that ran task ${name} ended with ${how} before it answered; ${nextStep(failure)}`
      return new WorkerCrashedError(`${text}${tail}`, {
        details: { ...details, code, signal, pid, ...placeOf(failure), stderrTail },
      })
    }
    case 'node-died': {
      const text =
        startOf !== undefined
          ? `node ${failure.node} died, on which a worker of ${startOf} was set up: ${failure.reason}`
          : failure.unstarted
            ? `node ${failure.node} died, on which task ${name} was to run: ${failure.reason}`
            : `node ${failure.node} died while it ran task ${name}: ${failure.reason}; ${nextStep(failure)}`
      return new NodeDiedError(text, { details: { ...details, ...placeOf(failure) } })
    }
    case 'unschedulable':
      return new TaskUnschedulableError(`${whatOf(name, startOf)} cannot be placed: ${failure.text}`, { details })
    case 'setup':
      return new RuntimeEnvSetupError(`no worker could be started for ${startOf ?? `task ${name}`}: ${failure.text}`, {
        details,
      })
    case 'class-closed': {
      const became = startOf === undefined ? 'was not run to its end' : 'was not started'
      // A program that was refused is told so by its first call as by `init`.
      const { by } = failure
      const Refused = [AuthenticationError, ProtocolVersionError].find((refused) => by instanceof refused)
      return new (Refused ?? ConnectionLostError)(`${whatOf(name, startOf)} ${became}: ${failure.reason}`, { details })
    }
  }
}

function whatOf(name: string, startOf: string | undefined): string {
  return startOf === undefined ? `task ${name}` : `a worker of ${startOf}`
}

const fullHeap = 'JavaScript heap out of memory'

/** Behind the signal that ended a worker: what it means, and what to do. */
function whyOf([, signal, , tail, killedFor]: ExitReport): string {
  if (killedFor !== undefined) return ` (its node ended it: ${killedFor})`
  if (signal === 'SIGKILL')
    return ' (not by its node: the system does that where memory runs out, see dmesg; say by `memory` what tasks need)'
  if (tail.includes(fullHeap))
    return ' (its heap was full: NODE_OPTIONS=--max-old-space-size=MiB where its node is started gives workers more)'
  return ''
}

const startsOnce = 'only tasks with `maxRetries` above 0 run again'

/** The same failure, told of a call that something else than `maxRetries` starts again, and that has run so often. */
export function afterRuns(error: OutpoolError, runs: number): OutpoolError {
  const Same = error.constructor as typeof OutpoolError
  const next =
    runs > 1 ? `it has run ${runs} times, and does not run again: see what ends its worker` : 'it starts once'
  const { message, cause, details } = error
  return new Same(message.replace(startsOnce, next), { ...(cause !== undefined && { cause }), details })
}

/** Queues without that option start their tasks once: the words have to be true for these, too. */
function nextStep({ attempt }: WorkerFailure): string {
  return attempt === 0
    ? startsOnce
    : `it has run ${attempt + 1} times, and does not run again: see what ends its worker, or raise \`maxRetries\``
}

function placeOf({ node, attempt, unstarted }: WorkerFailure): Readonly<Record<string, unknown>> {
  return { node, attempt, ...(unstarted && { unstarted }) }
}

const lastLines = new WeakMap<ExitReport, string>()

/** What a worker wrote last, with the places where its functions were written. All of its tasks end with these lines. */
export function lastLinesOf(exit: ExitReport): string {
  let lines = lastLines.get(exit)
  if (lines === undefined) lastLines.set(exit, (lines = withOriginalPlaces(exit[3])))
  return lines
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
