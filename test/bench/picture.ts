/** The comparisons of a run as an SVG picture: bars on a logarithmic scale, a mark for each goal. */
import { advantage, type ComparisonReport, type RowReport, type RunReport } from './report.ts'
import { verdict } from './statistics.ts'

const width = 900
const labelWidth = 440
const rightMargin = 90
const headHeight = 56
const lineHeight = 24
const barHeight = 12
const colors = { met: '#2a9d63', missed: '#d1495b', plain: '#7a8ca3' }
/** Readable on a white page and on a dark one. */
const textColor = '#6e7781'

interface Bar {
  readonly label: string
  readonly median: number
  readonly min: number
  readonly max: number
  readonly goals: readonly number[]
  readonly color: string
}

export function renderPicture(run: RunReport): string {
  const bars = run.rows.flatMap((row) => row.comparisons.flatMap((comparison) => barOf(row, comparison)))
  const values = bars.flatMap(({ min, max, goals }) => [min, max, ...goals])
  const low = Math.min(0.5, ...values) * 0.9
  const high = Math.max(2, ...values) * 1.1
  const scale = (value: number): number =>
    labelWidth + ((width - labelWidth - rightMargin) * Math.log(value / low)) / Math.log(high / low)
  const height = headHeight + bars.length * lineHeight + 12
  const { cores, node } = run.machine
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    text(10, 20, `How many times better than each: ${run.workers} workers, ${cores} cores, Node ${node}`, 'bold'),
    ...axis(low, high, scale, height),
    ...bars.flatMap((bar, index) => draw(bar, headHeight + index * lineHeight, scale)),
    '</svg>\n',
  ].join('\n')
}

function barOf(row: RowReport, comparison: ComparisonReport): Bar[] {
  const turn = (ratio: number): number => advantage(row, comparison, ratio) ?? Number.NaN
  const median = turn(comparison.median)
  if (!(Number.isFinite(median) && median > 0)) return []
  const ends = [turn(comparison.min), turn(comparison.max)]
  const [main] = comparison.goals
  const color = main === undefined ? 'plain' : verdict(main, comparison.median) === 'MET' ? 'met' : 'missed'
  const other = /^outpool\b/i.test(comparison.of) ? comparison.against : comparison.of
  return [
    {
      label: `${row.title.split(/[:(]/)[0]?.trim()} / ${other}`,
      median,
      min: Math.min(...ends),
      max: Math.max(...ends),
      goals: comparison.goals.map(({ ratio }) => turn(ratio)),
      color: colors[color],
    },
  ]
}

type Scale = (value: number) => number

function axis(low: number, high: number, scale: Scale, height: number): string[] {
  const ticks: number[] = []
  for (let power = -3; power <= 6; power++) ticks.push(10 ** power, 2 * 10 ** power, 5 * 10 ** power)
  return ticks
    .filter((tick) => tick >= low && tick <= high)
    .flatMap((tick) => [
      line(scale(tick), headHeight - 8, scale(tick), height - 8, `stroke-opacity="${tick === 1 ? 0.9 : 0.2}"`),
      text(scale(tick), headHeight - 14, `${tick}x`, 'normal', 'middle'),
    ])
}

function draw({ label, median, min, max, goals, color }: Bar, top: number, scale: Scale): string[] {
  const middle = top + barHeight / 2
  const [from, to] = [Math.min(scale(1), scale(median)), Math.max(scale(1), scale(median))]
  const bar = `<rect x="${px(from)}" y="${top}" width="${px(Math.max(1, to - from))}" height="${barHeight}" fill="${color}"/>`
  return [
    text(labelWidth - 8, top + 10, label.length > 70 ? `${label.slice(0, 69)}…` : label, 'normal', 'end'),
    bar,
    line(scale(min), middle, scale(max), middle, ''),
    ...goals.map((goal) => line(scale(goal), top - 3, scale(goal), top + barHeight + 3, 'stroke-width="2.5"')),
    text(Math.max(to, scale(max), ...goals.map(scale)) + 6, top + 10, `${median.toFixed(median >= 10 ? 0 : 2)}x`),
  ]
}

function line(x1: number, y1: number, x2: number, y2: number, style: string): string {
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" stroke="${textColor}" ${style}/>`
}

function text(x: number, y: number, content: string, weight = 'normal', anchor = 'start'): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return `<text x="${px(x)}" y="${y}" fill="${textColor}" font-weight="${weight}" text-anchor="${anchor}">${escaped}</text>`
}

function px(value: number): string {
  return value.toFixed(1)
}
