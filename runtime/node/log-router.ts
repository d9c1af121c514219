/**
 * Brings the lines of workers to the driver of their job: over whatever link the driver has to this node, else, for
 * work that somebody else of the job submitted, over one that is dialled through the driver's home.
 */
import type { ProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import type { LogLine } from '../protocol/messages.ts'
import { linkHighWaterBytes } from '../base/limits.ts'
import type { Link } from '../transport/link.ts'

export interface LogRouterOptions {
  /** A link that the driver of the job has to this node. */
  readonly find: (job: ProcessId) => Link | undefined
  /** Makes one; rejects when the driver cannot be reached. */
  readonly dial: (job: ProcessId) => Promise<Link>
}

interface Route {
  /** Lines that wait for the link; the oldest are dropped beyond `maxWaiting`. */
  readonly waiting: LogLine[]
  link: Link | undefined
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

  send(job: ProcessId, lines: readonly LogLine[]): void {
    const direct = this.#options.find(job)
    if (direct !== undefined) return write(direct, lines)
    let route = this.#routes.get(job)
    if (route === undefined)
      this.#routes.set(job, (route = { waiting: [], link: undefined, dialling: false, failed: false }))
    if (route.link !== undefined && !route.link.closed) return write(route.link, lines)
    route.waiting.push(...lines)
    if (route.waiting.length > maxWaiting) route.waiting.splice(0, route.waiting.length - maxWaiting)
    if (!route.dialling && !route.failed) void this.#dial(job, route)
  }

  jobEnded(job: ProcessId): void {
    this.#routes.get(job)?.link?.close()
    this.#routes.delete(job)
  }

  /** The driver has a link now: what waited for it goes out. */
  linked(job: ProcessId, link: Link): void {
    const route = this.#routes.get(job)
    if (route === undefined) return
    this.#routes.delete(job)
    route.link?.close()
    write(link, route.waiting)
  }

  close(): void {
    for (const route of this.#routes.values()) route.link?.close()
    this.#routes.clear()
  }

  async #dial(job: ProcessId, route: Route): Promise<void> {
    route.dialling = true
    try {
      const link = await this.#options.dial(job)
      if (this.#routes.get(job) !== route) return link.close()
      link.onMessage = () => {}
      link.onClose = () => (route.link = undefined)
      link.unref()
      route.link = link
      write(link, route.waiting.splice(0))
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
