/**
 * Connections that were turned away, or ended for what came by them, as lines of the log. Whoever can reach the port
 * decides how many there are: of each kind a few are told with their reason, the rest is counted and told once in a while.
 */
import type { Clock } from '../base/clock.ts'
import type { Refusal } from '../transport/hello.ts'

/** Lines of one kind in one period. */
const toldPerPeriod = 5
const periodMs = 10_000
const mostCharacters = 300
/** A process that has just ended, or a node that does not answer, asked for by one that belongs here. */
const everyday: ReadonlySet<string> = new Set(['gone', 'not-found', 'unreachable'])

interface Kind {
  readonly done: string
  told: number
  untold: number
}

export class RefusalLog {
  readonly #clock: Clock
  readonly #write: (line: string) => void
  /** By the code of the refusal, which are few. */
  readonly #kinds = new Map<string, Kind>()
  #isWaiting = false

  constructor(clock: Clock, write: (line: string) => void) {
    this.#clock = clock
    this.#write = write
  }

  readonly note = ({ code, reason }: Refusal, from: string): void => {
    if (!everyday.has(code)) this.#tell('refused', code, reason, from)
  }

  /** One that had been let in. */
  readonly noteFault = (error: Error, from: string): void => this.#tell('ended', 'protocol', error.message, from)

  #tell(done: string, code: string, reason: string, from: string): void {
    let kind = this.#kinds.get(code)
    if (kind === undefined) this.#kinds.set(code, (kind = { done, told: 0, untold: 0 }))
    if (kind.told < toldPerPeriod) {
      kind.told++
      const who = from === '' ? 'a connection' : `a connection from ${from}`
      this.#write(printable(`${done} ${who} (${code}): ${reason}`))
    } else kind.untold++
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#clock.after(periodMs, () => this.#endPeriod())
  }

  #endPeriod(): void {
    this.#isWaiting = false
    for (const [code, { done, untold }] of this.#kinds)
      if (untold > 0) this.#write(`${done} ${untold} more connections (${code}) within ${periodMs / 1000} s`)
    this.#kinds.clear()
  }
}

/** Reasons quote what came from outside: nothing in them may look like another line, or tell a terminal what to do. */
function printable(text: string): string {
  return text.slice(0, mostCharacters).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?')
}
