/**
 * p-queue with another way to run its tasks. Queueing, limits, priorities, events, timeouts and their words are the code
 * of the p-queue that is extended: 9 or 10, whichever the program has.
 */
import type * as pQueue from 'p-queue'
import { clusterLimit, type ClusterLimit } from '../../lib/cluster-limit.ts'
import { explainSymbol } from '../../lib/explain-symbol.ts'
import { madeOver } from '../shared/original-package.ts'
import { checkPlacement, Placer, type Placement, type PlacerReport } from '../shared/placer.ts'

export type OriginalModule = typeof pQueue

/** What Outpool adds to the options of a task. */
export interface PlacedTask {
  /** Where this task runs; by default as the queue says. */
  readonly placement?: Placement | undefined
}

/** What Outpool adds to the options of a queue. */
export interface PlacedQueue {
  /**
   * `'auto'` (default): a task that is provably the same there runs on a worker, any other in this process. `'worker'`,
   * `'caller'`: all of them there.
   */
  readonly placement?: Placement | undefined
  /**
   * Queues of this name share `concurrency`, and `intervalCap` in `interval`, in all processes of the cluster. All of them
   * must have the same. A task that waits for the others is `pending` in its queue. Default: a limit of its own.
   */
  readonly name?: string | undefined
}

/** What `explain(queue)` tells. */
export interface QueueReport extends PlacerReport {
  readonly kind: 'p-queue'
  /** The name under which it shares its limits, if it does. */
  readonly name?: string
}

type Task = (options: { readonly signal?: AbortSignal }) => unknown
type AnyOptions = Readonly<Record<string, unknown>>
interface AnyQueue {
  concurrency: number
  add(task: Task, options?: AnyOptions): Promise<unknown>
}

/** Queues whose limits others share. */
const shared = new WeakSet<object>()

/** The original has checked the options. */
function sharedLimit(options: AnyOptions | undefined): ClusterLimit | undefined {
  const name = options?.['name']
  if (name === undefined) return undefined
  if (typeof name !== 'string' || name === '') throw new TypeError('PQueue: name must be a text that is not empty')
  const finite = (value: unknown): number | null => (typeof value === 'number' && value !== Infinity ? value : null)
  /** With a concurrency of 1.5 the original runs two: it starts another one while fewer run. */
  const count = (value: unknown): number | null => {
    const limit = finite(value)
    return limit === null ? null : Math.ceil(limit)
  }
  return clusterLimit(name, {
    concurrency: count(options?.['concurrency']),
    intervalCap: count(options?.['intervalCap']),
    intervalMs: finite(options?.['interval']) ?? 0,
  })
}

async function within(limit: ClusterLimit, signal: AbortSignal, start: () => unknown): Promise<unknown> {
  const giveBack = await limit.acquire(signal)
  try {
    return await start()
  } finally {
    await giveBack()
  }
}

/** The exports of p-queue, with a queue that may run its tasks on workers. */
function shimOf(original: OriginalModule): OriginalModule {
  return { ...original, default: extended(original.default) }
}

/** The same over the original in this file: one for each. */
export function shimOver(file: string): OriginalModule {
  return madeOver(import.meta.url, file, shimOf)
}

function extended(original: OriginalModule['default']): OriginalModule['default'] {
  const Original = original as unknown as new (options?: AnyOptions) => AnyQueue
  class PQueue extends Original {
    readonly #placement: Placement
    readonly #placer: Placer
    readonly #limit: ClusterLimit | undefined
    /** Nothing was said that a task could differ by. */
    readonly #isPlain: boolean

    constructor(options?: AnyOptions) {
      super(options)
      this.#placement = checkPlacement(options?.['placement'], 'auto', 'PQueue')
      this.#placer = new Placer(this.#placement)
      this.#limit = sharedLimit(options)
      if (this.#limit !== undefined) shared.add(this)
      this.#isPlain = this.#placement === 'auto' && this.#limit === undefined
    }

    override get concurrency(): number {
      return super.concurrency
    }

    override set concurrency(value: number) {
      if (shared.has(this))
        throw new TypeError(
          `the limits of a queue with a name are shared and stay as they are; make one with another name`,
        )
      super.concurrency = value
    }

    override add(task: Task, options?: AnyOptions): Promise<unknown> {
      const again = options === undefined ? this.#placer.atOnce(task) : undefined
      return again === undefined ? this.#addPlaced(task, options) : super.add(again)
    }

    #addPlaced(task: Task, options: AnyOptions | undefined): Promise<unknown> {
      if (typeof task !== 'function') return super.add(task, options)
      if (this.#isPlain && (options === undefined || options?.['placement'] === undefined))
        return super.add(this.#placedTask(task), options)
      const run: Task = (given) => {
        const placement = checkPlacement(options?.['placement'], this.#placement, 'queue.add')
        return this.#placer.task(task, given, placement)
      }
      return this.#limit === undefined ? super.add(run, options) : this.#addShared(this.#limit, run, options)
    }

    /** A task whose `add` has failed while it waited for the others, because its time was up or its signal raised, never starts. */
    #addShared(limit: ClusterLimit, task: Task, options: AnyOptions | undefined): Promise<unknown> {
      const failed = new AbortController()
      const added = super.add((given) => within(limit, failed.signal, () => task(given)), options)
      return added.catch((error: unknown) => {
        failed.abort(error)
        throw error
      })
    }

    #placedTask(task: Task): Task {
      const placer = this.#placer
      return placer.atOnce(task) ?? (placer.stays(task) ? task : placer.placedTask(task))
    }

    static {
      // `explain(queue)` asks for it by a symbol, which a declaration file cannot name here.
      Object.defineProperty(PQueue.prototype, explainSymbol, {
        value(this: PQueue): QueueReport {
          return { kind: 'p-queue', ...(this.#limit && { name: this.#limit.name }), ...this.#placer.report() }
        },
      })
    }
  }
  return PQueue as unknown as OriginalModule['default']
}
