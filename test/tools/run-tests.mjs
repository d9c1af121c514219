/**
 * `npm test`: makes the clone ready, then runs the suites one after the other, each in a mocha of its own, and sums up.
 *
 * Usage: npm test -- [suite or file ...] [mocha options]
 * Without suites or files all suites run. A suite that dies, that does not end after its last test, or that leaves a
 * process behind counts as one failure more. With OUTPOOL_TEST_SUMMARY the totals are also written to that file, as JSON.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bootstrap } from './bootstrap.mjs'
import { root } from './build.mjs'
import { descendantsOf, describeProcess, processesMarked } from './processes.mjs'

const suites = ['style', 'types', 'unit', 'fuzz', 'simulation', 'conformance', 'cluster', 'failure']
/** Mocha without its wrapper, which would start a second process to pass the options on to Node: one to signal, not two. */
const mocha = join(root, 'node_modules/mocha/lib/cli/cli.js')
/** How long one suite may take; a suite that hangs must not take a whole CI run with it. */
const suiteLimitMs = 30 * 60_000
/** How long a suite's process may live after its last test, until what keeps it alive is called a leak. */
const endLimitMs = 20_000
/** How long processes of a suite may take to end after it. */
const leftoverLimitMs = 10_000

function testFiles(suite) {
  const folder = join(root, 'test', suite)
  if (!existsSync(folder)) return []
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.test.ts'))
  return names.map((name) => join('test', suite, name)).sort()
}

/** What to run, from the command line: names of suites, files, and options for mocha. */
function plan(args) {
  const named = args.filter((arg) => suites.includes(arg))
  const files = args.filter((arg) => !suites.includes(arg) && !arg.startsWith('-') && existsSync(join(root, arg)))
  const options = args.filter((arg) => !named.includes(arg) && !files.includes(arg))
  if (process.env['CI']) options.push('--forbid-only')
  const groups = files.length > 0 ? [{ name: 'files', files }] : []
  const wanted = named.length > 0 ? named : files.length > 0 ? [] : suites
  for (const name of wanted) groups.push({ name, files: testFiles(name) })
  return { groups, options }
}

/**
 * Runs a child to its end and passes signals on: those that a terminal sends to its whole foreground group reach the
 * child by themselves.
 */
async function runChild(command, options, { onTick }) {
  const child = spawn(process.execPath, command, options)
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  let interrupted
  const handlers = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => {
    const handler = () => {
      interrupted ??= signal
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    }
    process.on(signal, handler)
    return [signal, handler]
  })
  const timer = setInterval(() => onTick(child), 1000)
  try {
    return { ...(await ended), interrupted }
  } finally {
    clearInterval(timer)
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }
}

function readTotals(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

function endNow(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
}

/** Ends a suite's process that hangs, and remembers why. */
function watchdog(totalsFile, problems) {
  const startedAt = performance.now()
  let finishedAt
  return (child) => {
    const now = performance.now()
    if (finishedAt === undefined && existsSync(totalsFile)) finishedAt = now
    let problem
    if (finishedAt !== undefined && now - finishedAt > endLimitMs) {
      problem = `the process did not end within ${endLimitMs / 1000} s after its last test: a handle was left open`
    } else if (now - startedAt > suiteLimitMs) problem = `the suite took longer than ${suiteLimitMs / 60_000} minutes`
    if (problem === undefined || problems.length > 0) return
    problems.push(problem)
    for (const pid of [child.pid, ...descendantsOf(child.pid)]) endNow(pid)
  }
}

/** What the suite left running, after it had time to go; ended here, so that it cannot disturb the next suite. */
async function endLeftovers(mark) {
  const deadline = performance.now() + leftoverLimitMs
  let pids = processesMarked(mark)
  while (pids.length > 0 && performance.now() < deadline) {
    await sleep(100)
    pids = processesMarked(mark)
  }
  const problems = pids.map((pid) => `left a process behind: ${describeProcess(pid)}`)
  for (const pid of pids) endNow(pid)
  return problems
}

function nodeOptions() {
  return JSON.parse(readFileSync(join(root, '.mocharc.json'), 'utf8'))['node-option'].map((option) => `--${option}`)
}

async function runSuite({ name, files }, options) {
  const mark = `ot-${randomBytes(4).toString('hex')}`
  // Everything temporary of this suite lives here. The path is short, because unix sockets in it may have 107 bytes.
  const folder = join(tmpdir(), mark)
  mkdirSync(folder, { mode: 0o700 })
  const totalsFile = join(folder, 'totals.json')
  const env = { ...process.env, TMPDIR: folder, OUTPOOL_TEST_RUN: mark, OUTPOOL_TEST_TOTALS: totalsFile }
  const problems = []
  console.log(`\n== ${name}: ${files.length} files`)
  try {
    const stdio = ['ignore', 'inherit', 'inherit']
    const onTick = watchdog(totalsFile, problems)
    const result = await runChild(
      [...nodeOptions(), mocha, ...options, ...files],
      { cwd: root, env, stdio },
      { onTick },
    )
    const reported = readTotals(totalsFile)
    const totals = reported ?? { passed: 0, failed: 0, skipped: 0, failures: [], pending: [] }
    if (reported === undefined && problems.length === 0) problems.push('ended without telling its totals')
    const exit = result.signal ?? `exit code ${result.code}`
    if (problems.length === 0 && result.code !== 0 && totals.failed === 0) problems.push(`ended with ${exit}`)
    problems.push(...(await endLeftovers(mark)))
    return { name, ...totals, problems, interrupted: result.interrupted }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function summarise(results) {
  const total = { passed: 0, failed: 0, skipped: 0, failures: [], pending: [] }
  console.log('\n== summary')
  for (const { name, passed, failed, skipped, failures, pending, problems } of results) {
    const own = [...failures, ...problems].map((failure) => `${name}: ${failure}`)
    total.passed += passed
    total.failed += failed + problems.length
    total.skipped += skipped
    total.failures.push(...own)
    total.pending.push(...pending.map((title) => `${name}: ${title}`))
    console.log(`  ${name}: ${passed} passed, ${failed + problems.length} failed, ${skipped} skipped`)
  }
  for (const title of total.pending) console.log(`  skipped  ${title}`)
  for (const title of total.failures) console.log(`  FAILED   ${title}`)
  console.log(`  total: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
  const file = process.env['OUTPOOL_TEST_SUMMARY']
  if (file !== undefined) writeFileSync(file, JSON.stringify(total))
  return total
}

async function main() {
  await bootstrap()
  const { groups, options } = plan(process.argv.slice(2))
  const results = []
  for (const group of groups) {
    if (group.files.length === 0) {
      console.log(`\n== ${group.name}: no tests yet`)
      continue
    }
    const result = await runSuite(group, options)
    results.push(result)
    if (result.interrupted !== undefined) {
      process.exitCode = 128 + constants.signals[result.interrupted]
      break
    }
    if (options.includes('--bail') && result.failed + result.problems.length > 0) break
  }
  const total = summarise(results)
  if (total.failed > 0) process.exitCode ??= 1
}

main().catch((error) => {
  console.error(`npm test: ${error.message}`)
  process.exitCode = 1
})
