/**
 * `npm test`: makes the clone ready, then runs the suites, each in a mocha or two of its own, four at a time, and sums up.
 *
 * Usage: npm test -- [suite or file ...] [--lanes=N] [mocha options]
 * Without suites or files all suites run. What each prints stays in one piece. A suite that dies, that does not end
 * after its last test, that does not tell its totals, or that leaves a process behind counts as one failure more. The
 * last line is `N passed, N failed, N skipped`; with OUTPOOL_TEST_SUMMARY the totals are also written to that file, as
 * JSON.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { bootstrap } from './bootstrap.mjs'
import { root } from './build.mjs'
import { Stage } from './stage.mjs'
import { runSuite } from './suite.mjs'

const suites = ['style', 'types', 'unit', 'fuzz', 'simulation', 'conformance', 'cluster', 'failure']
/** Files that take minutes, however fast the machine is: each runs beside the rest of its suite. */
const apart = ['failure/chaos']
/** Large suites run in halves, so that no lane has a long one left when the others are done. */
const halved = ['cluster', 'failure', 'conformance', 'unit']
/** Begun first, in this order, because they take longest: what is short fills the lanes behind them. */
const longFirst = [...apart, 'cluster', 'failure', 'conformance', 'simulation', 'unit']
/** Suites at the same time. Most of their time is waiting for processes to start, to end and to be missed. */
const defaultLanes = 4

function testFiles(suite) {
  const folder = join(root, 'test', suite)
  if (!existsSync(folder)) return []
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.test.ts'))
  return names.map((name) => join('test', suite, name)).sort()
}

/** The files of a suite, by which of them share a mocha. */
function groupsOf(suite) {
  const files = testFiles(suite)
  const pathOf = (name) => join('test', `${name}.test.ts`)
  const alone = apart.filter((name) => files.includes(pathOf(name)))
  const together = files.filter((file) => !alone.map(pathOf).includes(file))
  // Neighbours in the alphabet are often about the same, and as long: each half gets every second one.
  const half = (rest) => together.filter((_, i) => i % 2 === rest)
  const parts = halved.includes(suite)
    ? [0, 1].map((rest) => ({ name: `${suite} ${rest + 1}/2`, files: half(rest) }))
    : [{ name: suite, files: together }]
  return [...parts, ...alone.map((name) => ({ name, files: [pathOf(name)] }))]
}

/** The smaller, the earlier it begins. */
function rank({ name }) {
  const at = longFirst.indexOf(name.split(' ')[0])
  return at < 0 ? longFirst.length : at
}

/** What to run, from the command line: names of suites, files, and options for mocha. */
function plan(args) {
  const named = args.filter((arg) => suites.includes(arg))
  const files = args.filter((arg) => !suites.includes(arg) && !arg.startsWith('-') && existsSync(join(root, arg)))
  const lanes = args.filter((arg) => /^--lanes=[1-9]\d?$/.test(arg))
  const options = args.filter((arg) => ![...named, ...files, ...lanes].includes(arg))
  if (process.env['CI']) options.push('--forbid-only')
  if (process.stdout.isTTY && !process.env['NO_COLOR']) options.push('--color')
  const groups = files.length > 0 ? [{ name: 'files', files }] : []
  const wanted = named.length > 0 ? named : files.length > 0 ? [] : suites
  groups.push(...wanted.flatMap(groupsOf))
  return { groups, options, lanes: Number(lanes.at(-1)?.split('=')[1] ?? defaultLanes) }
}

/**
 * Passes signals on to the suites that run; those that a terminal sends to its whole foreground group reach them by
 * themselves.
 */
function passSignalsOn(children) {
  const interruption = { signal: undefined }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      interruption.signal ??= signal
      if (signal === 'SIGINT' && process.stdin.isTTY) return
      for (const child of children) child.kill(signal)
    })
  return interruption
}

/** Results in the order of `groups`; those that were not begun, because of a signal or `--bail`, are missing. */
async function runAll({ groups, options, lanes }) {
  const children = new Set()
  const interruption = passSignalsOn(children)
  const stage = new Stage((chunk) => process.stdout.write(chunk))
  const results = new Map()
  const waiting = [...groups].sort((a, b) => rank(a) - rank(b))
  let bailed = false
  const lane = async () => {
    while (interruption.signal === undefined && !bailed) {
      const group = waiting.shift()
      if (group === undefined) return
      const act = stage.enter(`\n== ${group.name}: ${group.files.length} files\n`)
      try {
        if (group.files.length === 0) continue
        const result = await runSuite(group, { options, children, write: (chunk) => act.write(chunk) })
        results.set(group, result)
        if (options.includes('--bail') && result.failed + result.problems.length > 0) bailed = true
      } finally {
        act.end()
      }
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return { results: groups.flatMap((group) => results.get(group) ?? []), signal: interruption.signal }
}

function summarise(results) {
  const total = { passed: 0, failed: 0, skipped: 0, failures: [], pending: [] }
  console.log('\n== summary')
  for (const { name, passed, failed, skipped, failures, pending, problems, tookMs } of results) {
    const own = [...failures, ...problems].map((failure) => `${name}: ${failure}`)
    total.passed += passed
    total.failed += failed + problems.length
    total.skipped += skipped
    total.failures.push(...own)
    total.pending.push(...pending.map((title) => `${name}: ${title}`))
    const counts = `${passed} passed, ${failed + problems.length} failed, ${skipped} skipped`
    console.log(`  ${name}: ${counts} (${Math.round(tookMs / 1000)} s)`)
  }
  for (const title of total.pending) console.log(`  skipped  ${title}`)
  for (const title of total.failures) console.log(`  FAILED   ${title}`)
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
  const file = process.env['OUTPOOL_TEST_SUMMARY']
  if (file !== undefined) writeFileSync(file, JSON.stringify(total))
  return total
}

async function main() {
  await bootstrap()
  const { results, signal } = await runAll(plan(process.argv.slice(2)))
  const total = summarise(results)
  if (signal !== undefined) process.exitCode = 128 + constants.signals[signal]
  else if (total.failed > 0) process.exitCode = 1
}

main().catch((error) => {
  console.error(`npm test: ${error.message}`)
  process.exitCode = 1
})
