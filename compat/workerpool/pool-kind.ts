/** Where the workers of a pool run: on the cluster, unless an option binds them to the program's own process. Pure. */
import { parseExecArgv } from './exec-argv.ts'
import type { OriginalPool, WorkerArguments } from './original.ts'

export type PoolKind = { readonly where: 'cluster' } | { readonly where: 'local'; readonly reason: string }

/** Options of `fork` that a worker on another machine can have too. */
const portableForkOptions: ReadonlySet<string> = new Set(['env', 'cwd', 'serialization', 'execArgv'])

export function poolKind(
  pool: Pick<OriginalPool, 'workerType' | 'emitStdStreams'>,
  options: WorkerArguments,
): PoolKind {
  if (pool.workerType === 'web') return local(`workerType 'web' is the browser's`)
  if (pool.emitStdStreams) return local('emitStdStreams hands the streams of the workers to this process')
  const threadOption = firstKey(options.workerThreadOpts)
  if (threadOption !== undefined) return local(`workerThreadOpts.${threadOption} needs threads of this process`)
  const forkOption = Object.keys(options.forkOpts ?? {}).find((name) => !portableForkOptions.has(name))
  if (forkOption !== undefined) return local(`forkOpts.${forkOption} needs child processes of this process`)
  const { execArgv } = (options.forkOpts ?? {}) as { execArgv?: unknown }
  const flags = Array.isArray(execArgv) ? parseExecArgv(execArgv as string[]) : undefined
  if (flags !== undefined && 'refused' in flags)
    return local(`forkOpts.execArgv: ${flags.refused} needs child processes of this process`)
  return { where: 'cluster' }
}

function local(reason: string): PoolKind {
  return { where: 'local', reason }
}

function firstKey(options: object | undefined): string | undefined {
  return options === undefined ? undefined : Object.keys(options)[0]
}
