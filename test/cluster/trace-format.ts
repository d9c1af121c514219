/** The trace event format, as its viewers want it. */
import { expect } from 'chai'

export interface TraceSpan {
  readonly name: string
  readonly ph: string
  readonly ts: number
  readonly dur?: number
  readonly pid: number
  readonly tid: number
  readonly cat?: string
  readonly args: Readonly<Record<string, unknown>>
}

/** The complete events of a trace, after everything that can be said of its form was checked. */
export function checkedSpans(text: string): TraceSpan[] {
  const { traceEvents, ...others } = JSON.parse(text) as { traceEvents: TraceSpan[] }
  expect(others).deep.equal({ displayTimeUnit: 'ms' })
  const names = new Set<string>()
  for (const event of traceEvents) {
    expect(event.ph).to.be.oneOf(['X', 'i', 'M'])
    expect(event.name).to.be.a('string')
    expect(event.args).to.be.an('object')
    for (const field of [event.ts, event.pid, event.tid]) expect(field).to.be.a('number').and.satisfy(Number.isFinite)
    expect(event.ts).at.least(0)
    if (event.ph === 'X') expect(event.dur).to.be.a('number').and.at.least(0)
    if (event.ph === 'i') expect(event).to.have.property('s', 't')
    if (event.ph !== 'M') continue
    expect(event.name).to.be.oneOf(['process_name', 'thread_name'])
    expect(event.args['name']).to.be.a('string').and.not.equal('')
    names.add(event.name === 'process_name' ? `${event.pid}` : `${event.pid} ${event.tid}`)
  }
  const spans = traceEvents.filter(({ ph }) => ph === 'X')
  for (const { pid, tid } of spans) expect(names).to.include(`${pid}`).and.include(`${pid} ${tid}`)
  checkNesting(spans)
  return spans
}

/** In each row, a span that begins within another one also ends within it. */
function checkNesting(spans: readonly TraceSpan[]): void {
  const rows = new Map<string, TraceSpan[]>()
  for (const span of spans) {
    const row = `${span.pid} ${span.tid}`
    const own = rows.get(row)
    if (own === undefined) rows.set(row, [span])
    else own.push(span)
  }
  for (const [row, own] of rows) {
    const open: number[] = []
    for (const { ts, dur = 0 } of [...own].sort((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0))) {
      while (open.length > 0 && (open.at(-1) as number) <= ts) open.pop()
      if (open.length > 0) expect(ts + dur, `a span of row ${row}`).at.most(open.at(-1) as number)
      open.push(ts + dur)
    }
  }
}
