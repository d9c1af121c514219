/** What an analysis says. */

export type Verdict = 'ship' | 'maybe' | 'keep'

/**
 * `change`: of what it shares with its caller. `hand-out`: of something shared, of which the caller would get a copy.
 * `changing`: it reads what other code of its file changes. `effect`: something of its own process or the outside.
 * `set-up`: it uses a package that its file has set up, as no worker has. `unknown`: code that is not looked into.
 */
export type ReasonKind = 'change' | 'changing' | 'hand-out' | 'effect' | 'set-up' | 'unknown'

export interface Reason {
  readonly kind: ReasonKind
  readonly verdict: 'maybe' | 'keep'
  /** A sentence about the function: "it changes 'total' (line 2), which only its own process sees". */
  readonly message: string
  /** In the text of the function that does it, from 1. */
  readonly line: number
  /** The variable that it is about; undefined for what is not about captured state. */
  readonly variable?: string
  /** The name of the function that does it, where that is one that the analysed function calls. */
  readonly within?: string
}

export interface FunctionVerdict {
  readonly verdict: Verdict
  readonly reasons: readonly Reason[]
}
