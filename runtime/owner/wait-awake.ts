/**
 * Waiting awake: one call at a time is ruled by how long two processes take to wake up, so for a moment after its
 * message left, an end looks for the answer instead of sleeping.
 *
 *     asleep --expect--> looks, turn by turn of the event loop --arrived--> asleep
 *                          └── nothing for 300 µs: asleep, and seldom again until that has been worth it
 *
 * Where a CPU takes long to wake up (0.2 ms on some virtual machines), the answer of an end that sleeps takes longer than
 * that, and both would sleep for ever. So the last wait before an end looks again is measured, and it looks for as long;
 * a few dozen slow answers are borne then, in which the other end comes to look as well.
 *
 * Processes that look use a CPU each, which pays where CPUs are idle and ruins everything where they are not: so at most
 * one owner and one worker of a machine look at a time, by a word of shared memory for each, which is free when the
 * time in it is over; never under a CPU quota, or while other processes want to run. On two or three CPUs the owner looks
 * alone, as its worker needs another one: that saves one of the two times that a CPU takes to wake up.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from '../base/timers.ts'
import { hasCpuQuota } from '../base/usable.ts'
import { mapFile } from '../objects/shared-memory.ts'
import { awakeFile, awakeFileBytes } from './awake-file.ts'

/** Of the words: who looks. */
export type AwakeRole = 'owner' | 'worker'

export interface AwakeParts {
  /** Milliseconds, by a clock that all processes of the machine share. */
  readonly nowMs: () => number
  /** Calls back in the next turn of the event loop. */
  readonly nextTurn: (look: () => void) => void
  /** The words, or undefined where there are none; asked once. */
  readonly words: () => Int32Array | undefined
  /** Whether a CPU would be idle otherwise. */
  readonly hasIdleCpu: () => boolean
}

/** On fewer CPUs no process of that role looks. */
const leastCpus: Readonly<Record<AwakeRole, number>> = { owner: 2, worker: 4 }

/** Longer answers are not worth a CPU, where both ends are awake. */
const quickMs = 0.3
/** Most that is looked for while the other end may be asleep. */
const mostWaitMs = 1
/** So many answers in a row may be slow. */
const mostSlow = 32
/** For so long a word is taken; whoever goes on looking takes it again. */
const turnMs = 2
/** Looking begins when a process has waited so often: a program of few calls is not made to load what it takes. */
const firstWaits = 20
/** After waits that were in vain, so many at most are slept through. */
const mostSkipped = 256

export class WaitAwake {
  readonly #parts: AwakeParts
  readonly #index: number
  #words: Int32Array | undefined | null = null
  #waits = 0
  #skip = 0
  #skipNext = 1
  /** When a wait began that is slept through and measured. */
  #asleepMs = 0
  #waitMs = quickMs
  #slow = 0
  #looking = false
  #expecting = false
  #sinceMs = 0
  /** As of the last look: an answer that comes between two is as old as the first. */
  #seenMs = 0
  #turnEndsMs = 0
  readonly #look = (): void => this.#lookOnce()

  constructor(role: AwakeRole, parts: AwakeParts) {
    this.#index = role === 'owner' ? 0 : 1
    this.#parts = parts
  }

