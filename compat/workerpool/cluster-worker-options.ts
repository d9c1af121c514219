import type { ClusterWorker } from './cluster-worker.ts'
import type { Flattening } from './flatten.ts'
import type { OriginalHandler, QueuedTask, WorkerArguments } from './original.ts'
import type { WorkerTask } from './worker-task.ts'

/** What a worker of a pool is made with, and whom it tells what its tasks do not. */
export interface ClusterWorkerOptions extends WorkerArguments {
  readonly workerTerminateTimeout: number
  /** What becomes of instances of classes on their way. */
  readonly flattening: Flattening
  /** What part of a CPU it asks for, in a cluster of so many. */
  readonly numCpus: (clusterCpus: number) => number
  /** How often a started task is run again when its worker or node died. The original's answer is 0. */
  readonly maxRetries: () => number
  /** Makes a thread of this process that is as this worker, for tasks that a value binds to it. */
  readonly makeThread: (worker: ClusterWorker) => OriginalHandler
  /** There is such a task, and why. */
  readonly onBound: (reason: string) => void
  /** The process ended, and the pool will not learn it from a task of this worker. */
  readonly onGone: (worker: ClusterWorker) => void
  /** The program left the cluster, or ended its node, and this worker with it. */
  readonly onLeft: () => void
  /** A task whose worker died is to run again, elsewhere. */
  readonly onOrphan: (task: WorkerTask) => void
  /** Tasks that were sent ahead are back, and have not started. */
  readonly onReturned: (tasks: readonly QueuedTask[]) => void
  /** One that was sent ahead is over before its turn: its worker is gone. */
  readonly onDropped: (task: QueuedTask) => void
  /** It has less to do. */
  readonly onRoom: () => void
  /** It may be free, which the pool will not learn from a task. */
  readonly onFree: () => void
}
