/**
 * Calls of functions that capture variables. Their code and what they captured travel apart from the arguments, as parts
 * that a link is sent once: the text of each function, and the bytes of the variables as they were at the call.
 */
import type { RefTuple } from '../protocol/messages.ts'
import { MessageType } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'

export interface Part {
  readonly number: number
  readonly bytes: Uint8Array
}

export interface CapturedCall {
  readonly parts: readonly Part[]
  /** Refs among the captured variables; they live until the call is over. */
  readonly refs: readonly RefTuple[]
}

/** Arguments of such a call: the numbers of its parts, its captures where they are too large for one, then the user's. */
export class CapturedArguments extends Array<unknown> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }

  call: CapturedCall = { parts: [], refs: [] }
}

let nextPart = 1

export function newPart(bytes: Uint8Array): Part {
  return { number: nextPart++, bytes }
}

/** Answers a worker that has put away what a task needs: `call` is that of the task, while it is not settled. */
export function sendPartsAgain(link: Link, call: CapturedCall | undefined, numbers: readonly number[]): void {
  for (const number of numbers) {
    const part = call?.parts.find((one) => one.number === number)
    link.send([MessageType.part, number, part?.bytes ?? null])
  }
}

/** What the other side of a link is to keep. It forgets what it is told to, and nothing else. */
const maxParts = 4096
const maxPartBytes = 64 * 1024 * 1024

/** The parts that one link has been sent, in the order of their last use. */
export class LinkParts {
  readonly #sent = new Map<number, number>()
  #bytes = 0

  /** Sends what the link does not have of a call. */
  send(link: Link, parts: readonly Part[]): void {
    for (const { number, bytes } of parts) {
      const known = this.#sent.delete(number)
      this.#sent.set(number, bytes.length)
      if (known) continue
      this.#bytes += bytes.length
      link.send([MessageType.part, number, bytes])
    }
    if (this.#sent.size > maxParts || this.#bytes > maxPartBytes) this.#forget(link, parts.length)
  }

  /** All but the last `keep`, which the call needs. */
  #forget(link: Link, keep: number): void {
    for (const [number, size] of this.#sent) {
      if (this.#sent.size <= keep || (this.#sent.size <= maxParts && this.#bytes <= maxPartBytes)) return
      this.#sent.delete(number)
      this.#bytes -= size
      link.send([MessageType.partDrop, number])
    }
  }
}
