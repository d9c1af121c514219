/**
 * A limit that processes of a cluster share, as one row of a table that each changes by compare-and-set. Pure: what a
 * process sees in the row, and what it writes there.
 *
 *   row     terms | permits: how many each process holds | about: starts that each is about to make
 *           | starts that count: `first` to `next - 1`
 *
 * Clocks of machines are not compared. A start counts against the rate from its grant until a process has itself seen for
 * the whole interval that it was made, so it counts too long rather than too short. A process that holds permits and
 * whose beat has not changed for `deadMs`, by the clock of who looks, is taken for dead, and its permits are free.
 */

/** What a name stands for. `null` is without limit. */
export interface LimitTerms {
  readonly concurrency: number | null
  /** Starts in an interval of so many milliseconds; 0 is no interval. */
  readonly intervalCap: number | null
  readonly intervalMs: number
}

export interface LimitRow {
  readonly terms: LimitTerms
  readonly permits: Readonly<Record<string, number>>
  /** Granted, and not known to have been made. */
  readonly about: Readonly<Record<string, number>>
  readonly first: number
  readonly next: number
}

export interface LimitView {
  /** undefined: nobody has made it. */
  readonly row: LimitRow | undefined
  /** The version of the beat of each process that has one. */
  readonly beats: ReadonlyMap<string, number>
}

export interface LimitWishes {
  /** Permits that this process holds and needs: its own word counts, whatever the row says. */
  readonly held: number
  /** Starts that it was granted, and has made since. */
  readonly started: number
  /** Tasks that wait to start. */
  readonly waiting: number
}

export type LimitStep =
  /** Write it; `granted` tasks may start when that went well. */
  | { readonly kind: 'write'; readonly row: LimitRow; readonly granted: number }
  /** Nothing can be done now. At the latest in `waitMs` something may. */
  | { readonly kind: 'wait'; readonly waitMs: number }
  /** Others share the name under other terms. */
  | { readonly kind: 'refused'; readonly terms: LimitTerms }

/** A process whose beat stood still for so long is dead; each beats four times as often. */
export const deadMs = 10_000

export class LimitState {
  readonly #self: string
  readonly #terms: LimitTerms
  /** When each start that still counts was seen here. */
  readonly #seen = new Map<number, number>()
  /** The last beat of each other process, and when it changed. */
  readonly #beats = new Map<string, { version: number; changedAt: number; everChanged: boolean }>()

  constructor(self: string, terms: LimitTerms) {
    this.#self = self
    this.#terms = terms
  }

