/** What a running task may ask about itself. A class, because one is made for every task: most never ask. */
import type { NodeId, ProcessId } from '../base/ids.ts'
import type { RunningTask } from '../owner/current.ts'
import { MessageType } from '../protocol/messages.ts'
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

  tell(value: Uint8Array): void {
    const { link, epoch, message, state } = this.#task
    // Its caller has its answer already.
    if (state === 'gone') return
    this.#task.told = true
    link.send([MessageType.taskEvent, epoch, message[4], value])
    // The task may not yield for long.
    link.flush()
  }

  get signal(): AbortSignal {
    return this.#signalOf(this.#task)
  }
}
