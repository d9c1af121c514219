/**
 * p-queue with another way to run its tasks. Queueing, limits, priorities, events, timeouts and their words are the code
 * of the p-queue that is extended: 9 or 10, whichever the program has.
 */
import type * as pQueue from 'p-queue'
import { explainSymbol } from '../../lib/pinned.ts'
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
}

/** What `explain(queue)` tells. */
export interface QueueReport extends PlacerReport {
  readonly kind: 'p-queue'
}

type Task = (options: { readonly signal?: AbortSignal }) => unknown
type AnyOptions = Readonly<Record<string, unknown>>
interface AnyQueue {
  add(task: Task, options?: AnyOptions): Promise<unknown>
}

/** The exports of p-queue, with a queue that may run its tasks on workers. */
export function shimOf(original: OriginalModule): OriginalModule {
  return { ...original, default: extended(original.default) }
}

function extended(original: OriginalModule['default']): OriginalModule['default'] {
  const Original = original as unknown as new (options?: AnyOptions) => AnyQueue
  class PQueue extends Original {
    readonly #placement: Placement
    readonly #placer: Placer

    constructor(options?: AnyOptions) {
      super(options)
      this.#placement = checkPlacement(options?.['placement'], 'auto', 'PQueue')
      this.#placer = new Placer(this.#placement)
    }

    override add(task: Task, options?: AnyOptions): Promise<unknown> {
      if (typeof task !== 'function') return super.add(task, options)
      const run: Task = (given) => {
        const placement = checkPlacement(options?.['placement'], this.#placement, 'queue.add')
        return this.#placer.run(task, [given], { placement, signal: given.signal, givesSignal: true })
      }
      return super.add(run, options)
    }

    static {
      // `explain(queue)` asks for it by a symbol, which a declaration file cannot name here.
      Object.defineProperty(PQueue.prototype, explainSymbol, {
        value(this: PQueue): QueueReport {
          return { kind: 'p-queue', ...this.#placer.report() }
        },
      })
    }
  }
  return PQueue as unknown as OriginalModule['default']
}
