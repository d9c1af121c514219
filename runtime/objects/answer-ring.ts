/**
 * Answers that are left in shared memory, behind the words of a claim page (claim-page.ts), for an owner that looks there
 * by itself every few milliseconds: a worker that leaves one wakes nobody, and what it has left is there when it dies.
 *
 *     words   0 listener: the epoch of the lease whose owner looks, plus one; the same negated while that owner takes for
 *               the last time, so that no other one takes what is its; 0 for nobody
 *             1 tail: words left so far      2 head: words taken so far      (both on a circle of 32 bits)
 *             16... entries on a ring:  epoch | sequence | microseconds | bytes | the bytes, padded
 *
 * One process leaves and one takes. The worker leaves, and looks then whether the owner still listens; the owner ends its
 * listening, and takes then what is there: so an answer is taken, or its worker knows that it may not be, and sends it
 * too. An answer that comes twice is one that comes late: its owner has no use for it.
 */
import { ProtocolError } from '../base/errors.ts'

/** How shared words are touched: `Atomics`, but where a test lets other processes go on between two of its operations. */
export interface WordAccess {
  load(words: Int32Array, index: number): number
  store(words: Int32Array, index: number, value: number): number
  compareExchange(words: Int32Array, index: number, expected: number, value: number): number
}

export interface AnswerRing {
  /** The worker's side. False when the answer has to be sent: nobody looks, or there is no room. */
  leave(epoch: number, sequence: number, micros: number, bytes: Uint8Array): boolean
  /** The worker's side: the owner of that lease does not look any more, as the lease is over. */
  over(epoch: number): void
  /** The owner's side: from now on it looks (again). False when another one does. */
  listen(epoch: number): boolean
  /** The owner's side: from now on nothing is left for it. It takes what is there, and says then that it has. */
  ignore(epoch: number): void
  ignored(epoch: number): void
  /** The owner's side: whether nothing is left there. */
  readonly empty: boolean
  /**
   * The owner's side: the next answer, taken out; undefined when there is none, or it comes too early, and stays.
   * Throws ProtocolError.
   */
  take(isEarly?: (epoch: number, sequence: number) => boolean): LeftAnswer | undefined
}

export interface LeftAnswer {
  readonly epoch: number
  /** Its lowest 32 bits. */
  readonly sequence: number
  readonly micros: number
  readonly bytes: Uint8Array
}

const headWords = 16
const mostRingWords = 4096
export const answerRingBytes: number = (headWords + mostRingWords) * Int32Array.BYTES_PER_ELEMENT
const entryWords = 4
/** Larger ones are seldom, and take time anyway. */
const mostBytes = 1024
const mostMicros = 2 ** 31 - 1
const [listener, tail, head] = [0, 1, 2]

const tagOf = (epoch: number): number => (epoch + 1) | 0
const wordsFor = (length: number): number => entryWords + ((length + 3) >> 2)

/**
 * `memory`: `answerRingBytes` of it, zeros at first, shared with the other side. `ringWords`: for entries, a power of two;
 * a test has smaller ones, which are full sooner.
 */
export function answerRing(
  memory: ArrayBufferLike,
  offset: number,
  access: WordAccess = Atomics,
  ringWords: number = mostRingWords,
): AnswerRing {
  const words = new Int32Array(memory, offset, headWords + ringWords)
  const bytesOf = new Uint8Array(memory, offset + headWords * 4, ringWords * 4)
  const at = (position: number): number => headWords + (position & (ringWords - 1))

  const write = (position: number, bytes: Uint8Array): void => {
    let target = (position & (ringWords - 1)) * 4
    for (let i = 0; i < bytes.length; i++, target++) bytesOf[target & (ringWords * 4 - 1)] = bytes[i] as number
  }

  const read = (position: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length)
    let source = (position & (ringWords - 1)) * 4
    for (let i = 0; i < length; i++, source++) bytes[i] = bytesOf[source & (ringWords * 4 - 1)] as number
    return bytes
  }

  return {
    leave(epoch, sequence, micros, bytes) {
      const tag = tagOf(epoch)
      if (access.load(words, listener) !== tag || bytes.length > mostBytes || micros > mostMicros) return false
      const position = words[tail] as number
      const size = wordsFor(bytes.length)
      if (((position - access.load(words, head)) | 0) + size > ringWords) return false
      words[at(position)] = epoch
      words[at(position + 1)] = sequence
      words[at(position + 2)] = micros
      words[at(position + 3)] = bytes.length
      write(position + entryWords, bytes)
      access.store(words, tail, (position + size) | 0)
      return access.load(words, listener) === tag
    },
    over(epoch) {
      const tag = tagOf(epoch)
      const seen = access.load(words, listener)
      if (seen !== tag && seen !== -tag) return
      // Its owner is gone with what it had not taken.
      access.store(words, head, access.load(words, tail))
      access.compareExchange(words, listener, seen, 0)
    },
    listen(epoch) {
      const tag = tagOf(epoch)
      const seen = access.load(words, listener)
      if (seen === tag) return true
      return (seen === 0 || seen === -tag) && access.compareExchange(words, listener, seen, tag) === seen
    },
    ignore(epoch) {
      access.compareExchange(words, listener, tagOf(epoch), -tagOf(epoch))
    },
    ignored(epoch) {
      access.compareExchange(words, listener, -tagOf(epoch), 0)
    },
    get empty() {
      return access.load(words, tail) === words[head]
    },
    take(isEarly) {
      const position = words[head] as number
      const left = (access.load(words, tail) - position) | 0
      if (left === 0) return undefined
      const length = words[at(position + 3)] as number
      const size = wordsFor(length)
      if (left < 0 || left > ringWords || length < 0 || size > left) {
        access.store(words, head, access.load(words, tail))
        throw new ProtocolError(`an answer of ${length} bytes is left in ${left} words of shared memory`)
      }
      const epoch = words[at(position)] as number
      const sequence = (words[at(position + 1)] as number) >>> 0
      if (isEarly?.(epoch, sequence) === true) return undefined
      const answer = {
        epoch,
        sequence,
        micros: words[at(position + 2)] as number,
        bytes: read(position + entryWords, length),
      }
      access.store(words, head, (position + size) | 0)
      return answer
    },
  }
}
