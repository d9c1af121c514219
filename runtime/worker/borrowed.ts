/** An argument of many numbers that is read where it lies in the store, for as long as its task runs. */
import type { ObjectAccess, RegisterRefs } from '../owner/object-access.ts'
import type { Attachment } from '../protocol/messages.ts'

export class Borrowed {
  /** Which argument; -1: none. */
  readonly #index: number
  readonly #access: () => ObjectAccess
  #giveBack: (() => void) | undefined

  constructor(index: number, access: () => ObjectAccess) {
    this.#index = index
    this.#access = access
  }

  is(index: number): boolean {
    return index === this.#index
  }

  /** Its value: where that is not many numbers, one of its own. */
  bring([ref, outcome]: Attachment, register: RegisterRefs): Promise<unknown> {
    return this.#access().decode(ref, outcome, register, (words, release) => {
      this.#giveBack = release
      return words
    })
  }

  /** Brings the arguments and calls the function; then nobody reads the numbers any more. */
  async during(call: () => Promise<unknown>): Promise<unknown> {
    try {
      return await call()
    } finally {
      this.#giveBack?.()
    }
  }
}