  /** A message is expected within microseconds. */
  expect(): void {
    if (this.#expecting) return
    if (this.#skip > 0) {
      if (--this.#skip === 0) this.#asleepMs = this.#parts.nowMs()
      return
    }
    if (this.#waits < firstWaits) {
      this.#waits++
      return
    }
    if (this.#words === null) this.#words = this.#parts.words()
    if (this.#words === undefined) return
    const nowMs = this.#parts.nowMs()
    this.#sinceMs = this.#seenMs = nowMs
    if (!this.#looking) {
      if (!this.#parts.hasIdleCpu() || !this.#take(nowMs)) return
      this.#looking = true
      this.#parts.nextTurn(this.#look)
    }
    this.#expecting = true
  }

  /** It came, or is expected no longer. */
  arrived(): void {
    if (this.#asleepMs > 0) this.#measured()
    if (!this.#expecting) return
    this.#expecting = false
    if (this.#seenMs - this.#sinceMs <= quickMs) {
      this.#slow = 0
      this.#skipNext = 1
    } else if (++this.#slow >= mostSlow) this.#inVain()
  }

  #lookOnce(): void {
    const nowMs = this.#parts.nowMs()
    this.#seenMs = nowMs
    const isWorthIt = this.#expecting && nowMs < this.#sinceMs + this.#waitMs
    if (isWorthIt && (nowMs < this.#turnEndsMs || this.#take(nowMs))) {
      this.#parts.nextTurn(this.#look)
      return
    }
    this.#looking = false
    if (this.#expecting) {
      this.#expecting = false
      this.#inVain()
    }
    this.#give()
  }

  #inVain(): void {
    this.#slow = 0
    this.#skip = this.#skipNext
    this.#skipNext = Math.min(mostSkipped, 2 * this.#skipNext)
  }

  #measured(): void {
    const tookMs = this.#parts.nowMs() - this.#asleepMs
    this.#asleepMs = 0
    this.#waitMs = tookMs < mostWaitMs ? Math.max(quickMs, tookMs) : quickMs
  }

  #take(nowMs: number): boolean {
    const words = this.#words as Int32Array
    const seen = Atomics.load(words, this.#index)
    const mine = seen === this.#stamp(this.#turnEndsMs)
    // Distances on a circle of 32 bits.
    const leftMs = (seen - this.#stamp(nowMs)) | 0
    if (!mine && leftMs > 0 && leftMs <= turnMs + 1) return false
    const endsMs = nowMs + turnMs
    if (Atomics.compareExchange(words, this.#index, seen, this.#stamp(endsMs)) !== seen) return false
    this.#turnEndsMs = endsMs
    return true
  }

  #give(): void {
    const words = this.#words as Int32Array
    const mine = this.#stamp(this.#turnEndsMs)
    Atomics.compareExchange(words, this.#index, mine, this.#stamp(this.#parts.nowMs()))
    this.#turnEndsMs = 0
  }

  #stamp(ms: number): number {
    return Math.floor(ms) | 0
  }
}

export function mayLook(role: AwakeRole, cpus: number): boolean {
  return cpus >= leastCpus[role]
}

/**
 * Whether a process that looks takes no CPU from others, when so many want to run, the one that asks included: one is left
 * to its worker, and a further one to others where there are three or more.
 */
export function leavesCpu(running: number, cpus: number): boolean {
  return running <= Math.max(1, cpus - 2)
}

/** For a process of the node with this run folder; undefined where no process may wait awake. */
export function waitAwake(role: AwakeRole, runFolder: string): WaitAwake | undefined {
  if (process.platform !== 'linux') return undefined
  return new WaitAwake(role, {
    nowMs: machineMs,
    nextTurn: (look) => void setImmediate(look),
    hasIdleCpu,
    words() {
      // Asked here and not before: many processes end before they have waited often enough.
      if (!mayLook(role, availableParallelism()) || hasCpuQuota()) return undefined
      try {
        const mapping = mapFile(join(runFolder, awakeFile), awakeFileBytes)
        return mapping && new Int32Array(mapping.memory)
      } catch {
        // The node ends; this process will, too.
        return undefined
      }
    },
  })
}

/** CLOCK_MONOTONIC: the same in all processes. */
function machineMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

const loadSampleMs = 100
let sampledMs = -Infinity
let idleCpus = false

/** Of the last 100 ms: that those who look leave one CPU to others. */
function hasIdleCpu(): boolean {
  const nowMs = machineMs()
  if (nowMs - sampledMs < loadSampleMs) return idleCpus
  sampledMs = nowMs
  try {
    // `0.20 0.18 0.12 2/80 11206`: what wants to run now, this process included, and what there is.
    const running = Number(/ (\d+)\//.exec(readFileSync('/proc/loadavg', 'utf8'))?.[1])
    idleCpus = leavesCpu(running, availableParallelism())
  } catch {
    idleCpus = false
  }
  return idleCpus
}
