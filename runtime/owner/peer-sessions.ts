/**
 * Which links between two processes belong together. What is said over links of one *session* arrives, or the session
 * ends; with the first of its links that ends all of it is over, for both sides: each forgets what the other had said,
 * as if it had died. The next link begins a new session.
 *
 *     no session ── a link, dialled or come in ──▶ 1. session ── one of its links ends, or the peer says so ──▶ 2. ended + 1
 *          ▲                                                                                                      │
 *          └────────────────────────────── the other links are closed ◀──────────────────────────────────────────┘
 *
 * Both sides notice the end of a link at times of their own. So each counts the sessions that have ended, and a dialler
 * says its count. A link of a session that the other side has seen end already is refused: the dialler counts it as lost,
 * too, and so comes up to that count. A link of a later session ends the one that is held for alive here, *before*
 * anything that comes over it is heard: otherwise the late end of the old link would undo what was said over the new one.
 */
import type { ProcessId } from '../base/ids.ts'

interface Session<L> {
  /** Sessions with that peer that have ended. */
  ended: number
  readonly links: Set<L>
}

export interface Told<L> {
  readonly stale: boolean
  readonly over: readonly L[]
  /** The other side has seen a session end that this one has not; `over` is empty where this one had no link any more. */
  readonly parted: boolean
}

/** Peers without a link of which the count is remembered; who is forgotten catches up by being refused. */
const mostRemembered = 10_000

export class PeerSessions<L> {
  /** Those that were heard of least lately come first. */
  readonly #peers = new Map<ProcessId, Session<L>>()

  /** What a dialler says. */
  ended(process: ProcessId): number {
    return this.#peers.get(process)?.ended ?? 0
  }

  /** Every link that counts. */
  links(process: ProcessId): readonly L[] {
    return [...(this.#peers.get(process)?.links ?? [])]
  }

  /**
   * A link came in; its dialler has said `ended`. 'stale': it must be closed. Else `over` are the links of a session
   * that has ended by this; they must be closed, and their end told, before anything of the new link.
   */
  came(process: ProcessId, ended: number, link: L): Told<L> {
    const told = this.told(process, ended)
    if (!told.stale) this.#sessionWith(process).links.add(link)
    return told
  }

  /**
   * The peer has told somebody else something that concerns us, and `ended` with it. 'stale': it was said in a session
   * that has ended here, and has no meaning any more. Else as for `came`: the end of `over` must be told before it counts.
   */
  told(process: ProcessId, ended: number): Told<L> {
    // Whoever is only spoken of is not remembered for that.
    if (ended === 0 && !this.#peers.has(process)) return { stale: false, over: [], parted: false }
    const session = this.#sessionWith(process)
    if (ended < session.ended) return { stale: true, over: [], parted: false }
    const parted = ended > session.ended
    const over = parted ? [...session.links] : []
    if (parted) {
      session.ended = ended
      session.links.clear()
    }
    return { stale: false, over, parted }
  }

  /** A link that was dialled stands; `ended` is what was said. False when that session has ended meanwhile. */
  dialled(process: ProcessId, ended: number, link: L): boolean {
    const session = this.#sessionWith(process)
    if (ended !== session.ended) return false
    session.links.add(link)
    return true
  }

  /** A link has ended. The others of its session, which has ended with it; undefined when it had ended before. */
  over(process: ProcessId, link: L): readonly L[] | undefined {
    const session = this.#peers.get(process)
    if (session === undefined || !session.links.delete(link)) return undefined
    const others = [...session.links]
    session.links.clear()
    session.ended++
    this.#forget()
    return others
  }

  /** The peer could not be dialled, and counts as lost by that: it is to hear of it with the next word from here. */
  unreachable(process: ProcessId): void {
    const session = this.#sessionWith(process)
    if (session.links.size === 0) session.ended++
    this.#forget()
  }

  #sessionWith(process: ProcessId): Session<L> {
    const session = this.#peers.get(process) ?? { ended: 0, links: new Set() }
    this.#peers.delete(process)
    this.#peers.set(process, session)
    return session
  }

  #forget(): void {
    if (this.#peers.size <= mostRemembered) return
    for (const [process, { links }] of this.#peers) {
      if (links.size > 0) continue
      this.#peers.delete(process)
      if (this.#peers.size <= mostRemembered) return
    }
  }
}
