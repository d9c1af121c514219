/** Tokens out of a file, read again whenever the file has changed: a look at the file for each link costs microseconds. */
import { statSync } from 'node:fs'
import type { TokenRing } from './tokens.ts'

export class TokenFile {
  readonly path: string
  readonly #read: (path: string) => TokenRing
  readonly #onProblem: (error: Error) => void
  #ring: TokenRing
  /** Which file, in which state, was read last. */
  #seen: string

  /** `read` throws what is wrong with the file: here at first, later to `onProblem`, and the tokens stay as they are. */
  constructor(path: string, read: (path: string) => TokenRing, onProblem: (error: Error) => void = () => {}) {
    this.path = path
    this.#read = read
    this.#onProblem = onProblem
    this.#seen = stateOf(path)
    this.#ring = read(path)
  }

  /** The same object for as long as the file is the same. */
  get ring(): TokenRing {
    const state = stateOf(this.path)
    if (state === this.#seen) return this.#ring
    this.#seen = state
    try {
      this.#ring = this.#read(this.path)
    } catch (error) {
      this.#onProblem(error as Error)
    }
    return this.#ring
  }
}

function stateOf(path: string): string {
  try {
    const { ino, mtimeNs, ctimeNs, size } = statSync(path, { bigint: true })
    return `${ino} ${mtimeNs} ${ctimeNs} ${size}`
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}
