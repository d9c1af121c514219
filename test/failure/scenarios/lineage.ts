/** Large results on nodes that are killed: made again, right, and no more often than they were lost. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { askNodeJson } from '../../../runtime/cluster/ask-node.ts'
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import type { StoreUsage } from '../../../runtime/objects/store-usage.ts'
import { signal } from '../support.ts'
import { eventually } from '../../tools/eventually.ts'
import type { FailureCluster, Program } from '../support.ts'
import { isAlive } from '../../tools/processes.mjs'

export interface LineageOutcome {
  readonly rounds: number
  readonly values: number
  readonly wrong: number
  readonly failed: number
  readonly errors: readonly string[]
  /** Tasks that ran again for a lost value, and attempts beyond the first of those that had not finished. */
  readonly rebuilt: number
  readonly retried: number
}

export interface KilledOnce extends LineageOutcome {
  /** Objects of which the killed node had the only copy just before. */
  readonly onlyThere: number
  /** Times that a task began once more. */
  readonly again: number
  readonly left: Readonly<Record<string, number>>
}

export interface Sizes {
  readonly depth: number
  readonly width: number
}

const mebibyte = 1024 * 1024
/** The driver's home does the least. */
const home = { numCpus: 1, objectStoreMemory: 512 * mebibyte } as const
const others = ['odd', 'even'].map((name) => ({ ...home, numCpus: 2, resources: { [name]: 100 } }))

async function start(cluster: FailureCluster): Promise<readonly [DaemonFacts, DaemonFacts, DaemonFacts]> {
  const head = await cluster.startHead(home)
  const more = await Promise.all(others.map((options) => cluster.startNode(head.url, options)))
  const nodes = [head, ...more]
  await cluster.knowEachOther(nodes)
  return nodes as unknown as readonly [DaemonFacts, DaemonFacts, DaemonFacts]
}

/** Three nodes make a chain and a fan; one that is not the driver's home is killed; then every value is read. */
export async function killHolder(
  cluster: FailureCluster,
  { drop, ...sizes }: Sizes & { readonly drop: boolean },
): Promise<KilledOnce> {
  const nodes = await start(cluster)
  const [head, , victim] = nodes
  const driver = cluster.run('lineage', { ...sizes, drop }, { address: head.url, execArgv: ['--expose-gc'] })
  const { held } = await driver.next<{ held: string[] }>('made')
  const { began } = runs(cluster)
  const onlyThere = await onlyOn(cluster, nodes, victim, held)
  await kill(cluster, victim)
  await cluster.startNode(head.url, others[1])
  driver.tell('go on')
  const done = await driver.next<LineageOutcome>('done')
  // The sum of the fan had not run before.
  const again = runs(cluster).began - began - 1
  return { ...done, onlyThere, again, left: await leave(driver) }
}

export interface KilledOften extends LineageOutcome {
  readonly kills: number
  readonly beats: readonly Beat[]
  readonly again: number
  /** Times that a task began on a node that was killed later. */
  readonly onKilled: number
  readonly left: Readonly<Record<string, number>>
}

export interface KillOften extends Sizes {
  /** Kills, or for how long; whichever ends first. */
  readonly kills?: number
  readonly seconds?: number
  readonly everyMs: number
  /** Tasks that have to have begun on a node before it is killed. */
  readonly leastRuns?: number
}

/** Rounds of chains and fans, while a node is killed every so often and another one takes its place. */
export async function killHolders(
  cluster: FailureCluster,
  { kills = Infinity, seconds = Infinity, everyMs, leastRuns = 0, ...sizes }: KillOften,
  note: (text: string) => void = () => {},
): Promise<KilledOften> {
  const [head, ...living] = await start(cluster)
  const options = { ...sizes, rounds: 1_000_000 }
  const driver = cluster.run('lineage', options, { address: head.url, execArgv: ['--expose-gc'] })
  const beats = await killByTheClock(cluster, { living, head, kills, seconds, everyMs, leastRuns }, (killed) => {
    const progress = driver.latest<LineageOutcome & { event: string }>('progress')
    note(`${killed} killed: ${progress?.rounds ?? 0} rounds, ${progress?.values ?? 0} values`)
  })
  driver.tell('enough')
  const done = await driver.next<LineageOutcome>('done')
  const { began, distinct, on } = runs(cluster)
  const onKilled = beats.reduce((sum, { node }) => sum + (on.get(node) ?? 0), 0)
  return { ...done, kills: beats.length, beats, again: began - distinct, onKilled, left: await leave(driver) }
}

