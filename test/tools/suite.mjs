/**
 * One suite in a mocha of its own, with an id and a temporary folder of its own: suites that run at the same time know
 * nothing of each other. What it printed, how it ended, and what it left behind.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from './build.mjs'
import { descendantsOf, describeProcess, processesMarked } from './processes.mjs'

/**
 * Mocha without its wrapper, which would start a second process to pass the options on to Node: one to signal, not two.
 * It runs only when it is named by its real path.
 */
const mocha = () => realpathSync(join(root, 'node_modules/mocha/lib/cli/cli.js'))
/** How long one suite may take; a suite that hangs must not take a whole CI run with it. */
const suiteLimitMs = 30 * 60_000
/** How long a suite's process may live after its last test, until what keeps it alive is called a leak. */
const endLimitMs = 20_000
/** How long processes of a suite may take to end after it. */
const defaultLeftoverLimitMs = 10_000
/** How long its last words may take when nobody of it is left who could write any. */
const outputLimitMs = 2_000

/**
 * @typedef {object} SuiteResult
 * @property {string} name
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string[]} failures titles
 * @property {string[]} pending titles
 * @property {string[]} problems what went wrong around the tests
 * @property {number} tookMs
 */

/**
 * Runs the files of a suite. `children` are the processes to which signals are passed on, while they live.
 * @param {{ name: string, files: string[] }} suite
 * @param {object} how
 * @param {string[]} how.options for mocha
 * @param {Set<import('node:child_process').ChildProcess>} how.children
 * @param {(chunk: Buffer) => void} how.write
 * @param {number} [how.leftoverLimitMs]
 * @returns {Promise<SuiteResult>}
 */
export async function runSuite(
  { name, files },
  { options, children, write, leftoverLimitMs = defaultLeftoverLimitMs },
) {
  const startedAt = performance.now()
  const mark = `ot-${randomBytes(4).toString('hex')}`
  // Everything temporary of this suite lives here. The path is short, because unix sockets in it may have 107 bytes.
  const folder = join(tmpdir(), mark)
  mkdirSync(folder, { mode: 0o700 })
  const totalsFile = join(folder, 'totals.json')
  const env = { ...environment(), TMPDIR: folder, OUTPOOL_TEST_RUN: mark, OUTPOOL_TEST_TOTALS: totalsFile }
  const problems = []
  try {
    const child = spawn(process.execPath, [...nodeOptions(), mocha(), ...options, ...files], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const closed = new Promise((resolve) => void child.once('close', resolve))
    for (const stream of [child.stdout, child.stderr]) stream.on('data', write)
    const result = await endOf(child, children, watchdog(totalsFile, problems))
    const reported = readTotals(totalsFile)
    const totals = reported ?? { passed: 0, failed: 0, skipped: 0, failures: [], pending: [] }
    if (reported === undefined && problems.length === 0) problems.push('ended without telling its totals')
    const exit = result.signal ?? `exit code ${result.code}`
    if (problems.length === 0 && result.code !== 0 && totals.failed === 0) problems.push(`ended with ${exit}`)
    problems.push(...(await endLeftovers(mark, leftoverLimitMs)))
    await Promise.race([closed, sleep(outputLimitMs, undefined, { ref: false })])
    return { name, ...totals, problems, tookMs: performance.now() - startedAt }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Node 20 reads the certificates that NODE_EXTRA_CA_CERTS names whenever a process starts: for those of a system 80 ms of
 * CPU time in each of three thousand. What turns to a registry finds them by another name (see installed-tool.ts).
 */
function environment() {
  const { NODE_EXTRA_CA_CERTS: certificates, ...rest } = process.env
  return certificates === undefined ? rest : { ...rest, OUTPOOL_TEST_CERTIFICATES: certificates }
}

function nodeOptions() {
  return JSON.parse(readFileSync(join(root, '.mocharc.json'), 'utf8'))['node-option'].map((option) => `--${option}`)
}

function readTotals(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

async function endOf(child, children, onTick) {
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  children.add(child)
  const timer = setInterval(() => onTick(child), 1000)
  try {
    return await ended
  } finally {
    clearInterval(timer)
    children.delete(child)
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

function endNow(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
}

/** What the suite left running, after it had time to go; ended here, so that it cannot disturb the next suite. */
async function endLeftovers(mark, limitMs) {
  const deadline = performance.now() + limitMs
  let pids = processesMarked(mark)
  while (pids.length > 0 && performance.now() < deadline) {
    await sleep(100)
    pids = processesMarked(mark)
  }
  const problems = pids.map((pid) => `left a process behind: ${describeProcess(pid)}`)
  for (const pid of pids) endNow(pid)
  return problems
}
