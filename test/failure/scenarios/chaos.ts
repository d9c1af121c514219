/**
 * Three node managers and a head under `outpool chaos`, while two programs work. Everything is done by the command as a
 * user would run it; what has to hold is counted outside of Outpool.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import { steadyPort } from '../../tools/steady-port.ts'
import { withoutPrograms } from '../hiding.ts'
import type { FailureCluster, Program } from '../support.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { NeverCame, within } from '../within.ts'
import { ChaosCounts } from './chaos-counts.ts'
import { ChaosNodes } from './chaos-nodes.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly seconds: number
  /** The pause between two acts, in seconds: `0.5-2`. */
  readonly every: string
  readonly drivers: number
  readonly note?: (text: string) => void
  /** Told at once: a node is missing that nobody killed, or something that has to come does not. */
  readonly wrong: (text: string) => void
  /** Where the log of such a node is kept; none is kept without. */
  readonly keepIn?: string
}

/** What is held after everything under way has ended. */
export interface Held {
  readonly heapBytes: number
  /** Of memory that is not shared. */
  readonly ownBytes: number
  readonly files: number
  readonly handles: number
}

interface KindCounts {
  readonly accepted: number
  readonly succeeded: number
  readonly failed: Readonly<Record<string, number>>
}

export interface ChaosOutcomes {
  readonly counts: Readonly<Record<string, KindCounts>>
  /** Values that are another's, and errors that nothing can have caused. */
  readonly wrong: readonly string[]
  /** Ids of tasks with `maxRetries: 0` that succeeded. */
  readonly succeededOnce: readonly string[]
  readonly retried: number
  /** After each life of the program: a life ends when its home is gone. */
  readonly lives: readonly { readonly held: Held; readonly left: Readonly<Record<string, number>> }[]
}

export interface ChaosResult {
  readonly acts: Readonly<Record<string, number>>
  readonly drivers: readonly ChaosOutcomes[]
  /** How often each task with `maxRetries: 0` began that began more than once, and those that succeeded without. */
  readonly startedTwice: readonly string[]
  readonly neverStarted: readonly string[]
  /** What node managers and workers had too much of, or more and more; and what was left in their tables. */
  readonly grown: readonly string[]
  /** The most that there was of each, and how often that was looked at. */
  readonly peaks: Readonly<Record<string, number>>
  readonly looks: number
}

interface Act {
  readonly atMs: number
  readonly what: string
  readonly node: string
  readonly text: string
}

interface Progress {
  readonly next: number
  readonly retried: number
  /** Ids of calls that have not settled for very long. */
  readonly late: readonly string[]
  /** Of the program itself, in its lives so far. */
  readonly ids: readonly string[]
}

const sampleMs = 2_000
const tellMs = 5_000
const startMs = 60_000
/** The command goes on for as long as the last node takes that it starts again. */
const commandMs = 60_000
/** For work to end, for programs to leave, and for nodes to be free. */
const quietMs = 60_000
/** Entries of a node manager that a program has as long as it is there. */
const ofPrograms = ['jobs', 'owners', 'holders']

export async function underChaos(cluster: FailureCluster, options: ChaosOptions): Promise<ChaosResult> {
  const { seed, seconds, every, note = () => {}, wrong, keepIn = '' } = options
  const { head, drivers } = await within(
    startMs,
    () => begin(cluster, options),
    () => 'four nodes that know each other, and programs that have joined them',
  )
  const counts = new ChaosCounts(cluster, (id) => nameOf(drivers, id))
  const nodes = new ChaosNodes(cluster, { keepIn, wrong })
  const timers = [setInterval(tellingOf(drivers, note), tellMs), setInterval(() => void counts.look(), sampleMs)]
  const acts: Record<string, number> = {}
  const comes: Comes = async (awaited, missing) => {
    try {
      return await within(quietMs, awaited, missing)
    } catch (error) {
      if (!(error instanceof NeverCame)) throw error
      wrong(error.message)
      return undefined
    }
  }
  try {
    const args = ['--seed', seed, '--seconds', seconds, '--every', every]
    await chaosCommand(cluster, head, args, seconds * 1_000 + commandMs, (act) => {
      acts[act.what] = (acts[act.what] ?? 0) + 1
      note(`${(act.atMs / 1000).toFixed(1)} ${act.what} ${act.node} ${act.text}`)
      nodes.acted(act.what, act.node, act.text)
    })
    for (const timer of timers.splice(0)) clearInterval(timer)
    note('nothing goes wrong any more')
    return await rest(cluster, { head, drivers, counts, comes, acts })
  } finally {
    for (const timer of timers) clearInterval(timer)
    nodes.close()
  }
}

