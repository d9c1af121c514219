/** The table for people: every contender, every comparison, those that Outpool loses too. */
import Table from 'cli-table3'
import { advantage, type ComparisonReport, type RowReport, type RunReport } from './report.ts'
import { type Goal, verdict } from './statistics.ts'

export function renderTable(run: RunReport): string {
  const table = new Table({
    head: ['', 'median', 'min - max', 'compared', 'ratio', 'min - max', 'goal', ''],
    colAligns: ['left', 'right', 'right', 'left', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  })
  for (const row of run.rows) {
    table.push([{ colSpan: 8, content: `${row.title} (${row.unit}, ${row.better} is better) [${row.name}]` }])
    table.push(...linesOf(row))
    for (const { name, reason } of row.skipped) table.push([`  ${name}`, { colSpan: 7, content: `skipped: ${reason}` }])
    for (const error of row.errors) table.push([{ colSpan: 8, content: `  FAILED ${error.slice(0, 300)}` }])
  }
  const { cpu, cores, node, platform, loadAverage } = run.machine
  const machine = `${cores} cores (${cpu}), Node ${node}, ${platform}; ${run.workers} workers`
  const notes = run.rows.flatMap((row) => row.notes.map((note) => `[${row.name}] ${note}`))
  const took = `${Math.round(run.elapsedMs / 1000)} s; load when it began: ${loadAverage.toFixed(1)}`
  return [table.toString(), ...notes, `${machine}; ${took}`].join('\n')
}

function linesOf(row: RowReport): string[][] {
  return row.contenders.flatMap(({ name, median, min, max }) => {
    const own = [`  ${name}`, amount(median), `${amount(min)} - ${amount(max)}`]
    const compared = row.comparisons.filter((comparison) => comparison.against === name)
    const [first, ...others] = compared.flatMap((comparison) => comparisonCells(row, comparison))
    return [[...own, ...(first ?? ['', '', '', '', ''])], ...others.map((cells) => ['', '', '', ...cells])]
  })
}

/** A line for each goal; one without goals says whether Outpool is ahead. */
function comparisonCells(row: RowReport, comparison: ComparisonReport): string[][] {
  const { of, median, min, max, goals } = comparison
  const cells = [`${of} / this`, times(median), `${times(min)} - ${times(max)}`]
  if (goals.length > 0) return goals.map((goal) => [...cells, describeGoal(goal), verdict(goal, median)])
  const ahead = advantage(row, comparison, median)
  return [[...cells, '', ahead === undefined ? '' : ahead >= 1 ? 'ahead' : 'BEHIND']]
}

export function describeGoal({ bound, ratio, label }: Goal): string {
  return `${label === undefined ? '' : `${label} `}${bound === 'least' ? '>=' : '<='} ${ratio}x`
}

/** One line for each goal: MET or MISSED, and by how much. */
export function renderGoals(run: RunReport): string {
  const lines = run.rows.flatMap((row) =>
    row.comparisons.flatMap(({ of, against, median, goals }) =>
      goals.map(
        (goal) =>
          `${verdict(goal, median).padEnd(6)} ${row.name}: ${of} / ${against} is ${times(median)}, ${describeGoal(goal)}`,
      ),
    ),
  )
  return lines.join('\n')
}

function times(ratio: number): string {
  return `${ratio.toFixed(ratio >= 20 ? 0 : ratio >= 2 ? 1 : 3)}x`
}

function amount(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en')
  return value.toFixed(value >= 100 ? 0 : value >= 1 ? 1 : 3)
}
