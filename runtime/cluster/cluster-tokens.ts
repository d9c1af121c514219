/**
 * The tokens of this process, as they are now. Where they are in a file, whatever replaces the file replaces them; where
 * a variable holds the token, only `replace` does, and for this process alone.
 */
import { TokenFile } from '../transport/token-file.ts'
import type { TokenRing } from '../transport/tokens.ts'
import { findToken, readRing, writeTokenFile } from './token.ts'

export class ClusterTokens {
  /** Where they come from, for messages: the name of a variable, or a path. */
  readonly source: string
  readonly #file: TokenFile | undefined
  #ring: TokenRing

  /**
   * Throws as `findToken` does. `onProblem` is told when the file cannot be used any more: the tokens then stay as they
   * were.
   */
  constructor(options: { readonly make?: boolean } = {}, onProblem?: (error: Error) => void) {
    const { ring, source, file } = findToken(options)
    this.source = source
    this.#ring = ring
    this.#file = file === undefined ? undefined : new TokenFile(file, readRing, onProblem)
  }

  /** The same object until they change. */
  get ring(): TokenRing {
    return this.#file?.ring ?? this.#ring
  }

  /** Whether they are in a file, so that the next process finds what this one has. */
  get areKept(): boolean {
    return this.#file !== undefined
  }

  /** Throws when their file cannot be written. */
  replace(ring: TokenRing): void {
    if (this.#file === undefined) this.#ring = ring
    else if (!sameRing(ring, this.#file.ring)) writeTokenFile(this.#file.path, ring)
  }
}

export function sameRing(a: TokenRing, b: TokenRing): boolean {
  return a.shown === b.shown && a.accepted.join('\n') === b.accepted.join('\n')
}
