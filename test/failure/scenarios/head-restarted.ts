/** The head is killed under load and started again on the same port, with the tables that it had. */
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import { joinCluster } from '../../../runtime/cluster/join.ts'
import { newProcessId } from '../../../runtime/base/ids.ts'
import type { Home } from '../../../runtime/owner/home.ts'
import { signal } from '../support.ts'
import { eventually } from '../../tools/eventually.ts'
import type { FailureCluster, StartOptions } from '../support.ts'
import { Load } from './under-load.ts'
import type { LoadOutcomes } from './under-load.ts'
import { isAlive } from '../../tools/processes.mjs'
import { steadyPort } from '../../tools/steady-port.ts'

/** A head without CPUs, whose end is no loss of work, on tables that outlive it. */
export async function headOptions(cluster: FailureCluster): Promise<StartOptions> {
  return { numCpus: 0, storage: join(cluster.folder, 'tables'), port: await steadyPort() }
}

/** SIGKILL; resolves when another process has its port and its tables. The one after that begins to load meanwhile. */
export async function restartHead(
  cluster: FailureCluster,
  head: DaemonFacts,
  options: StartOptions,
): Promise<DaemonFacts> {
  signal(head.pid, 'SIGKILL')
  await eventually(() => !isAlive(head.pid) || undefined)
  const next = await cluster.startHead(options)
  cluster.prepare(1)
  return next
}

/** The same; resolves when these nodes are registered with it, before which it is no head for anybody. */
export async function replaceHead(
  cluster: FailureCluster,
  head: DaemonFacts,
  options: StartOptions,
  nodes: readonly DaemonFacts[],
): Promise<DaemonFacts> {
  const next = await restartHead(cluster, head, options)
  for (const { id } of nodes) await cluster.seen(next, (row) => row.id === id && row.state === 'alive')
  return next
}

export interface HeadRestarted {
  readonly outcomes: LoadOutcomes
  /** What is left in the driver's tables. */
  readonly left: Readonly<Record<string, number>>
  /** How often the head was killed. */
  readonly kills: number
  /** Until all nodes and the job of the driver were registered again, after each start of the head. */
  readonly againMs: readonly number[]
  /** Keys that were acknowledged before a kill and not there after it. */
  readonly missing: readonly string[]
  readonly acknowledged: number
}

/** `kills` times: rows are written, the head is killed in the middle of it, and is back. A driver works all the time. */
export async function restartUnderLoad(
  cluster: FailureCluster,
  { kills, cpusPerNode }: { readonly kills: number; readonly cpusPerNode: number },
): Promise<HeadRestarted> {
  const options = await headOptions(cluster)
  let head = await cluster.startHead(options)
  const others = await Promise.all([1, 2].map(() => cluster.startNode(head.url, { numCpus: cpusPerNode })))
  const [home, third] = others as [DaemonFacts, DaemonFacts]
  await cluster.knowEachOther([head, home, third])
  const work = { leastMs: 1, mostMs: 30, maxRetries: 0, inFlight: 8 * cpusPerNode }
  const load = new Load([head, home, third], cluster.run('load', work, { address: home.url }))
  await load.until(({ tasksByNode }) => [home, third].every(({ id }) => (tasksByNode[id] ?? 0) > 0))
  const writer = await startWriter(cluster, home)
  const againMs: number[] = []
  for (let i = 0; i < kills; i++) {
    const before = writer.acknowledged.length
    await eventually(() => writer.acknowledged.length >= before + 20 || undefined)
    head = await restartHead(cluster, head, options)
    const startedAtMs = performance.now()
    for (const { id } of [home, third]) await cluster.seen(head, (row) => row.id === id && row.state === 'alive')
    await eventually(async () => (await jobsOf(writer.home)).length >= 2 || undefined)
    againMs.push(performance.now() - startedAtMs)
    await load.more(20)
  }
  await writer.stop()
  const missing: string[] = []
  for (const key of writer.acknowledged) {
    const { error, rows } = await writer.home.table('kv', ['get', key])
    if (error !== '' || rows.length !== 1) missing.push(key)
  }
  writer.home.close()
  const outcomes = await load.enough()
  // A new function needs the head of nobody; a new program does.
  for (const { id } of others) await load.ranOn(id)
  const left = await load.leave()
  return { outcomes, left, kills, againMs, missing, acknowledged: writer.acknowledged.length }
}

interface Writer {
  readonly home: Home
  /** Keys whose rows the head has said to have. */
  readonly acknowledged: readonly string[]
  stop(): Promise<void>
}

/** A program that writes one row after the other, and does not mind when that fails. */
async function startWriter(cluster: FailureCluster, at: DaemonFacts): Promise<Writer> {
  const home = await joinCluster({
    ...{ address: at.url, token: cluster.token, process: newProcessId() },
    onMessage: () => {},
    onLink: (link) => link.close(),
  })
  await home.startJob({ what: 'rows' })
  const acknowledged: string[] = []
  let over = false
  const writing = (async (): Promise<void> => {
    for (let n = 0; !over; n++) {
      const key = `row-${n}`
      const written = await home.table('kv', ['put', key, Buffer.from(key), -1], 2_000).catch(() => undefined)
      if (written?.error === '') acknowledged.push(key)
    }
  })()
  const stop = async (): Promise<void> => {
    over = true
    await writing
  }
  return { home, acknowledged, stop }
}

async function jobsOf(home: Home): Promise<readonly unknown[]> {
  const { rows } = await home.table('jobs', ['list', ''], 2_000).catch(() => ({ rows: [] }))
  return rows
}
