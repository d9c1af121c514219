/** A cluster with work on every node, for whatever then happens to one of them. */
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import { eventually } from '../../tools/eventually.ts'
import type { FailureCluster, Program } from '../support.ts'

export interface LoadOptions {
  readonly maxRetries: number
  /** Of one task. */
  readonly leastMs: number
  readonly mostMs: number
  readonly cpusPerNode: number
  /** Node managers beside the head. */
  readonly more: number
  /** Of the head; default as the others. */
  readonly headCpus?: number
  /** Of all nodes; default as `FailureCluster` has it. */
  readonly heartbeatIntervalMs?: number
  readonly heartbeatMisses?: number
}

export interface LoadOutcomes {
  readonly submitted: number
  readonly tally: { readonly succeeded: number; readonly failed: Readonly<Record<string, number>> }
  /** Tasks that succeeded with the value of another. */
  readonly wrong: number
  /** Which worker's answer a task settled with. */
  readonly answeredBy: readonly (readonly [id: string, pid: number])[]
  /** Some of the errors. */
  readonly errors: readonly (readonly [id: string, message: string])[]
  readonly retried: number
  readonly recalled: number
  readonly fenced: number
  readonly tasksByNode: Readonly<Record<string, number>>
}

export interface Progress {
  readonly settled: number
  readonly retried: number
  readonly fenced: number
  readonly tasksByNode: Readonly<Record<string, number>>
}

/** The driver of `programs/load.mjs`, as a test sees it. */
export class Load {
  readonly nodes: readonly DaemonFacts[]
  readonly driver: Program

  constructor(nodes: readonly DaemonFacts[], driver: Program) {
    this.nodes = nodes
    this.driver = driver
  }

  /** The head, the driver's home, and another one. */
  get named(): readonly [head: DaemonFacts, home: DaemonFacts, third: DaemonFacts] {
    return this.nodes as unknown as readonly [DaemonFacts, DaemonFacts, DaemonFacts]
  }

  /** Waits for what the driver has seen to be as wanted. */
  async until(wanted: (progress: Progress) => boolean): Promise<Progress> {
    for (;;) {
      const progress = await this.driver.next<Progress>('progress')
      if (wanted(progress)) return progress
    }
  }

  /** Waits until so many tasks have settled after now. */
  async more(count: number): Promise<void> {
    const { settled } = await this.until(() => true)
    await this.until((progress) => progress.settled >= settled + count)
  }

  /** No further tasks; resolves when those under way have settled. */
  enough(): Promise<LoadOutcomes> {
    this.driver.tell('enough')
    return this.driver.next<LoadOutcomes>('outcomes')
  }

  /** After `enough`: waits until that node has run tasks of the driver, of functions that were new to it. */
  async ranOn(node: string): Promise<void> {
    await eventually(async () => {
      const { nodes, wrong } = await this.driver.next<{ nodes: readonly string[]; wrong: number }>('seen')
      if (wrong > 0) throw new Error(`${wrong} calls of a new function got a wrong value`)
      return nodes.includes(node) || undefined
    })
  }

  /** After `enough`: the driver leaves. Resolves with those tables of its owner that were not empty. */
  async leave(): Promise<Readonly<Record<string, number>>> {
    this.driver.tell('leave')
    const { left } = await this.driver.next<{ readonly left: Record<string, number> }>('end')
    return left
  }
}

/** Resolves when every node that has CPUs has settled some of the tasks. The driver's home is the second node. */
export async function underLoad(cluster: FailureCluster, options: LoadOptions): Promise<Load> {
  const { cpusPerNode, more, headCpus = cpusPerNode, heartbeatIntervalMs, heartbeatMisses, ...work } = options
  const detection = {
    ...(heartbeatIntervalMs !== undefined && { heartbeatIntervalMs }),
    ...(heartbeatMisses !== undefined && { heartbeatMisses }),
  }
  const head = await cluster.startHead({ ...detection, numCpus: headCpus })
  const start = (): Promise<DaemonFacts> => cluster.startNode(head.url, { ...detection, numCpus: cpusPerNode })
  const nodes = [head, ...(await Promise.all(Array.from({ length: more }, start)))]
  await cluster.knowEachOther(nodes)
  const inFlight = 4 * (headCpus + more * cpusPerNode)
  const load = new Load(nodes, cluster.run('load', { ...work, inFlight }, { address: nodes[1]?.url ?? head.url }))
  const busy = headCpus > 0 ? nodes : nodes.slice(1)
  await load.until(({ tasksByNode }) => busy.every(({ id }) => (tasksByNode[id] ?? 0) > 0))
  return load
}

/** Failures in all. */
export function failures({ tally }: Pick<LoadOutcomes, 'tally'>): number {
  return Object.values(tally.failed).reduce((sum, count) => sum + count, 0)
}
