/**
 * A thread of this process beside the process of a worker: it runs those of the worker's tasks that a value binds to this
 * process. It is one of the original's workers, made with the first of them, and goes with its worker.
 *
 *   1 none --the first task--> 2 loading --its script is ready--> 3 running <--> 4 idle        2 | 3 | 4 --> 5 gone
 */
import { defer, type OriginalHandler, type Resolver } from './original.ts'
import type { WorkerTask } from './worker-task.ts'

export class ThreadTwin {
  readonly #make: () => OriginalHandler
  /** Where a debugger would find it: the pool gives the port back. */
  debugPort: number | undefined
  #handler: OriginalHandler | undefined
  #ending: Promise<void> | undefined
  /** Its worker has one task at a time. */
  #task: WorkerTask | undefined
  /** Of the task, once the thread has it; `over` also waits for what is done when that is given up. */
  #sent: { readonly resolver: Resolver; readonly over: Promise<void> } | undefined

  constructor(make: () => OriginalHandler) {
    this.#make = make
  }

  get isBusy(): boolean {
    return this.#task !== undefined
  }

  run(task: WorkerTask): void {
    this.#task = task
    try {
      // A thread that nobody waits for goes with the program.
      if (this.#handler !== undefined) this.#handler.worker.ref()
      const handler = (this.#handler ??= this.#make())
      this.debugPort = handler.debugPort
      if (handler.worker.ready === true) this.#send(handler, task)
      else this.#whenLoaded(handler, task)
    } catch (error) {
      this.#over(task, 'error', error)
    }
  }

  /** Before that the original would not say which task it could not send. */
  #whenLoaded(handler: OriginalHandler, task: WorkerTask): void {
    handler.exec('methods', []).then(
      () => {
        if (this.#task === task) this.#send(handler, task)
      },
      (error: unknown) => this.#over(task, 'lost', error),
    )
  }

  #send(handler: OriginalHandler, task: WorkerTask): void {
    const { method, params, heard, transfer } = task
    const resolver = defer()
    const settled = (kind: 'value' | 'error' | 'lost', value: unknown): void => this.#over(task, kind, value)
    try {
      const answer = handler.exec(method, params, resolver, { on: heard, transfer })
      const over = new Promise<void>((resolve) => {
        answer.then(
          (value: unknown) => resolve(settled('value', value)),
          (error: unknown) => resolve(settled(handler.terminated ? 'lost' : 'error', error)),
        )
      })
      this.#sent = { resolver, over }
    } catch (error) {
      // It takes the task for one that runs: the next has a thread that runs none.
      this.#handler = undefined
      handler.terminate(true)
      settled('error', error)
    }
  }

  #over(task: WorkerTask, kind: 'value' | 'error' | 'lost', value: unknown): void {
    if (this.#task !== task) return
    this.#rest()
    task.ended(kind, value)
  }

  #rest(): void {
    this.#task = undefined
    this.#sent = undefined
    if (this.#handler?.terminated === false) this.#handler.worker.unref()
  }

  /** Gives its task up; true when the thread stays, as abort listeners have cleaned up after it, or it had not begun. */
  async giveUp(task: WorkerTask): Promise<boolean> {
    if (this.#task !== task) return this.#handler?.terminated !== true
    const { resolver, over } = this.#sent ?? {}
    // Until then it is heard, and the thread keeps the program.
    resolver?.promise.cancel()
    await over
    if (this.#task === task) this.#rest()
    return this.#handler?.terminated !== true
  }

  /** Ends the thread, by its script's `onTerminate` where that is in time. Resolves when it is gone. */
  end(): Promise<void> {
    this.#task = undefined
    return (this.#ending ??= new Promise((resolve) => {
      const handler = this.#handler
      if (handler === undefined || handler.terminated) return resolve()
      handler.worker.ref()
      handler.terminate(true, () => resolve())
    }))
  }
}
