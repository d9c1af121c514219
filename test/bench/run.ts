/**
 * `npm run bench`: Outpool and others at the same work, in turn. Figures are ratios within this run; a timing is never a
 * failure. It measures dist/, which is built first when it is not up to date.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bootstrap } from '../tools/bootstrap.mjs'
import { withTable } from './markdown.ts'
import { renderPicture } from './picture.ts'
import type { RowReport, RunReport } from './report.ts'
import { rows } from './rows/index.ts'
import { type Row, Stage, type StageOptions } from './stage.ts'
import { renderGoals, renderTable } from './table.ts'

/** No row begins after this; the whole run stays below it by about one row. */
const runBudgetMs = 10 * 60_000

const help = `Usage: npm run bench -- [options]

Measures Outpool beside other pools, in turn, and prints the ratios of each round: median, min and max.

  --rows a,b    only these rows; the beginning of a name is enough
  --quick       fewer calls and rounds: to see whether everything works
  --check       print MET or MISSED for each goal; the exit code does not depend on it
  --json        print one JSON object and nothing else
  --svg FILE    also draw the ratios as a picture
  --markdown F  also put the table into a page that has a place for it, such as README.md
  --from FILE   measure nothing: tables, goals and picture from the JSON of an earlier run
  --help        this text

Exit codes: 0 measured, 1 a row failed, 2 wrong usage.

Rows:
${rows.map(({ name, title }) => `  ${name.padEnd(13)} ${title}`).join('\n')}
`

class UsageError extends Error {}

interface Arguments {
  readonly rows: readonly Row[]
  readonly quick: boolean
  readonly check: boolean
  readonly json: boolean
  readonly svg: string | undefined
  readonly markdown: string | undefined
  readonly from: string | undefined
}

function parse(args: readonly string[]): Arguments | 'help' {
  const flag = { type: 'boolean', default: false } as const
  const value = { type: 'string' } as const
  const texts = { rows: value, svg: value, markdown: value, from: value }
  const options = { ...texts, quick: flag, check: flag, json: flag, help: flag }
  let values
  try {
    values = parseArgs({ args: [...args], options, strict: true }).values
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error })
  }
  if (values.help) return 'help'
  const { quick, check, json, svg, markdown, from } = values
  return { rows: selected(values.rows), quick, check, json, svg, markdown, from }
}

function selected(names: string | undefined): readonly Row[] {
  if (names === undefined) return rows
  const wanted = names.split(',').map((name) => name.trim())
  for (const name of wanted) {
    if (!rows.some((row) => row.name.startsWith(name)))
      throw new UsageError(`there is no row ${name}; there are ${rows.map((row) => row.name).join(', ')}`)
  }
  return rows.filter((row) => wanted.some((name) => row.name.startsWith(name)))
}

let playing: Stage | undefined

async function play(row: Row, options: StageOptions): Promise<RowReport> {
  const stage = new Stage(row, options)
  playing = stage
  try {
    await row.play(stage)
  } catch (error) {
    stage.failed(error)
  }
  await stage.close()
  playing = undefined
  return stage.report()
}

async function measure(wanted: readonly Row[], quick: boolean): Promise<RunReport> {
  const cores = availableParallelism()
  const workers = cores >= 4 ? 4 : 2
  const startedAt = performance.now()
  const [loadAverage = 0] = loadavg()
  const reports: RowReport[] = []
  for (const row of wanted) {
    if (performance.now() - startedAt > runBudgetMs) {
      const { name, title, unit, better } = row
      const skipped = [{ name: 'all', reason: `the run's ${runBudgetMs / 60_000} minutes were used up` }]
      const empty = { elapsedMs: 0, contenders: [], comparisons: [], errors: [], notes: [] }
      reports.push({ name, title, unit, better, skipped, ...empty })
      continue
    }
    process.stderr.write(`${row.name}: ${row.title} ... `)
    const report = await play(row, { workers, quick })
    process.stderr.write(`${(report.elapsedMs / 1000).toFixed(1)} s\n`)
    for (const error of report.errors) process.stderr.write(`  FAILED ${error}\n`)
    reports.push(report)
  }
  const cpu = cpus()[0]?.model.trim() ?? 'unknown'
  const machine = { cpu, cores, node: process.version, platform: `${process.platform} ${process.arch}`, loadAverage }
  return { machine, workers, quick, elapsedMs: Math.round(performance.now() - startedAt), rows: reports }
}

/** What the measured programs put into the temporary folder goes with it, whatever became of them. */
async function measureApart(wanted: readonly Row[], quick: boolean): Promise<RunReport> {
  await bootstrap()
  const folder = mkdtempSync(join(tmpdir(), 'ob-'))
  process.env['TMPDIR'] = folder
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => {
      playing?.kill()
      process.exit(code)
    })
  }
  return measure(wanted, quick)
}

async function main(): Promise<void> {
  const args = parse(process.argv.slice(2))
  if (args === 'help') return console.log(help)
  const { from } = args
  const run =
    from === undefined
      ? await measureApart(args.rows, args.quick)
      : (JSON.parse(readFileSync(from, 'utf8')) as RunReport)
  if (args.json) console.log(JSON.stringify(run, null, 2))
  else console.log(renderTable(run))
  if (args.check) (args.json ? console.error : console.log)(renderGoals(run))
  if (args.svg !== undefined) writeFileSync(args.svg, renderPicture(run))
  const { markdown } = args
  if (markdown !== undefined) writeFileSync(markdown, withTable(readFileSync(markdown, 'utf8'), run))
  if (run.rows.some((row) => row.errors.length > 0)) process.exitCode = 1
}

main().catch((error: unknown) => {
  console.error(`npm run bench: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
})
