/**
 * Brings the lines of workers to the driver of their job: over whatever link the driver has to this node; for work that
 * somebody else of the job submitted there may be none, and one is dialled.
 */
import type { ProcessId } from '../base/ids.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { MessageType } from '../protocol/messages.ts'
import type { LogLine } from '../protocol/messages.ts'
import { linkHighWaterBytes } from '../base/limits.ts'
import { Abandon } from '../transport/abandon.ts'
import type { Link } from '../transport/link.ts'

export interface LogRouterOptions {
  /** A link that the driver of the job has to this node. */
  readonly find: (job: ProcessId) => Link | undefined
  /**
   * Makes one, which serves from then on like any that came in, and is told by `linked`; rejects when the driver cannot
   * be reached.
   */
  readonly dial: (job: ProcessId, abandon: Abandon) => Promise<void>
  /** Nobody reads the lines of a job that is over, but by a link that its driver still has. */
  readonly isOver: (job: ProcessId) => boolean
  readonly clock: Clock
}

interface Route {
  /** Lines that wait for the link; the oldest are dropped beyond `maxWaiting`. */
  readonly waiting: LogLine[]
  readonly abandon: Abandon
  /** Until the driver is dialled again. */
  pause: Timer | undefined
}

/** Before a driver that could not be reached is dialled again, in milliseconds. */
const pauseMs = 5_000
const maxWaiting = 1_000
const linesPerMessage = 64

export class LogRouter {
  readonly #options: LogRouterOptions
  readonly #routes = new Map<ProcessId, Route>()

  constructor(options: LogRouterOptions) {
    this.#options = options
  }

  /** Jobs whose lines wait for a link. */
  get size(): number {
    return this.#routes.size
  }

  send(job: ProcessId, lines: readonly LogLine[]): void {
    const direct = this.#options.find(job)
    if (direct !== undefined) return write(direct, lines)
    if (this.#options.isOver(job)) return
    const known = this.#routes.get(job)
    const route = known ?? { waiting: [], abandon: new Abandon(), pause: undefined }
    route.waiting.push(...lines)
    if (route.waiting.length > maxWaiting) route.waiting.splice(0, route.waiting.length - maxWaiting)
    if (known !== undefined) return
    this.#routes.set(job, route)
    void this.#dial(job, route)
  }

  jobEnded(job: ProcessId): void {
    this.#end(job, `job ${job} is over`)
  }

  /** The driver has a link now: what waited for it goes out. */
  linked(job: ProcessId, link: Link): void {
    const route = this.#routes.get(job)
    if (route === undefined) return
    this.#routes.delete(job)
    // What is dialled goes on: the link that it makes is one more, of which the driver may know.
    route.pause?.cancel()
    write(link, route.waiting)
  }

  close(): void {
    for (const job of this.#routes.keys()) this.#end(job, 'the node stops')
  }

  #end(job: ProcessId, reason: string): void {
    const route = this.#routes.get(job)
    this.#routes.delete(job)
    route?.pause?.cancel()
    route?.abandon.now(new Error(reason))
  }

  /** It may compute, or be on its way back to its home: what waits is kept until it is linked, or its job is over. */
  async #dial(job: ProcessId, route: Route): Promise<void> {
    try {
      await this.#options.dial(job, route.abandon)
    } catch {
      // Told by nobody: the lines are in the files of the run folder as well.
    }
    if (this.#routes.get(job) === route)
      route.pause = this.#options.clock.after(pauseMs, () => void this.#dial(job, route))
  }
}

function write(link: Link, lines: readonly LogLine[]): void {
  // A driver that does not read must not make this node hold its output.
  if (link.bufferedBytes > linkHighWaterBytes) return
  for (let from = 0; from < lines.length; from += linesPerMessage)
    link.send([MessageType.log, lines.slice(from, from + linesPerMessage)])
}