/** Four nodes, all of which are killed and started again where they were, and programs that work. */
async function begin(
  cluster: FailureCluster,
  { seed, drivers: count }: ChaosOptions,
): Promise<{ readonly head: DaemonFacts; readonly drivers: readonly Program[] }> {
  const common = { numCpus: 2, allowChaos: true, heartbeatIntervalMs: 300, heartbeatMisses: 5 }
  const head = await cluster.startHead({ ...common, storage: join(cluster.folder, 'head'), port: await steadyPort() })
  const others = await Promise.all(
    [1, 2, 3].map(async () => cluster.startNode(head.url, { ...common, port: await steadyPort() })),
  )
  const nodes = [head, ...others]
  await cluster.knowEachOther(nodes)
  const drivers = Array.from({ length: count }, (_, i) => startDriver(cluster, nodes, seed + i))
  for (const driver of drivers) await driver.next('life')
  return { head, drivers }
}

function tellingOf(drivers: readonly Program[], note: (text: string) => void): () => void {
  let told = 0
  return () => {
    for (const [i, driver] of drivers.entries()) {
      const { next, retried } = driver.latest<Progress>('progress') ?? { next: 0, retried: 0 }
      const waits = waitsOf(driver)
      note(`program ${i + 1}: ${next} calls, ${retried} run again, ${driver.all('lived').length} lives over${waits}`)
    }
    for (const { reason } of drivers.flatMap((driver) => driver.all<{ reason: string }>('waits')).slice(told)) {
      told++
      note(`cannot join: ${reason}`)
    }
  }
}

/** '' for who is none of these. */
function nameOf(drivers: readonly Program[], id: string): string {
  for (const [i, driver] of drivers.entries()) {
    const ids = driver.latest<Progress>('progress')?.ids ?? []
    if (ids.includes(id)) return `program ${i + 1}${ids.at(-1) === id ? '' : ' in an earlier life'}`
  }
  return ''
}

function waitsOf(driver: Program): string {
  const late = driver.latest<Progress>('progress')?.late ?? []
  return late.length === 0 ? '' : `, still waits for ${late.join(' ')}`
}

interface Under {
  readonly head: DaemonFacts
  readonly drivers: readonly Program[]
  readonly counts: ChaosCounts
  readonly comes: Comes
  readonly acts: Readonly<Record<string, number>>
}

/** Resolves with undefined, and it is told as wrong, when it does not come. */
type Comes = <T>(awaited: (signal: AbortSignal) => Promise<T>, missing: () => string) => Promise<T | undefined>

/** All work ends, the programs leave, and nothing may be held any more. */
async function rest(cluster: FailureCluster, { head, drivers, counts, comes, acts }: Under): Promise<ChaosResult> {
  const outcomes: ChaosOutcomes[] = []
  let leftByWork: readonly string[] = []
  for (const driver of drivers) driver.tell('enough')
  const restless = (): string => drivers.map((driver, i) => `program ${i + 1}${waitsOf(driver)}`).join('; ')
  const areQuiet = await comes(
    () => Promise.all(drivers.map((driver) => driver.next('quiet'))),
    () => `all programs at rest: ${restless()}`,
  )
  await counts.look()
  if (areQuiet !== undefined) {
    // The programs are there and do nothing: neither do those who worked for them.
    leftByWork = await counts.left(true, ofPrograms)
    const told = drivers.map((driver) => outcomesOf(driver))
    outcomes.push(
      ...((await comes(
        () => Promise.all(told),
        () => 'the outcomes of all programs, and their end',
      )) ?? []),
    )
  }
  let lastSeen = 'nobody answered'
  await comes(
    (signal) => allFree(cluster, head, signal, (seen) => (lastSeen = seen)),
    () => `all four nodes alive, with all that they have; ${lastSeen}`,
  )
  const leftByPrograms = await counts.left(true)
  const grown = [
    ...leftByWork.map((text) => `${text}, while the programs rest`),
    ...leftByPrograms.map((text) => `${text}, after the programs have left`),
    ...counts.problems,
  ]
  const { peaks, samples: looks } = counts
  return { acts, drivers: outcomes, ...startedWrong(cluster, outcomes), grown, peaks, looks }
}

