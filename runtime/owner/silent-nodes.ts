/**
 * Nodes that do not answer. Whether one is dead is for the head to say; while nobody does, what ran there waits, which
 * the user should know.
 */
import type { NodeId } from '../base/ids.ts'
import type { OwnerHost } from './host.ts'

/** For so long nothing is said. */
const tellAfterMs = 30_000

export class SilentNodes {
  readonly #host: Pick<OwnerHost, 'clock' | 'warn'>
  readonly #told = new Set<NodeId>()

  constructor(host: Pick<OwnerHost, 'clock' | 'warn'>) {
    this.#host = host
  }

  /**
   * Something is asked of a node, until it answers. Returns what is called each time that it could not be; `again` asks
   * again.
   */
  asked(node: NodeId, again: () => void): (reason: Error) => void {
    const { clock } = this.#host
    const sinceMs = clock.now()
    return (reason) => {
      if (clock.now() - sinceMs >= tellAfterMs) this.#tell(node, reason)
      again()
    }
  }

  dead(node: NodeId): void {
    this.#told.delete(node)
  }

  #tell(node: NodeId, reason: Error): void {
    if (this.#told.has(node)) return
    this.#told.add(node)
    this.#host.warn(
      `node ${node} has not answered for ${tellAfterMs / 1000} s, and nobody says that it is dead: what ran there waits. ` +
        `That is for the head to say; outpool status tells whether it is there. ${reason.message}`,
    )
  }
}
