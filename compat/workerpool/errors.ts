import { types } from 'node:util'
import type { WorkerExit, WorkerFacts } from '../../lib/pinned.ts'
import { original } from './original.ts'

/** The original's class for a worker that is gone. */
export const TerminateError: new (message?: string, cause?: unknown) => Error =
  original.TerminateError as unknown as new (message?: string, cause?: unknown) => Error

export interface WorkerPlace {
  readonly script: string | undefined
  readonly exit: WorkerExit | undefined
  readonly facts: WorkerFacts | undefined
}

/** Which file of ours wanted the script helps nobody. */
const byUs = / imported from \S.*[\\/]compat[\\/]workerpool[\\/]script-host\.[jt]s$/

/** The worker could not be set up: its script failed to load, or there is no place for it. */
export function startErrorOf(error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error)
  return new TerminateError(`Workerpool Worker error: ${text.replace(byUs, '')}`, error)
}

/** The process is gone: the original's words, where it was, and the last lines that it wrote. */
export function exitErrorOf(error: unknown, { exit, facts, script }: WorkerPlace): Error {
  const lines = [
    'Workerpool Worker terminated Unexpectedly',
    `    exitCode: \`${exit?.code ?? null}\``,
    `    signalCode: \`${exit?.signal ?? null}\``,
    `    workerpool.script: \`${script ?? 'the default worker'}\``,
    `    node: \`${facts?.node ?? 'unknown'}\`${exit?.nodeDied === true ? ' (it died)' : ''}`,
    `    pid: \`${facts?.pid ?? 'unknown'}\``,
    `    stderr: \`${exit?.stderrTail ?? ''}\``,
  ]
  return new TerminateError(lines.join('\n'), error)
}

const builtIn: Readonly<Record<string, ErrorConstructor | typeof AggregateError>> = {
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
  AggregateError,
}

/**
 * The error of a task, as one of this realm's. Sandboxes that share a process, as the test files of Jest do, share the
 * runtime of the first of them, and errors arrive of its classes.
 */
export function ownError(error: unknown): unknown {
  if (error instanceof Error || !types.isNativeError(error)) return error
  const { name } = error.constructor
  const own = Object.hasOwn(builtIn, name) ? builtIn[name] : undefined
  if (own !== undefined) Object.setPrototypeOf(error, own.prototype)
  return error
}
