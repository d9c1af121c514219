/** Very many tasks at once on a cluster of three nodes, counted by themselves; afterwards nothing is held by anybody. */
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import { eventually } from '../../tools/eventually.ts'
import type { FailureCluster } from '../support.ts'

export interface Round {
  readonly name: string
  /** Tasks with the value of another one, and tasks that failed. */
  readonly wrong: number
  readonly failed: number
  readonly firstError?: string
  readonly queuedMs: number
  readonly totalMs: number
  /** Right after everything was submitted. */
  readonly mostRssBytes: number
  /** Tables of the driver's owner that were not empty. */
  readonly left: Readonly<Record<string, number>>
  /** `heapUsed + external` after a forced collection. */
  readonly heldBytes: number
}

export interface Scale {
  readonly rounds: readonly Round[]
  readonly tasksByNode: Readonly<Record<string, number>>
  readonly retried: number
  readonly recalled: number
  readonly fenced: number
  /** Tables of each worker's own owner that were not empty. */
  readonly workers: readonly { readonly pid: number; readonly left: Readonly<Record<string, number>> }[]
}

export interface ScaleOptions {
  readonly tasks: number
  readonly rounds: number
  /** `count`: each task leaves a trace; `none`: nothing but the call. */
  readonly kind: 'count' | 'none'
  readonly cpusPerNode: number
  readonly onProgress?: (round: string, settled: number) => void
  readonly onRound?: (round: Round) => void
}

export async function runMany(cluster: FailureCluster, options: ScaleOptions): Promise<Scale> {
  const { tasks, rounds: count, kind, cpusPerNode, onProgress, onRound } = options
  const nodes = await cluster.startAll(2, { numCpus: cpusPerNode })
  const [, home] = nodes as [DaemonFacts, DaemonFacts]
  const how = { address: home.url, execArgv: ['--expose-gc'] }
  const driver = cluster.run('scale', { tasks, rounds: count, kind, workers: 3 * cpusPerNode }, how)
  const rounds: Round[] = []
  const progress = setInterval(() => {
    const said = driver.latest<{ readonly round: string; readonly settled: number }>('progress')
    if (said !== undefined) onProgress?.(said.round, said.settled)
  }, 1_000)
  try {
    for (let i = 0; i < count; i++) {
      const round = await driver.next<Round>('round')
      rounds.push(round)
      onRound?.(round)
    }
    const ended = await driver.next<Omit<Scale, 'rounds'>>('ended')
    await nothingHeld(cluster, home)
    driver.tell('leave')
    await driver.next('end')
    return { rounds, ...ended }
  } finally {
    clearInterval(progress)
  }
}

/** Every node manager has all of its resources back, and nobody waits for any. */
export async function nothingHeld(cluster: FailureCluster, by: DaemonFacts): Promise<void> {
  await eventually(async () => {
    const { nodes } = await cluster.status(by)
    const alive = nodes.filter(({ state }) => state === 'alive')
    const used = alive.flatMap(({ resources }) => Object.values(resources).filter((one) => one.used !== 0))
    return (used.length === 0 && alive.every(({ queued }) => queued === 0)) || undefined
  })
}
