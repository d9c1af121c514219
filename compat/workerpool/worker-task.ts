import { isSystemFailure, wasUnstarted } from '../../lib/call-failures.ts'
import type { CallListener } from '../../lib/pinned.ts'
import { queueMicrotask } from '../../lib/timers.ts'
import type { ClusterWorker } from './cluster-worker.ts'
import { ownError } from './errors.ts'
import type { ExecOptions, QueuedTask, Resolver } from './original.ts'
import type { MethodAnswer } from './script-host.ts'
import { asResult } from './refusals.ts'
import type { TaskPromise } from './task-steps.ts'

export interface Outcome {
  /**
   * `lost`: with its worker, while it ran. `unstarted`: with its worker, before it began. `cleaned`: it was given up, and
   * its abort listeners are through; the value is whether they have cleaned up after it.
   */
  readonly kind: 'value' | 'error' | 'lost' | 'unstarted' | 'cleaned'
  readonly value: unknown
}

/** A task on its way through a worker. It hears of its answer in the middle of other work, and is settled a little later. */
export class WorkerTask implements CallListener {
  readonly resolver: Resolver
  readonly method: string
  readonly params: readonly unknown[] | null | undefined
  readonly heard: ((payload: unknown) => void) | undefined
  readonly transfer: ExecOptions['transfer']
  /** Who has it now. */
  worker: ClusterWorker
  /** It was given to another worker first: the pool watches that one for it, and not this. */
  moved = false
  /** How often it was run again. */
  retries = 0
  /** A value binds it to this process: a thread of that has it. */
  isHere = false
  /** What names its call at the worker; undefined while it was not sent. */
  call: number | undefined
  /** What its caller waits for, behind what is done when he gives it up. */
  promise: TaskPromise | undefined
  /** What the pool's queue has of it, where it was sent ahead. */
  queued: QueuedTask | undefined
  outcome: Outcome | undefined
  #whenOver: (() => void) | undefined

  constructor(
    worker: ClusterWorker,
    task: Pick<QueuedTask, 'method' | 'params' | 'options' | 'resolver'>,
    queued?: QueuedTask,
  ) {
    this.worker = worker
    this.resolver = task.resolver
    this.method = task.method
    this.params = task.params
    this.heard = listenerOf(task.options)
    this.transfer = task.options?.transfer
    this.queued = queued
  }

  answered(value: unknown): void {
    const answer = value as MethodAnswer
    if (answer.length === 1) this.ended('value', answer[0])
    else if (answer.length === 2) this.ended('error', answer[1])
    else this.ended('cleaned', answer[2])
  }

  failed(error: unknown): void {
    if (!isSystemFailure(error)) this.ended('error', asResult(error))
    else this.ended(wasUnstarted(error) ? 'unstarted' : 'lost', error)
  }

  /** Tells its caller what it has come to. What it was lost with tells the other end. */
  tell(): void {
    const { kind, value } = this.outcome ?? {}
    if (kind === 'value') this.resolver.resolve(value)
    else if (kind === 'error') this.resolver.reject(ownError(value))
  }

  /** Waits until it is over, no longer than that; whether it is. */
  isOver(timeoutMs: number): Promise<boolean> {
    if (this.outcome !== undefined) return Promise.resolve(true)
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs, false)
      this.#whenOver = () => {
        clearTimeout(timer)
        resolve(true)
      }
    })
  }

  /** What has become of it. */
  ended(kind: Outcome['kind'], value: unknown): void {
    this.outcome = { kind, value }
    this.#whenOver?.()
    whenTold(this)
  }
}

/** What it throws is an uncaught exception, as in the original. */
function listenerOf(options: ExecOptions | undefined): ((payload: unknown) => void) | undefined {
  const on = options?.on
  return typeof on === 'function' ? (payload) => whenTold(() => void on(payload)) : undefined
}

/** What workers have told: answers and events of all tasks, in the order in which they came. */
const told: (WorkerTask | (() => void))[] = []
let next = 0

/** Settles a task, or calls a listener, when the owner is through with the message that told of it. */
export function whenTold(one: WorkerTask | (() => void)): void {
  if (told.push(one) === 1) queueMicrotask(pass)
}

function pass(): void {
  try {
    while (next < told.length) {
      const one = told[next++]
      if (one instanceof WorkerTask) one.worker.settle(one)
      else one?.()
    }
  } finally {
    told.splice(0, next)
    next = 0
    if (told.length > 0) queueMicrotask(pass)
  }
}
