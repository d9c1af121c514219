/**
 * A cluster of this machine that leaves nothing behind: a head and other nodes, each a process of `outpool start`, with
 * a folder and a token of their own, so that no cluster of the user is touched.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cpuMsOf } from './cpu-time.mjs'

const commandLine = fileURLToPath(new URL('../../../dist/lib/cli/main.js', import.meta.url))
const startLimitMs = 30_000
const stopLimitMs = 10_000
const stderrKept = 4_000

export class Cluster {
  /** In the order of their start: the head first. */
  nodes = []
  #folder = temporaryFolder()
  #environment = environmentOf(this.#folder)

  /** Starts a node for each number of CPUs. Rejects when one does not come up. */
  async start(cpus) {
    const [headCpus, ...otherCpus] = cpus
    await this.#startNode(['--head', '--num-cpus', headCpus])
    await Promise.all(otherCpus.map((count) => this.#startNode(['--address', this.url, '--num-cpus', count])))
  }

  /** Where programs find it. */
  get url() {
    return this.nodes[0].url
  }

  /** For programs: with the token, and the address unless they are to run without the cluster. */
  environment({ joined }) {
    return joined ? { ...this.#environment, OUTPOOL_ADDRESS: this.url } : this.#environment
  }

  /** Kills the node manager; the guardian of its workers ends them. */
  kill(node) {
    node.killed = true
    node.child.kill('SIGKILL')
  }

  /** CPU time of all node managers, and of their workers, so far. */
  cpuMs() {
    const times = this.nodes.filter(({ pid }) => pid !== undefined).map(({ pid }) => cpuMsOf(pid))
    return {
      managersMs: times.reduce((sum, { ownMs }) => sum + ownMs, 0),
      workersMs: times.reduce((sum, { childrenMs }) => sum + childrenMs, 0),
    }
  }

  /** Ends what runs, the head last, and removes the folder. */
  async stop() {
    const [head, ...others] = this.nodes
    await Promise.all(others.map(stopNode))
    if (head !== undefined) await stopNode(head)
    this.stopNow()
  }

  /** The same without waiting, for the end of the process. */
  stopNow() {
    for (const { child } of this.nodes) if (isRunning(child)) child.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  }

  async #startNode(options) {
    // A group of its own: Ctrl-C is for the main job, which then stops its nodes in order. If it is killed, the pipe of
    // their stdin ends, and they stop by themselves.
    const command = [commandLine, 'start', '--block', '--stop-on-eof', '--port', '0', ...options.map(String)]
    const child = spawn(process.execPath, command, {
      env: this.#environment,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    child.stdin.on('error', () => {})
    const node = { id: '', url: '', pid: child.pid, cpus: Number(options.at(-1)), killed: false, stderr: '', child }
    this.nodes.push(node)
    child.stderr.setEncoding('utf8').on('data', (text) => {
      node.stderr = (node.stderr + text).slice(-stderrKept)
    })
    const [, id, url] = await firstMatch(node, /^Node (\S+) is up at (\S+)/m)
    Object.assign(node, { id, url })
  }
}

function temporaryFolder() {
  // The path of a unix socket may have 103 bytes, and the temporary folder of some systems alone has 50.
  const base = tmpdir().length > 40 && process.platform !== 'win32' ? '/tmp' : tmpdir()
  return mkdtempSync(join(base, 'outpool-'))
}

function environmentOf(folder) {
  const environment = { ...process.env }
  for (const name of Object.keys(environment)) if (name.startsWith('OUTPOOL_')) delete environment[name]
  const token = randomBytes(32).toString('base64url')
  // The mark by which the tests find what a run of theirs left behind.
  const mark = process.env.OUTPOOL_TEST_RUN
  return {
    ...environment,
    ...(mark !== undefined && { OUTPOOL_TEST_RUN: mark }),
    TMPDIR: folder,
    OUTPOOL_HOME: join(folder, 'home'),
    OUTPOOL_TOKEN: token,
  }
}

function firstMatch(node, pattern) {
  const { child } = node
  return new Promise((resolve, reject) => {
    let text = ''
    const fail = (reason) => reject(new Error(`a node did not start: ${reason}\n${node.stderr}`.trim()))
    const timer = setTimeout(() => fail(`it was not up after ${startLimitMs / 1000} s`), startLimitMs)
    child.once('error', (error) => fail(error.message))
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      fail(`it ended with ${signal ?? `exit code ${code}`}`)
    })
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
      const found = pattern.exec(text)
      if (found === null) return
      clearTimeout(timer)
      resolve(found)
    })
  })
}

function isRunning(child) {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}

async function stopNode({ child }) {
  if (!isRunning(child)) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopLimitMs)
  await exited
  clearTimeout(timer)
}
