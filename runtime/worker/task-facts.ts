/** What a running task may ask about itself. A class, because one is made for every task: most never ask. */
import type { NodeId, ProcessId } from '../base/ids.ts'
import type { RunningTask } from '../owner/current.ts'
import type { WorkerTask } from './task-runner.ts'

export class TaskFacts implements RunningTask {
  waits = 0
  children: Set<number> | undefined = undefined
  readonly node: NodeId
  readonly #task: WorkerTask
  readonly #signalOf: (task: WorkerTask) => AbortSignal

  constructor(task: WorkerTask, node: NodeId, signalOf: (task: WorkerTask) => AbortSignal) {
    this.#task = task
    this.node = node
    this.#signalOf = signalOf
  }

  get name(): string {
    return this.#task.template.body.name
  }

  get owner(): ProcessId {
    return this.#task.link.peer.process
  }

  get number(): number {
    return this.#task.message[4]
  }

  get attempt(): number {
    return this.#task.message[5]
  }

  get job(): ProcessId {
    return this.#task.template.body.job as ProcessId
  }

  get signal(): AbortSignal {
    return this.#signalOf(this.#task)
  }
}
