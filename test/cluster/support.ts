/**
 * Clusters of real daemons on loopback, each test file with an Outpool folder and a token of its own. The daemons are
 * those of the built package, without the loader of the tests: from the sources each takes seconds to start.
 */
import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { newProcessId } from '../../runtime/base/ids.ts'
import { namesIn } from '../../runtime/base/names-in.ts'
import { startDetached } from '../../dist/runtime/cluster/detach.js'
import type { DaemonFacts, DaemonOptions } from '../../runtime/cluster/daemon-options.ts'
import { joinCluster } from '../../runtime/cluster/join.ts'
import { listRecords } from '../../runtime/cluster/node-records.ts'
import { noteProcess, stateOfProcess } from '../../runtime/base/process-identity.ts'
import type { ProcessNote } from '../../runtime/base/process-identity.ts'
import { runFoldersRoot } from '../../runtime/cluster/run-folder.ts'
import { clusterStatus } from '../../runtime/cluster/status.ts'
import type { ClusterStatus, NodeSummary } from '../../runtime/cluster/status.ts'
import { findToken } from '../../runtime/cluster/token.ts'
import { processesMarked } from '../tools/processes.mjs'
import { eventually } from '../tools/eventually.ts'
import { neverMissed } from '../tools/heartbeats.ts'

const changed = ['OUTPOOL_HOME', 'OUTPOOL_TOKEN', 'OUTPOOL_TOKEN_FILE', 'OUTPOOL_ADDRESS'] as const

