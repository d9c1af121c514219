/**
 * The tokens of a cluster: one, as a rule; two while it moves from one to the other. In each step of the move everybody
 * accepts what anybody shows, so that no link is refused:
 *
 *     shown:     old         old            new            new
 *     accepted:  old  ──1──▶ old, new ──2──▶ new, old ──3──▶ new
 *
 * Options take a `TokenSource` and ask it at each use, since it may change while a process runs.
 */

export interface TokenRing {
  /** What this process shows to others. */
  readonly shown: string
  /** What it accepts from others; `shown` is among them. */
  readonly accepted: readonly string[]
}

/** A token that never changes, or something that knows the present ones. */
export type TokenSource = string | { readonly ring: TokenRing }

export function ringOf(source: TokenSource): TokenRing {
  return typeof source === 'string' ? { shown: source, accepted: [source] } : source.ring
}

export function shownToken(source: TokenSource): string {
  return typeof source === 'string' ? source : source.ring.shown
}

/** What a process was started with, until it is told of others: by its source, or by a peer. Whatever came last counts. */
export class LearnedTokens {
  readonly #source: TokenSource
  #learned: TokenRing | undefined
  /** What the source said when `#learned` came. */
  #before: TokenRing | undefined

  constructor(source: TokenSource) {
    this.#source = source
  }

  get ring(): TokenRing {
    if (this.#learned === undefined) return ringOf(this.#source)
    // Text stays what it is; another source gives another ring when it has changed.
    if (typeof this.#source === 'string' || this.#source.ring === this.#before) return this.#learned
    this.#learned = undefined
    return this.#source.ring
  }

  learn(ring: TokenRing): void {
    this.#before = typeof this.#source === 'string' ? undefined : this.#source.ring
    this.#learned = ring
  }
}
