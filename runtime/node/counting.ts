/**
 * How many entries the tables of a node manager and of its workers have: whoever looks for what is never let go sees it
 * here. Workers are asked when somebody wants to know; nothing is counted for it while tasks run.
 */
import { afterFairly } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import type { ProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import type { NodeParts } from './node-parts.ts'

export type TableCounts = Readonly<Record<string, number>>

export interface NodeTables {
  /** All 0 when no program uses this node. */
  readonly node: TableCounts
  /** By their ids; null for one that did not answer in time: a task may keep it busy. */
  readonly workers: Readonly<Record<ProcessId, TableCounts | null>>
}

/** How long a worker may take, in milliseconds. */
const answerMs = 1_000

export class Counting {
  readonly #clock: Clock
  /** Who asks, by the worker that is asked: one question serves all of them. */
  readonly #asking = new Map<ProcessId, ((counts: TableCounts | null) => void)[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#asking.size
  }

  /** The counts of a worker; null when they do not come in time. */
  ask(worker: ProcessId, link: Link): Promise<TableCounts | null> {
    return new Promise((resolve) => {
      const timer = afterFairly(this.#clock, answerMs, () => this.counted(worker, null))
      const settle = (counts: TableCounts | null): void => {
        timer.cancel()
        resolve(counts)
      }
      const others = this.#asking.get(worker)
      if (others !== undefined) return void others.push(settle)
      this.#asking.set(worker, [settle])
      link.send([MessageType.countRequest, 1])
    })
  }

  counted(worker: ProcessId, counts: TableCounts | null): void {
    const waiting = this.#asking.get(worker) ?? []
    this.#asking.delete(worker)
    for (const settle of waiting) settle(counts)
  }
}

export async function countTables(parts: NodeParts): Promise<NodeTables> {
  const { connections, counting } = parts
  const node = countsOf(parts)
  const workers = connections
    .all()
    .filter(({ ownWorker }) => ownWorker)
    .map(async ({ process, link }) => [process, await counting.ask(process, link)] as const)
  return { node, workers: Object.fromEntries(await Promise.all(workers)) }
}

function countsOf(parts: NodeParts): TableCounts {
  const { cluster, grants, jobs, tables, ways, logs, puller, counting, ports } = parts
  const store = ports.arena?.report()
  return {
    ...grants.sizes(),
    jobs: jobs.homes,
    owners: jobs.owners,
    jobStarts: cluster.jobsStarting,
    headRequests: tables.size,
    watches: tables.watches,
    tickets: ways.dialBacks.size,
    logRoutes: logs.size,
    pulls: puller.size,
    counting: counting.size,
    ...(store && { objects: store.objects.length, holders: store.holders.length }),
  }
}
