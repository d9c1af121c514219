import { original } from './original.ts'

/** The original's class for a worker that is gone. */
export const TerminateError: new (message?: string, cause?: unknown) => Error =
  original.TerminateError as unknown as new (message?: string, cause?: unknown) => Error

export interface WorkerExit {
  readonly code: number | null
  readonly signal: string | null
  readonly stderrTail: string
  readonly nodeDied: boolean
}

export interface WorkerPlace {
  readonly script: string | undefined
  readonly exit: WorkerExit | undefined
  readonly facts: { readonly node: string; readonly pid: number } | undefined
}

const systemFailures: ReadonlySet<unknown> = new Set([
  'ERR_OUTPOOL_WORKER_CRASHED',
  'ERR_OUTPOOL_NODE_DIED',
  'ERR_OUTPOOL_CONNECTION_LOST',
  'ERR_OUTPOOL_OUT_OF_MEMORY',
])

/** Whether the process, its machine or the way there failed, and not the task. */
export function isSystemFailure(error: unknown): boolean {
  return systemFailures.has((error as { code?: unknown } | null | undefined)?.code)
}

/** The original's words, and where it was, and the last lines that the process wrote. */
export function terminateErrorOf(error: unknown, place: WorkerPlace): Error {
  const { exit, facts, script } = place
  if (exit === undefined && !isSystemFailure(error)) {
    return new TerminateError(
      `Workerpool Worker error: ${error instanceof Error ? error.message : String(error)}`,
      error,
    )
  }
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
