/** The comparisons of a run as the table of the README, between two comments that say where it stands. */
import type { ComparisonReport, RowReport, RunReport } from './report.ts'
import { verdict } from './statistics.ts'

const begin = '<!-- npm run bench -- --markdown: begin -->'
const end = '<!-- npm run bench -- --markdown: end -->'

/** `text` with the table of that run. Throws where `text` does not say where it stands. */
export function withTable(text: string, run: RunReport): string {
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`there is no place for the table: it stands between ${begin} and ${end}`)
  return `${text.slice(0, from)}${begin}\n\n${renderMarkdown(run)}\n\n${text.slice(to)}`
}

export function renderMarkdown(run: RunReport): string {
  const lines = run.rows.flatMap((row) =>
    row.comparisons.map((comparison, index) => [index === 0 ? row.title : '', ...cellsOf(row, comparison)]),
  )
  const head = ['work', 'ratio', 'median (min to max)', 'goal']
  const widths = head.map((cell, column) => Math.max(cell.length, ...lines.map((line) => line[column]?.length ?? 0)))
  const padded = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [padded(head), padded(widths.map((width) => '-'.repeat(width))), ...lines.map(padded)].join('\n')
}

function cellsOf({ skipped }: RowReport, { of, against, median, min, max, goals }: ComparisonReport): string[] {
  // The farthest: milestones on the way to it are for whoever works on it.
  const [goal] = goals.toSorted((a, b) => (a.bound === 'least' ? b.ratio - a.ratio : a.ratio - b.ratio))
  const measured = `${times(median)} (${times(min)} to ${times(max)})`
  const left = skipped.find(({ name }) => name === against)
  return [`${of} / ${against}`, left === undefined ? measured : `skipped: ${left.reason}`, describe(goal, median)]
}

function describe(goal: ComparisonReport['goals'][number] | undefined, median: number): string {
  if (goal === undefined) return '-'
  const bound = `at ${goal.bound} ${goal.ratio}x`
  return `${bound}, ${verdict(goal, median) === 'MET' ? 'met' : '**missed**'}`
}

function times(ratio: number): string {
  return `${ratio.toFixed(ratio >= 20 ? 0 : ratio >= 3 ? 1 : 2)}x`
}
