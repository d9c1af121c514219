/** Tables for people: as wide as the terminal at most, with colours only on one. */
import { stripVTControlCharacters, styleText } from 'node:util'
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

/** Where a table does not fit, each row becomes a paragraph with a line for each column. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], width?: number): string {
  const terminal = width ?? (process.stdout.isTTY ? process.stdout.columns : undefined)
  const table = new Table({
    head: columns.map(({ name }) => name),
    style: { head: [], border: [] },
    colAligns: columns.map(({ align = 'left' }) => align),
  })
  for (const row of rows) table.push([...row])
  const text = withoutRules(table.toString(), rows)
  const widest = Math.max(...text.split('\n').map((line) => stripVTControlCharacters(line).length))
  if (terminal === undefined || widest <= terminal) return text
  return rows.map((row) => paragraph(columns, row)).join('\n\n')
}

/** Lines between rows only where rows have several lines themselves: a list of a thousand tasks is long enough. */
function withoutRules(text: string, rows: readonly (readonly string[])[]): string {
  if (rows.some((row) => row.some((cell) => cell.includes('\n')))) return text
  let rules = 0
  return text
    .split('\n')
    .filter((line) => !line.startsWith('├') || rules++ === 0)
    .join('\n')
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