export class TestCluster {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'c-'))
  readonly #before: Map<string, string | undefined> = new Map()
  readonly #daemons: ProcessNote[] = []

  constructor() {
    for (const name of changed) {
      this.#before.set(name, process.env[name])
      delete process.env[name]
    }
    process.env['OUTPOOL_HOME'] = join(this.folder, 'home')
  }

  get token(): string {
    return findToken({ make: true }).token
  }

  async start(options: Omit<DaemonOptions, 'logFile'>): Promise<DaemonFacts & { readonly logFile: string }> {
    const facts = await withoutLoader(() =>
      startDetached({ port: 0, numCpus: 1, memory: '1GiB', ...neverMissed, ...options }),
    )
    this.#daemons.push(noteProcess(facts.pid))
    return facts
  }

  /** A head and so many more nodes; `ofHead` is for that alone. */
  async startAll(
    more: number,
    options: Partial<DaemonOptions> = {},
    ofHead: Partial<DaemonOptions> = {},
  ): Promise<DaemonFacts[]> {
    const head = await this.start({ ...options, ...ofHead, head: true })
    const start = (): Promise<DaemonFacts> => this.start({ ...options, head: false, address: head.url })
    const others = await Promise.all(Array.from({ length: more }, start))
    const all = [head, ...others]
    for (const node of all) await this.#knows(node, all)
    return all
  }

  /** Waits until a node has been told of these. */
  async #knows(node: DaemonFacts, others: readonly DaemonFacts[]): Promise<void> {
    const home = await joinCluster({
      ...{ address: node.url, token: this.token, process: newProcessId(), info: { asking: true } },
      onMessage: () => {},
      onLink: () => {},
    })
    await eventually(async () => {
      const ids = (await home.nodes()).map(({ id }) => id)
      return others.every(({ id }) => ids.includes(id)) || undefined
    })
    home.close()
  }

  status(node: DaemonFacts): Promise<ClusterStatus> {
    return clusterStatus(node.url, this.token)
  }

  /** The row of a node as another one (or the head behind it) sees it, when it is as wanted. */
  seen(by: DaemonFacts, id: string, wanted: (node: NodeSummary) => boolean): Promise<NodeSummary> {
    return eventually(async () => {
      const { nodes } = await this.status(by)
      return nodes.find((node) => node.id === id && wanted(node))
    })
  }

  /** Ends everything that is still there, and what it left on disk. */
  async close(): Promise<void> {
    for (const note of this.#daemons) {
      if (stateOfProcess(note) !== 'alive') continue
      process.kill(note.pid, 'SIGCONT')
      process.kill(note.pid, 'SIGTERM')
    }
    for (const note of this.#daemons) await eventually(() => stateOfProcess(note) !== 'alive' || undefined)
    // A guardian of a killed node removes its folder a little later.
    await eventually(() => namesIn(runFoldersRoot()).length === 0 || undefined)
    rmSync(runFoldersRoot(), { recursive: true, force: true })
    rmSync(this.folder, { recursive: true, force: true })
    for (const [name, value] of this.#before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

/** What `start` starts before it first waits does not inherit the options of this process. */
function withoutLoader<T>(start: () => T): T {
  const restore = plainWorkers()
  try {
    return start()
  } finally {
    restore()
  }
}

export function recordedIds(): string[] {
  return listRecords().map(({ id }) => id)
}

/** Calls something short often enough to know its run time: only what was measured is sent ahead. */
export async function measure(call: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < 50; i++) await call()
}

/** That these are among what was told, in this order. What else is there depends on how busy the machine is. */
export function expectInOrder(told: readonly string[], order: readonly string[]): void {
  let at = -1
  for (const event of order) {
    const next = told.indexOf(event, at + 1)
    expect(next, `${event} after ${told[at] ?? 'nothing'} in ${told.join(', ')}`).to.be.greaterThan(at)
    at = next
  }
}

/** Waits until a process is gone. */
export function ended(pid: number): Promise<true> {
  const note = noteProcess(pid)
  return eventually(() => stateOfProcess(note) !== 'alive' || undefined)
}

/** What tasks did, told outside of Outpool: each appends a line to a file of its process. */
export class Trace {
  readonly folder: string = mkdtempSync(join(tmpdir(), 't-'))
  #removed = false

  /** The lines of all processes, or of one file. */
  lines(file?: string): string[] {
    return namesIn(this.folder)
      .filter((name) => file === undefined || name === file)
      .flatMap((name) => readFileSync(join(this.folder, name), 'utf8').split('\n').filter(Boolean))
  }

  /** The processes that wrote, or that wrote this line. */
  files(line?: string): string[] {
    return namesIn(this.folder).filter((name) => line === undefined || this.lines(name).includes(line))
  }

  /** Waits for a line, for as long as the test may take. */
  async has(line: string): Promise<void> {
    await eventually(() => this.#removed || this.lines().includes(line) || undefined)
  }

  remove(): void {
    this.#removed = true
    // A task that was cancelled may begin a file while the folder is emptied: it finds none at this name any more.
    const gone = `${this.folder}-gone`
    renameSync(this.folder, gone)
    rmSync(gone, { recursive: true, force: true })
  }
}

/**
 * Workers inherit the loader that reads TypeScript from this process, which makes them start twice as slowly. Where a
 * test runs nothing from TypeScript in them, they can do without. Returns what undoes it.
 */
export function plainWorkers(): () => void {
  const before = process.execArgv
  process.execArgv = []
  return () => {
    process.execArgv = before
  }
}

/** The same for all tests of a `describe`. */
export function usePlainWorkers(): void {
  let restore: () => void
  before(() => {
    restore = plainWorkers()
  })
  after(() => restore())
}

const programs = new URL('programs/', import.meta.url)

/** A program of `test/cluster/programs` in a process, a process group and a temporary folder of its own. */
export class Program {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'p-'))
  readonly pid: number
  stdout = ''
  stderr = ''
  /** Its exit code and signal, when all that it wrote has been read. */
  readonly exit: Promise<[code: number | null, signal: NodeJS.Signals | null]>

  constructor(name: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [fileURLToPath(new URL(name, programs)), ...args], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: this.folder, NODE_OPTIONS: '', ...env },
    })
    this.pid = child.pid ?? 0
    child.stdout.on('data', (bytes: Buffer) => (this.stdout += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (this.stderr += bytes.toString()))
    this.exit = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve([code, signal]))
    })
  }

  /** What every process of it carries in its environment, its command line or its open files. */
  get mark(): string {
    return basename(this.folder)
  }

  /** Ends it if it has not ended. */
  async remove(): Promise<void> {
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
    await this.exit
    await eventually(() => processesMarked(this.mark).length === 0 || undefined)
    rmSync(this.folder, { recursive: true, force: true })
  }
}
