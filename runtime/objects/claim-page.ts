/**
 * Shared words per worker, by which a task is started once or taken back once, never both. Before task `n` of lease
 * `epoch` the worker swaps its word to STARTED; the owner's side swaps it to RECALLED. Whoever comes first has the
 * task, whether or not the other has read its socket.
 *
 *     word   =  epoch (12 bits) | sequence (18 bits) | state (2 bits)
 *     index  =  (epoch mod 16) * K  +  sequence mod K                         K = `leaseWindow`; 64 KiB a worker
 *
 * A worker whose tasks await something serves several leases at once. The node manager grants them epochs that differ
 * modulo 16 (`leasesPerPage`), so that they never use the same word. An owner keeps at most K tasks outstanding per
 * lease, so an older value in a word is never of a live task. One compare-and-swap costs about 15 ns.
 * Behind the words the worker may leave answers (answer-ring.ts).
 */
import { leaseWindow } from '../base/limits.ts'
import { writeNew } from '../base/new-file.ts'
import { type AnswerRing, answerRing, answerRingBytes, type WordAccess } from './answer-ring.ts'
import { type Mapping, mapFile } from './shared-memory.ts'

/** Leases that one worker may serve at the same time; their epochs differ modulo this. */
export const leasesPerPage: number = 16

const words = leaseWindow
const pageWords = leasesPerPage * words
const wordBytes = pageWords * Int32Array.BYTES_PER_ELEMENT
const pageBytes = wordBytes + answerRingBytes
const started = 1
const recalled = 2
const sequenceMask = 0x3ffff
const epochMask = 0xfff

/** The decision who has a task. The simulation has one of its own, with the same meaning. */
export interface ClaimPage {
  /** The worker's side: true when the task may be started, false when it was recalled. */
  start(epoch: number, sequence: number): boolean
  /** The owner's side: true when the task was taken back, false when it was started. */
  recall(epoch: number, sequence: number): boolean
  /** The newest sequence of `epoch` that was started, its lowest 18 bits (see `sequenceBefore`); -1 for none. */
  startedUpTo(epoch: number): number
  readonly answers: AnswerRing
  close(): void
}

/**
 * Takes back what has not started of these tasks, which are given and returned in their order. The last comes first: a
 * worker that goes on meanwhile starts what is before those that are taken, and never one behind a task that comes back.
 */
export function recallUnstarted(
  page: Pick<ClaimPage, 'recall'>,
  epoch: number,
  sequences: readonly number[],
): readonly number[] {
  const taken: number[] = []
  for (let i = sequences.length - 1; i >= 0; i--) {
    const sequence = sequences[i] as number
    if (page.recall(epoch, sequence)) taken.push(sequence)
  }
  return taken.reverse()
}

/** Makes the file of a page, empty; throws where it exists. It has all of its bytes: who maps a shorter one dies by SIGBUS. */
export function createClaimPageFile(path: string): void {
  writeNew(path, new Uint8Array(pageBytes))
}

/** Opens the page of a worker; undefined where files cannot be mapped (see `shared-memory.ts`). */
export function openClaimPage(path: string): ClaimPage | undefined {
  const mapping = mapFile(path, pageBytes)
  return mapping === undefined ? undefined : new MappedClaimPage(mapping)
}

/** The sequence below `next`, where its lease has got to, that a page names by its lowest 18 bits; -1 for -1. */
export function sequenceBefore(next: number, named: number): number {
  return named < 0 ? -1 : next - ((next - named) & sequenceMask)
}

/** A page in the memory of one process: what the words mean, apart from where they are. */
export function claimWords(
  view: Int32Array = new Int32Array(pageWords),
  access: WordAccess = Atomics,
): Pick<ClaimPage, 'start' | 'recall' | 'startedUpTo'> {
  const regionOf = (epoch: number): number => (epoch % leasesPerPage) * words
  const swap = (epoch: number, sequence: number, state: number): boolean => {
    const tag = ((epoch & epochMask) << 20) | ((sequence & sequenceMask) << 2)
    const index = regionOf(epoch) + (sequence % words)
    for (;;) {
      const seen = access.load(view, index)
      if ((seen & ~3) === (tag | 0) && (seen & 3) !== 0) return (seen & 3) === state
      if (access.compareExchange(view, index, seen, tag | state | 0) === seen) return true
    }
  }
  return {
    start: (epoch, sequence) => swap(epoch, sequence, started),
    recall: (epoch, sequence) => swap(epoch, sequence, recalled),
    startedUpTo(epoch) {
      // Sequences of one lease lie within a window of K, so the newest is found on the circle of 18 bits.
      let newest = -1
      const region = regionOf(epoch)
      for (let index = region; index < region + words; index++) {
        const word = access.load(view, index)
        if (word >>> 20 !== (epoch & epochMask) || (word & 3) !== started) continue
        const sequence = (word >>> 2) & sequenceMask
        if (newest < 0 || ((sequence - newest) & sequenceMask) < sequenceMask / 2) newest = sequence
      }
      return newest
    },
  }
}

class MappedClaimPage implements ClaimPage {
  readonly start: ClaimPage['start']
  readonly recall: ClaimPage['recall']
  readonly startedUpTo: ClaimPage['startedUpTo']
  readonly answers: AnswerRing
  readonly #mapping: Mapping

  constructor(mapping: Mapping) {
    this.#mapping = mapping
    const words = claimWords(new Int32Array(mapping.memory, 0, pageWords))
    this.answers = answerRing(mapping.memory, wordBytes)
    this.start = words.start
    this.recall = words.recall
    this.startedUpTo = words.startedUpTo
  }

  close(): void {
    this.#mapping.unmap()
  }
}
