/**
 * What this process is in the cluster, for everything that is called by user code: `remote`, `get`, `context`. Kept on
 * `globalThis`, because a worker's bundle and the package that user code imports there are two copies of these modules.
 */
import { BoundedSet } from '../base/bounded-set.ts'
import type { NodeId, ProcessId } from '../base/ids.ts'
import type { KnownPack } from '../code/modules/known-packs.ts'
import type { RefTuple } from '../protocol/messages.ts'
import type { Home } from './home.ts'
import type { OwnerHost } from './host.ts'
import type { Owner } from './owner.ts'

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
  /** Tells its caller something before its end: an encoded value. */
  tell(value: Uint8Array): void
  /** Waits for values from elsewhere that are under way in it. */
  waits: number
  /** Tasks that it submitted. */
  children: Set<number> | undefined
}

export interface ProcessRuntime {
  readonly kind: 'driver' | 'worker'
  /** Whether all of this is on one machine, in and under one program. */
  readonly local: boolean
  /** A worker is one from the first time that this is read. */
  readonly owner: Owner
  /** What an owner needs of this process, and others as well. */
  readonly host: OwnerHost
  readonly home: Home
  readonly job: ProcessId
  /** That of this process, if it is a worker: what its own tasks have unless they say otherwise. '' in a driver. */
  readonly environment: string
  /** Where a module is to be imported from in this process; `pack` names how it was packed, if it was. */
  locate(url: string, pack: RefTuple | undefined): Promise<string>
  /** How this process has the module of that URL, if it came packed. */
  packOf(url: string): KnownPack | undefined
  /** The task that the caller runs in, or undefined outside of any. */
  runningTask(): RunningTask | undefined
  /** Nodes of the cluster came or went. */
  onNodes(listener: () => void): () => void
}

const key = Symbol.for('outpool.process.1')
type Holder = { [key]?: ProcessRuntime | undefined }

export function currentRuntime(): ProcessRuntime | undefined {
  return (globalThis as Holder)[key]
}

export function setCurrentRuntime(runtime: ProcessRuntime | undefined): void {
  ;(globalThis as Holder)[key] = runtime
}

/** What this process was before: so many are remembered. Their tasks have settled, all of them. */
const former = new BoundedSet<ProcessId>(1_000)

/** This process is not in the cluster any more as what it was, and may come back as another. */
export function endRuntime(runtime: ProcessRuntime): void {
  former.add(runtime.host.self.process)
  if (currentRuntime() === runtime) setCurrentRuntime(undefined)
}

/** Whether this process was that one, which has ended. */
export function wasThisProcess(process: ProcessId): boolean {
  return former.has(process)
}