function startDriver(cluster: FailureCluster, nodes: readonly DaemonFacts[], seed: number): Program {
  const addresses = nodes.map(({ url }) => url)
  const work = { addresses, seed, streams: 8, leastMs: 1, mostMs: 50 }
  return cluster.run('chaos', work, { execArgv: ['--expose-gc'] })
}

/** Resolves when the command has ended; rejects with what it said when it failed. */
function chaosCommand(
  cluster: FailureCluster,
  head: DaemonFacts,
  args: readonly (string | number)[],
  limitMs: number,
  onAct: (act: Act) => void,
): Promise<void> {
  const all = [process.execPath, cluster.commandLine, 'chaos', '--address', head.url, '--restart', '--json', ...args]
  // It starts nodes again, which are to be as they were.
  const [command = '', ...rest] = [...withoutPrograms(), ...all.map(String)]
  const child = spawn(command, rest, {
    env: cluster.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let line = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (line + text).split('\n')
    line = lines.pop() ?? ''
    for (const one of lines) {
      const act = JSON.parse(one) as Act
      if (act.what !== 'plan') onAct(act)
    }
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const ended = new Promise<void>((resolve, reject) => {
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`outpool chaos: ${code}\n${errors}`))))
  })
  return within(
    limitMs,
    () => ended,
    () => `the end of outpool chaos\n${errors}`,
  ).finally(() => child.kill('SIGKILL'))
}

async function outcomesOf(driver: Program): Promise<ChaosOutcomes> {
  driver.tell('leave')
  const outcomes = await driver.next<Omit<ChaosOutcomes, 'lives'>>('outcomes')
  const lives = driver.all<ChaosOutcomes['lives'][number]>('lived')
  await driver.next('end')
  return { ...outcomes, lives }
}

/** At most once, counted by the tasks themselves. */
function startedWrong(
  cluster: FailureCluster,
  outcomes: readonly ChaosOutcomes[],
): Pick<ChaosResult, 'startedTwice' | 'neverStarted'> {
  const executions = cluster.executions()
  const mustNotRepeat = (id: string): boolean => /^\d+-(once|cancelled)-/.test(id)
  const startedTwice = [...executions].filter(([id, times]) => times > 1 && mustNotRepeat(id)).map(([id]) => id)
  const neverStarted = outcomes.flatMap(({ succeededOnce }) => succeededOnce.filter((id) => !executions.has(id)))
  return { startedTwice, neverStarted }
}

/** Every node has all of its resources back. `onSeen` is told what there is instead. */
async function allFree(
  cluster: FailureCluster,
  head: DaemonFacts,
  signal: AbortSignal,
  onSeen: (seen: string) => void,
): Promise<true> {
  while (!signal.aborted) {
    const { nodes, fromHead } = await cluster.status(head).catch(() => ({ nodes: [], fromHead: false }))
    const alive = nodes.filter(({ state }) => state === 'alive')
    const free = alive.every(
      ({ queued, resources }) => queued === 0 && Object.values(resources).every(({ used }) => used === 0),
    )
    if (fromHead && alive.length === 4 && free) return true
    const rows = nodes.filter(({ state }) => state !== 'dead')
    const seen = rows.map(({ id, state, queued, resources }) => JSON.stringify({ id, state, queued, resources }))
    onSeen(fromHead ? `there are ${seen.join(' ')}` : 'the head does not answer')
    await sleep(100)
  }
  return true
}