/** One kill. */
export interface Beat {
  readonly node: string
  /** How long after its time, in milliseconds. */
  readonly lateMs: number
  /** Nodes that were members, the killed one included. */
  readonly members: number
  /** Until the node in its place was a member, in milliseconds. */
  readonly replacedMs: number
}

interface Clockwork extends Pick<KillOften, 'kills' | 'seconds' | 'everyMs' | 'leastRuns'> {
  readonly head: DaemonFacts
  readonly living: readonly DaemonFacts[]
}

/** Kills one after the other, at the beat; the process that takes its place has begun before. */
async function killByTheClock(
  cluster: FailureCluster,
  { head, living, kills = Infinity, seconds = Infinity, everyMs, leastRuns = 0 }: Clockwork,
  note: (killed: number) => void,
): Promise<Beat[]> {
  const places: { facts: DaemonFacts; again: Promise<unknown> }[] = living.map((facts) => {
    return { facts, again: Promise.resolve() }
  })
  const beats: Promise<Beat>[] = []
  let replaced = 0
  const startedAt = performance.now()
  for (let turn = 0; beats.length < kills; turn = 1 - turn) {
    const nextMs = (beats.length + 1) * everyMs
    if (nextMs > seconds * 1000) break
    cluster.prepare(2)
    await sleep(Math.max(0, startedAt + nextMs - performance.now()))
    const place = places[turn] as (typeof places)[number]
    await place.again
    if (leastRuns > 0) await eventually(() => (runs(cluster).on.get(place.facts.id) ?? 0) >= leastRuns || undefined)
    const now = performance.now()
    const members = 1 + living.length - (beats.length - replaced)
    signal(place.facts.pid, 'SIGKILL')
    const beat = { node: place.facts.id, lateMs: now - startedAt - nextMs, members }
    const again = cluster.startNode(head.url, others[turn]).then((facts) => {
      place.facts = facts
      replaced++
      return { ...beat, replacedMs: performance.now() - now }
    })
    beats.push(again)
    place.again = again
    // Who waits for its place, or for all beats, hears of it.
    again.catch(() => {})
    note(beats.length)
  }
  return Promise.all(beats)
}

async function leave(driver: Program): Promise<Readonly<Record<string, number>>> {
  driver.tell('leave')
  return (await driver.next<{ left: Readonly<Record<string, number>> }>('end')).left
}

async function kill(cluster: FailureCluster, victim: DaemonFacts): Promise<void> {
  const workers = cluster.workers(victim.id)
  signal(victim.pid, 'SIGKILL')
  await eventually(() => workers.every((pid) => !isAlive(pid)) || undefined)
}

/** Of those objects, how many lie on that node and on no other. */
async function onlyOn(
  cluster: FailureCluster,
  nodes: readonly DaemonFacts[],
  victim: DaemonFacts,
  keys: readonly string[],
): Promise<number> {
  const wanted = new Set(keys)
  const lists = await Promise.all(
    nodes.map(async (each) => {
      const { list } = await askNodeJson<StoreUsage>(each.url, '/memory?objects=100000', cluster.token)
      return { id: each.id, keys: list.map(({ key }) => key).filter((key) => wanted.has(key)) }
    }),
  )
  const elsewhere = new Set(lists.flatMap((each) => (each.id === victim.id ? [] : each.keys)))
  return lists.flatMap((each) => (each.id === victim.id ? each.keys : [])).filter((key) => !elsewhere.has(key)).length
}

/** How often tasks began, how many of them, and where. */
function runs({ traces }: FailureCluster): { began: number; distinct: number; on: ReadonlyMap<string, number> } {
  const on = new Map<string, number>()
  const distinct = new Set<string>()
  for (const name of readdirSync(traces)) {
    const ids = readFileSync(join(traces, name), 'utf8').trimEnd().split('\n')
    for (const id of ids) distinct.add(id)
    const at = name.split('.')[0] as string
    on.set(at, (on.get(at) ?? 0) + ids.length)
  }
  const began = [...on.values()].reduce((sum, times) => sum + times, 0)
  return { began, distinct: distinct.size, on }
}
