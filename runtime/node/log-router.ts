/**
 * Brings the lines of workers to the driver of their job: over whatever link the driver has to this node; for work that
 * somebody else of the job submitted there may be none, and one is dialled.
 */
import type { ProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import type { LogLine } from '../protocol/messages.ts'
import { linkHighWaterBytes } from '../base/limits.ts'
import type { Link } from '../transport/link.ts'

export interface LogRouterOptions {
  /** A link that the driver of the job has to this node. */
  readonly find: (job: ProcessId) => Link | undefined
  /**
   * Makes one, which serves from then on like any that came in, and is told by `linked`; rejects when the driver cannot
   * be reached.
   */
  readonly dial: (job: ProcessId) => Promise<void>
}

interface Route {
  /** Lines that wait for the link; the oldest are dropped beyond `maxWaiting`. */
  readonly waiting: LogLine[]
  dialling: boolean
  failed: boolean
}

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
    let route = this.#routes.get(job)
    if (route === undefined) this.#routes.set(job, (route = { waiting: [], dialling: false, failed: false }))
    route.waiting.push(...lines)
    if (route.waiting.length > maxWaiting) route.waiting.splice(0, route.waiting.length - maxWaiting)
    if (!route.dialling && !route.failed) void this.#dial(job, route)
  }

  jobEnded(job: ProcessId): void {
    this.#routes.delete(job)
  }

  /** The driver has a link now: what waited for it goes out. */
  linked(job: ProcessId, link: Link): void {
    const route = this.#routes.get(job)
    if (route === undefined) return
    this.#routes.delete(job)
    write(link, route.waiting)
  }

  close(): void {
    this.#routes.clear()
  }

  async #dial(job: ProcessId, route: Route): Promise<void> {
    route.dialling = true
    try {
      await this.#options.dial(job)
    } catch {
      // Output is worth one attempt; it is in the files of the run folder as well.
      route.failed = true
    } finally {
      route.dialling = false
    }
  }
}

function write(link: Link, lines: readonly LogLine[]): void {
  // A driver that does not read must not make this node hold its output.
  if (link.bufferedBytes > linkHighWaterBytes) return
  for (let from = 0; from < lines.length; from += linesPerMessage)
    link.send([MessageType.log, lines.slice(from, from + linesPerMessage)])
}
