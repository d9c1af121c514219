/**
 * Clusters for the failure tests: node managers, which see nothing of the programs, and drivers as processes of their
 * own, from the built package, each cluster with a folder and a token of its own. Whatever is waited for is a condition;
 * what never comes is told by the timeout of the test.
 */
import { fork, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { namesIn } from '../../runtime/base/names-in.ts'
import type { DaemonFacts, DaemonOptions } from '../../runtime/cluster/daemon-options.ts'
import type { DaemonAnswer } from '../../runtime/cluster/detach.ts'
import { listRecords } from '../../runtime/cluster/node-records.ts'
import { clusterStatus } from '../../runtime/cluster/status.ts'
import type { ClusterStatus, NodeSummary } from '../../runtime/cluster/status.ts'
import { eventually } from '../tools/eventually.ts'
import { withoutPrograms } from './hiding.ts'
import { neverMissed } from '../tools/heartbeats.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const daemonEntry = join(root, 'dist/runtime/cluster/daemon-entry.js')

/** By then the last words of a process that has ended have been read. */
const wordsMs = 500

/** Of what a process printed. */
const shownLines = 8

/** Sends a signal; a process that has ended meanwhile is no error. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

export type Said = Readonly<Record<string, unknown>> & { readonly event: string }

/** A program of `programs/` (or a command that ends up in one) that tells what happens over its channel. */
export class Program {
  readonly name: string
  readonly #child: ChildProcess
  readonly #said: Said[] = []
  readonly #waiting: (() => void)[] = []
  #output = ''
  #ended: string | undefined

  constructor(child: ChildProcess, name: string) {
    this.#child = child
    this.name = name
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (more: string) => (this.#output = (this.#output + more).slice(-16_384)))
    child.on('message', (message) => this.#heard(message as Said))
    child.on('error', (error) => this.#over(`${name}: ${error.message}`))
    const ended = (code: number | null, killedBy: string | null): void =>
      this.#over(`${name} ended with ${killedBy ?? `exit code ${code}`}`)
    // Its last words have been read by then.
    child.on('close', ended)
    // Where the channel to it was closed here, Node tells of its exit alone.
    child.on('exit', (code, killedBy) => void (child.connected || setTimeout(ended, wordsMs, code, killedBy)))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get alive(): boolean {
    return this.#ended === undefined
  }

  /** What it printed, the last of it. */
  get output(): string {
    return this.#output
  }

  /** The next event of that name; those before it stay. Rejects when the program ends without. */
  next<T extends object = Said>(event: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const at = this.#said.findIndex((said) => said.event === event)
        if (at >= 0) return resolve(this.#said.splice(at, 1)[0] as unknown as T)
        if (this.#ended === undefined) return void this.#waiting.push(check)
        reject(new Error(`${this.#ended}, and did not say '${event}'. Its last lines:\n${this.#output}`))
      }
      check()
    })
  }

  /** The newest event of that name so far, if there is one. */
  latest<T extends object = Said>(event: string): T | undefined {
    return this.#said.findLast((said) => said.event === event) as unknown as T | undefined
  }

  /** All events of that name that nobody has asked for yet. */
  all<T extends object = Said>(event: string): T[] {
    return this.#said.filter((said) => said.event === event) as unknown as T[]
  }

  tell(event: string): void {
    this.#child.send({ event })
  }

  async ended(): Promise<string> {
    return eventually(() => this.#ended)
  }

  #heard(said: Said): void {
    this.#said.push(said)
    for (const check of this.#waiting.splice(0)) check()
  }

  #over(how: string): void {
    this.#ended ??= how
    for (const check of this.#waiting.splice(0)) check()
  }
}

export interface StartOptions extends Partial<Omit<DaemonOptions, 'logFile' | 'head'>> {
  /** Put in front of the command: `ip netns exec ...`. */
  readonly within?: readonly string[]
  /** Environment beside that of the cluster. */
  readonly environment?: Readonly<Record<string, string>>
}

export interface RunOptions {
  /** '' is local mode. */
  readonly address?: string
  readonly within?: readonly string[]
  readonly execArgv?: readonly string[]
  /** Environment beside that of the cluster. */
  readonly environment?: Readonly<Record<string, string>>
}

export class FailureCluster {
  /** Those that are not closed. */
  static readonly open: Set<FailureCluster> = new Set<FailureCluster>()
  readonly folder: string = mkdtempSync(join(tmpdir(), 'f-'))
  /** Where tasks leave their traces. */
  readonly traces: string = join(this.folder, 'traces')
  readonly token: string = randomBytes(24).toString('hex')
  readonly #programs: Program[] = []
  /** Processes of node managers that have not answered yet. */
  readonly #starting = new Set<ChildProcess>()
  /** Processes of node managers that have loaded what they need, and wait to be told what they are. */
  readonly #prepared: ChildProcess[] = []
  readonly #daemons: { readonly facts: DaemonFacts; readonly child: ChildProcess; readonly program: Program }[] = []

  constructor() {
    FailureCluster.open.add(this)
    mkdirSync(this.traces)
  }

  /** Where node managers have their folders. */
  get runRoot(): string {
    return join(this.folder, `outpool-${process.getuid?.() ?? 0}`)
  }

  /** The built command. */
  readonly commandLine: string = join(root, 'dist/lib/cli/main.js')

  /** Of all processes of this cluster. */
  get environment(): NodeJS.ProcessEnv {
    const { OUTPOOL_ADDRESS: _, OUTPOOL_TOKEN_FILE: __, NODE_OPTIONS: ___, ...rest } = process.env
    return { ...rest, OUTPOOL_HOME: join(this.folder, 'home'), OUTPOOL_TOKEN: this.token, TMPDIR: this.folder }
  }

  /** A head on a port of its own; it offers one CPU unless it is told otherwise. */
  startHead(options: StartOptions = {}): Promise<DaemonFacts> {
    return this.#start({ ...options, head: true })
  }

  startNode(address: string, options: StartOptions = {}): Promise<DaemonFacts> {
    return this.#start({ ...options, address, head: false })
  }

  /** A head and so many more nodes, all alike, that know each other. */
  async startAll(more: number, options: StartOptions = {}): Promise<DaemonFacts[]> {
    const head = await this.startHead(options)
    const others = await Promise.all(Array.from({ length: more }, () => this.startNode(head.url, options)))
    const all = [head, ...others]
    await this.knowEachOther(all)
    return all
  }

  async knowEachOther(nodes: readonly DaemonFacts[]): Promise<void> {
    await eventually(async () => {
      const { nodes: rows } = await this.status(nodes[0] as DaemonFacts)
      return nodes.every(({ id }) => rows.some((row) => row.id === id && row.state === 'alive')) || undefined
    })
  }

  /** From now on so many node managers begin before they are asked for; those that are asked for then start faster. */
  prepare(count: number): void {
    while (this.#prepared.length < count) this.#prepared.push(this.#spawn([], {}))
  }

  #spawn(within: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
    const [command, ...args] = [...(within.length > 0 ? within : withoutPrograms()), process.execPath, daemonEntry]
    return spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...this.environment, ...environment },
      detached: true,
    })
  }

  async #start({
    within = [],
    environment = {},
    ...options
  }: StartOptions & { readonly head: boolean }): Promise<DaemonFacts> {
    const isPlain = within.length === 0 && Object.keys(environment).length === 0
    const child = (isPlain ? this.#prepared.shift() : undefined) ?? this.#spawn(within, environment)
    const program = new Program(child, 'the node manager')
    this.#programs.push(program)
    this.#starting.add(child)
    const answered = new Promise<DaemonAnswer>((resolve, reject) => {
      child.once('message', (message) => resolve(message as DaemonAnswer))
      program.ended().then((how) => reject(new Error(`${how}:\n${program.output}`)), reject)
    })
    child.send({ port: 0, numCpus: 1, memory: '1GiB', ...neverMissed, ...options, logFile: '' })
    const answer = await answered.finally(() => this.#starting.delete(child))
    if (answer.kind === 'failed') throw new Error(`a node manager did not start: ${answer.message}\n${program.output}`)
    this.#daemons.push({ facts: answer.facts, child, program })
    return answer.facts
  }

  /** Starts a program of `programs/` as a driver of this cluster. */
  run(name: string, options: object, { address = '', within, execArgv = [], environment }: RunOptions = {}): Program {
    const path = fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url))
    const env = { ...this.environment, ...environment, ...(address !== '' && { OUTPOOL_ADDRESS: address }) }
    const args = [JSON.stringify({ folder: this.traces, ...options })]
    const child =
      within === undefined
        ? fork(path, args, { env, execArgv: [...execArgv], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
        : spawn(within[0] as string, [...within.slice(1), process.execPath, ...execArgv, path, ...args], {
            env,
            stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
          })
    const program = new Program(child, name)
    this.#programs.push(program)
    return program
  }

  /** Runs an example of the migration guide to its end; resolves with what it printed, as JSON. */
  async example(
    name: string,
    args: readonly string[],
    { address = '', within = [] }: RunOptions = {},
  ): Promise<unknown> {
    const path = join(root, 'migration-guide/examples', name)
    const [command = process.execPath, ...rest] = [...within, process.execPath, path, ...args]
    const env = { ...this.environment, ...(address !== '' && { OUTPOOL_ADDRESS: address }) }
    const child = spawn(command, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let printed = ''
    child.stdout.setEncoding('utf8').on('data', (more: string) => (printed += more))
    const program = new Program(child, name)
    this.#programs.push(program)
    const how = await program.ended()
    if (child.exitCode !== 0) throw new Error(`${how}. Its last lines:\n${program.output}`)
    return JSON.parse(printed)
  }

  /** What a node manager has written to its log, the last of it. */
  logOf(node: DaemonFacts): string {
    return this.#daemons.find(({ facts }) => facts.id === node.id)?.program.output ?? ''
  }

  /** The same, by its process; '' for one that a command started, which has a log file. */
  outputOf(pid: number): string {
    return this.#daemons.find(({ child }) => child.pid === pid)?.program.output ?? ''
  }

  status(node: DaemonFacts): Promise<ClusterStatus> {
    return clusterStatus(node.url, this.token)
  }

  /** The row of a node as another one sees it, when it is as wanted. */
  seen(by: DaemonFacts, wanted: (node: NodeSummary) => boolean): Promise<NodeSummary> {
    return eventually(async () => (await this.status(by)).nodes.find(wanted))
  }

  /** Process ids of the workers, of one node or of all. */
  workers(node?: string): number[] {
    const mark = node === undefined ? this.folder : join(this.runRoot, node)
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    const isWorker = (command: string): boolean => command.includes('/worker/entry') && command.includes(mark)
    return pids.filter((pid) => isWorker(commandLine(pid))).map(Number)
  }

  /** The folders of node managers that are there. */
  runFolders(): string[] {
    return namesIn(this.runRoot)
  }

  /** How often each task began, by its id; with `workers`, on those alone. */
  executions(workers?: readonly number[]): Map<string, number> {
    const times = new Map<string, number>()
    for (const name of readdirSync(this.traces)) {
      if (workers?.includes(Number.parseInt(name, 10)) === false) continue
      const lines = readFileSync(join(this.traces, name), 'utf8').split('\n')
      if (lines.pop() !== '') throw new Error(`${name}: its last line is not whole`)
      for (const id of lines) times.set(id, (times.get(id) ?? 0) + 1)
    }
    return times
  }

  /** Node managers that live, those that a command started included. */
  daemonPids(): number[] {
    return listRecords(join(this.folder, 'home')).map(({ pid }) => pid)
  }

  /** Ends everything that is still there, and what it left on disk. */
  async close(): Promise<void> {
    for (const child of this.#prepared.splice(0)) child.kill('SIGKILL')
    // Nobody waits for them: they leave by themselves, and take with them what they have made.
    const starting = new Set([...this.#starting].map(({ pid }) => pid))
    for (const child of this.#starting) if (child.connected) child.disconnect()
    for (const program of this.#programs) {
      if (!program.alive || starting.has(program.pid)) continue
      signal(program.pid, 'SIGCONT')
      signal(program.pid, 'SIGTERM')
    }
    for (const program of this.#programs) await program.ended()
    // What a command started is nobody's child here.
    for (const pid of this.daemonPids()) signal(pid, 'SIGKILL')
    await eventually(() => this.daemonPids().length === 0 || undefined)
    // A guardian of a killed node manager ends its workers and removes its folder a little later.
    await eventually(() => this.leftOver().length === 0 || undefined)
    rmSync(this.folder, { recursive: true, force: true })
    FailureCluster.open.delete(this)
  }

  /** How all of it stands: what the first node sees, and the last lines of every process. */
  async stand(): Promise<string> {
    const [first] = this.#daemons
    const seen = first === undefined ? undefined : await this.status(first.facts).catch((error: Error) => error.message)
    const rows = typeof seen === 'object' ? seen.nodes.map((row) => JSON.stringify(row)) : [seen ?? 'no node']
    const said = this.#programs.map(({ name, pid, alive, output }) =>
      [`${name} (pid ${pid}${alive ? '' : ', has ended'}):`, ...output.trimEnd().split('\n').slice(-shownLines)].join(
        '\n  ',
      ),
    )
    return [...rows, ...said].join('\n')
  }

  /** What keeps it from being closed. */
  leftOver(): string[] {
    return [
      ...this.#programs.filter(({ alive }) => alive).map(({ name, pid }) => `${name} (pid ${pid})`),
      ...this.daemonPids().map((pid) => `a node manager (pid ${pid})`),
      ...this.workers().map((pid) => `a worker (pid ${pid})`),
      ...this.runFolders().map((folder) => `the run folder ${folder}`),
    ]
  }

  /** Kills what does not end when it is asked to. */
  kill(): void {
    const pids = this.#programs.filter(({ alive }) => alive).map(({ pid }) => pid)
    for (const pid of [...pids, ...this.daemonPids(), ...this.workers()]) signal(pid, 'SIGKILL')
  }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}
