/** Tables for people: as wide as the terminal at most, with colours only on one. */
import { styleText } from 'node:util'
import Table from 'cli-table3'

export interface Column {
  readonly name: string
  readonly align?: 'left' | 'right'
}

type Tone = 'green' | 'yellow' | 'red' | 'dim' | 'bold'

/** As it is where stdout is no terminal, or NO_COLOR is set to anything. */
export function coloured(tone: Tone, text: string): string {
  return wantsColour() ? styleText(tone, text) : text
}

function wantsColour(): boolean {
  const { NO_COLOR: no, FORCE_COLOR: force, TERM: term } = process.env
  // As Node itself: what is forced goes before what is refused.
  if (force !== undefined) return force !== '0' && force !== 'false'
  return process.stdout.isTTY && !no && term !== 'dumb'
}

/** A table is laid out in so many rows at a time: cli-table3 takes time by the square of their number. */
const blockRows = 50

/** Where a table does not fit, each row becomes a paragraph with a line for each column. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], width?: number): string {
  const terminal = width ?? (process.stdout.isTTY ? process.stdout.columns : undefined)
  const lines = drawn(columns, rows)
  // Its border is as wide as all of it.
  if (terminal === undefined || (lines[0]?.length ?? 0) <= terminal) return withoutRules(lines, rows).join('\n')
  return rows.map((row) => paragraph(columns, row)).join('\n\n')
}

/** The lines of the table, with a rule below each row. Several blocks are drawn twice: for how wide each is, then alike. */
function drawn(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const blocks = [rows.slice(0, blockRows)]
  for (let at = blockRows; at < rows.length; at += blockRows) blocks.push(rows.slice(at, at + blockRows))
  const parts = blocks.map((block) => drawnBlock(columns, block))
  if (parts.length === 1) return parts[0] ?? []
  const widths = columns.map(() => 0)
  for (const [border = ''] of parts)
    for (const [i, part] of border.slice(1, -1).split('┬').entries()) widths[i] = Math.max(widths[i] ?? 0, part.length)
  const all: string[] = []
  for (const block of blocks) {
    const part = drawnBlock(columns, block, widths)
    // Each has a head and a lower border of its own: those of all are the first and the last ones.
    if (all.length > 0) {
      all.pop()
      part.splice(0, part.findIndex(isRule))
    }
    for (const line of part) all.push(line)
  }
  return all
}

function drawnBlock(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  widths: readonly number[] = [],
): string[] {
  const table = new Table({
    head: columns.map(({ name }) => name),
    style: { head: [], border: [] },
    colAligns: columns.map(({ align = 'left' }) => align),
    colWidths: [...widths],
  })
  for (const row of rows) table.push([...row])
  return table.toString().split('\n')
}

function isRule(line: string): boolean {
  return line.startsWith('├')
}

/** Lines between rows only where rows have several lines themselves: a list of a thousand tasks is long enough. */
function withoutRules(lines: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  if (rows.some((row) => row.some((cell) => cell.includes('\n')))) return lines
  const first = lines.findIndex(isRule)
  return lines.filter((line, i) => i === first || !isRule(line))
}

function paragraph(columns: readonly Column[], row: readonly string[]): string {
  const labelWidth = Math.max(...columns.map(({ name }) => name.length))
  return columns
    .map(({ name }, i) => {
      const lines = (row[i] ?? '').split('\n')
      return `${coloured('dim', name.padEnd(labelWidth))}  ${lines.join(`\n${' '.repeat(labelWidth + 2)}`)}`
    })
    .join('\n')
}

/** `1 node`, `2 nodes`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

export function byteText(bytes: number): string {
  let amount = bytes
  let unit = 0
  for (; amount >= 1024 && unit < units.length - 1; unit++) amount /= 1024
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit]}`
}

export function durationText(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} days`
}