  step({ row, beats }: LimitView, { held, started, waiting }: LimitWishes, now: number): LimitStep {
    this.#observe(row, beats, now)
    if (row !== undefined && !sameTerms(row.terms, this.#terms)) {
      const others = this.#others(row, beats)
      if (others.some((process) => this.#beats.get(process)?.everChanged === true))
        return { kind: 'refused', terms: row.terms }
      // Whoever made it may be gone; who is not shows it by its next beat.
      if (others.some((process) => this.#isAlive(process, now))) return { kind: 'wait', waitMs: deadMs / 4 }
    }
    const base = row !== undefined && sameTerms(row.terms, this.#terms) ? row : undefined
    const permits = this.#livingPermits(base, now)
    const told = permits.get(this.#self) ?? 0
    const first = this.#firstThatCounts(base, now)
    const about = this.#aboutOf(base, now)
    const next = (base?.next ?? 0) + (this.#hasRate() ? started + about.lost : 0)
    const inUse = sum(permits.values()) - told + held
    const room = Math.min((this.#terms.concurrency ?? Infinity) - inUse, this.#rateRoom(first, next + about.others))
    const granted = Math.max(0, Math.min(waiting, room))
    permits.set(this.#self, held + granted)
    const dead = Object.keys(base?.permits ?? {}).some((process) => !permits.has(process))
    const changed = granted > 0 || told !== held || base === undefined || dead || next !== base.next || about.own > 0
    if (!changed) return { kind: 'wait', waitMs: this.#untilRate(first, next, now) }
    const kept = Object.fromEntries([...permits].filter(([, count]) => count > 0))
    const going = { ...about.rows, ...(this.#hasRate() && granted > 0 && { [this.#self]: granted }) }
    return { kind: 'write', row: { terms: this.#terms, permits: kept, about: going, first, next }, granted }
  }

  /** Those that hold permits or have a beat, but for this one. */
  #others(row: LimitRow, beats: LimitView['beats']): string[] {
    return [...new Set([...Object.keys(row.permits), ...beats.keys()])].filter((process) => process !== this.#self)
  }

  #observe(row: LimitRow | undefined, beats: LimitView['beats'], now: number): void {
    for (let start = row?.first ?? 0; start < (row?.next ?? 0); start++)
      if (!this.#seen.has(start)) this.#seen.set(start, now)
    for (const start of this.#seen.keys()) if (start < (row?.first ?? 0)) this.#seen.delete(start)
    for (const process of new Set([...beats.keys(), ...Object.keys(row?.permits ?? {})])) {
      if (process === this.#self) continue
      const version = beats.get(process) ?? 0
      const known = this.#beats.get(process)
      if (known === undefined) this.#beats.set(process, { version, changedAt: now, everChanged: false })
      else if (known.version !== version) this.#beats.set(process, { version, changedAt: now, everChanged: true })
    }
  }

  #isAlive(process: string, now: number): boolean {
    const beat = this.#beats.get(process)
    return beat === undefined || now - beat.changedAt < deadMs
  }

  #livingPermits(row: LimitRow | undefined, now: number): Map<string, number> {
    const all = Object.entries(row?.permits ?? {})
    return new Map(all.filter(([process]) => process === this.#self || this.#isAlive(process, now)))
  }

  /** Of the starts that others are about to make; those of the dead count as made. */
  #aboutOf(
    row: LimitRow | undefined,
    now: number,
  ): { rows: Record<string, number>; others: number; lost: number; own: number } {
    const rows: Record<string, number> = {}
    let lost = 0
    for (const [process, count] of Object.entries(row?.about ?? {})) {
      if (process === this.#self) continue
      if (this.#isAlive(process, now)) rows[process] = count
      else lost += count
    }
    return { rows, others: sum(Object.values(rows)), lost, own: row?.about[this.#self] ?? 0 }
  }

  #firstThatCounts(row: LimitRow | undefined, now: number): number {
    let first = row?.first ?? 0
    const next = row?.next ?? 0
    if (!this.#hasRate()) return next
    while (first < next && now - (this.#seen.get(first) ?? now) >= this.#terms.intervalMs) first++
    return first
  }

  #hasRate(): boolean {
    return this.#terms.intervalCap !== null && this.#terms.intervalMs > 0
  }

  #rateRoom(first: number, next: number): number {
    return this.#hasRate() ? (this.#terms.intervalCap ?? Infinity) - (next - first) : Infinity
  }

  /** Until the oldest start counts no more, where the rate is what is in the way. */
  #untilRate(first: number, next: number, now: number): number {
    if (!this.#hasRate() || this.#rateRoom(first, next) > 0) return Infinity
    return Math.max(1, this.#terms.intervalMs - (now - (this.#seen.get(first) ?? now)))
  }
}

export function sameTerms(a: LimitTerms, b: LimitTerms): boolean {
  return a.concurrency === b.concurrency && a.intervalCap === b.intervalCap && a.intervalMs === b.intervalMs
}

export function termsText({ concurrency, intervalCap, intervalMs }: LimitTerms): string {
  const rate = intervalCap === null || intervalMs === 0 ? '' : `, ${intervalCap} starts in ${intervalMs} ms`
  return `concurrency ${concurrency ?? 'Infinity'}${rate}`
}

function sum(counts: Iterable<number>): number {
  let all = 0
  for (const count of counts) all += count
  return all
}
