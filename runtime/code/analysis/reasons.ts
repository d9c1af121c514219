/** What an analysis says. */

export type Verdict = 'ship' | 'maybe' | 'keep'

export interface Reason {
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
