/**
 * Rows of a trace. Spans of one row must follow each other or lie within each other: what a viewer draws in one row, it
 * draws as calls on a stack. Those that do neither get a further row.
 */

export interface Span {
  readonly name: string
  readonly cat: string
  /** Microseconds. */
  readonly ts: number
  readonly dur: number
  readonly args: Readonly<Record<string, unknown>>
}

/** A piece of work as its owner knows it: sent at, heard to be over at, and how long it ran in between. */
export interface Estimate {
  readonly sentAt: number
  readonly heardAt: number
  readonly ran: number
}

/**
 * When each of the pieces that one worker did was done: one after the other wherever that is possible. A result is heard
 * of some time after its end, often together with the next one's; so none ends later than the next one began, unless it
 * would then have begun before it was sent: those ran side by side.
 */
export function placeInTime(estimates: readonly Estimate[]): { readonly ts: number; readonly dur: number }[] {
  const placed = estimates.map(({ sentAt, heardAt, ran }) => ({ ts: Math.max(sentAt, heardAt - ran), end: heardAt }))
  const latestFirst = estimates.map((_, i) => i).sort((a, b) => (placed[b]?.end ?? 0) - (placed[a]?.end ?? 0))
  let next = Number.POSITIVE_INFINITY
  for (const i of latestFirst) {
    const { sentAt, ran } = estimates[i] as Estimate
    const place = placed[i] as { ts: number; end: number }
    const end = Math.min(place.end, next)
    if (end - ran >= sentAt) placed[i] = { ts: end - ran, end }
    next = Math.min(next, placed[i]?.ts ?? next)
  }
  return placed.map(({ ts, end }) => ({ ts, dur: end - ts }))
}

/** The row of each span, counted from 0. */
export function rowsOf(spans: readonly Pick<Span, 'ts' | 'dur'>[]): number[] {
  const rows: number[] = []
  /** Of each row, when the spans that are open in it end; the innermost last. */
  const open: number[][] = []
  const order = spans.map((_, i) => i)
  const at = (i: number): Pick<Span, 'ts' | 'dur'> => spans[i] as Span
  order.sort((a, b) => at(a).ts - at(b).ts || at(b).dur - at(a).dur)
  for (const i of order) {
    const { ts, dur } = at(i)
    const fits = (ends: number[]): boolean => {
      while (ends.length > 0 && (ends.at(-1) as number) <= ts) ends.pop()
      return ends.length === 0 || ts + dur <= (ends.at(-1) as number)
    }
    let row = open.findIndex(fits)
    if (row < 0) row = open.push([]) - 1
    open[row]?.push(ts + dur)
    rows[i] = row
  }
  return rows
}
