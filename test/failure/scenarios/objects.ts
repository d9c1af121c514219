/** Objects in shared memory: made, used and dropped while workers die; more of them than fit; and what is left then. */
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '../../../runtime/base/random.ts'
import { askNodeJson } from '../../../runtime/cluster/ask-node.ts'
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import type { StoreUsage } from '../../../runtime/objects/store-usage.ts'
import { signal } from '../support.ts'
import { eventually } from '../../tools/eventually.ts'
import type { FailureCluster } from '../support.ts'

interface Counts {
  readonly objects: number
  readonly bytes: number
  /** Values that were not what was put. */
  readonly wrong: number
}

export interface Churn extends Counts {
  readonly failed: number
  readonly errors: readonly string[]
  readonly kills: number
  readonly cuts: number
  /** From the first object to the last, in milliseconds. */
  readonly ms: number
  readonly left: Readonly<Record<string, number>>
}

export interface ChurnOptions {
  readonly objects?: number
  readonly seconds?: number
  readonly leastBytes: number
  readonly mostBytes: number
  /** How many groups of objects are in use at a time, and of how many objects at the most. Default 8, of 1. */
  readonly users?: number
  readonly mostTogether?: number
  /** Default: no worker is killed. */
  readonly killEveryMs?: number
  /** So that the work comes to an end where a worker takes longer to start than it may live. Default: no end. */
  readonly mostKills?: number
  /** After so many objects, again and again, the link of the driver to its home breaks. Default: never. */
  readonly cutEvery?: number
  readonly seed: number
  readonly onProgress?: (counts: Counts) => void
}

function usageOf(cluster: FailureCluster, node: DaemonFacts): Promise<StoreUsage> {
  return askNodeJson<StoreUsage>(node.url, '/memory', cluster.token)
}

/** Waits until a node has no object, holds no memory for anybody, and has nothing on disk. */
export async function nothingStored(cluster: FailureCluster, node: DaemonFacts): Promise<void> {
  await eventually(async () => {
    const { objects, usedBytes, diskBytes, holders } = await usageOf(cluster, node)
    return (objects === 0 && usedBytes === 0 && diskBytes === 0 && holders.length === 0) || undefined
  })
}

export async function churnObjects(cluster: FailureCluster, node: DaemonFacts, options: ChurnOptions): Promise<Churn> {
  const { killEveryMs, mostKills = Infinity, seed, onProgress, ...rest } = options
  const random = seededRandom(seed)
  const driver = cluster.run('objects', { ...rest, seed }, { address: node.url, execArgv: ['--expose-gc'] })
  let kills = 0
  let over = false
  const killing = (async (): Promise<void> => {
    while (!over && killEveryMs !== undefined) {
      await sleep(killEveryMs)
      const workers = cluster.workers()
      const victim = workers[Math.floor(random.next() * workers.length)]
      if (!over && kills < mostKills && victim !== undefined && signal(victim, 'SIGKILL')) kills++
      const counts = driver.latest<Counts & { event: string }>('progress')
      if (counts !== undefined) onProgress?.(counts)
    }
  })()
  try {
    const done = await driver.next<Counts & { cuts: number; ms: number; failed: number; errors: string[] }>('done')
    over = true
    await killing
    driver.tell('leave')
    const { left } = await driver.next<{ left: Record<string, number> }>('left')
    // The driver is still there: what it has let go of must be free, not what it had.
    for (const worker of cluster.workers()) signal(worker, 'SIGKILL')
    await nothingStored(cluster, node)
    driver.tell('end')
    await driver.next('end')
    return { ...done, kills, left }
  } finally {
    over = true
    await killing
  }
}

export interface Filled {
  /** After so many bytes as were wanted. */
  readonly through: Counts
  /** What the one got that there was no room for. */
  readonly full: { readonly name: string; readonly message: string; readonly objects: number }
  readonly done: Counts
}

/** Puts `through` bytes and keeps them, then more until there is no room. */
export async function fillStore(
  cluster: FailureCluster,
  node: DaemonFacts,
  options: { readonly through: number; readonly mostBytes: number },
): Promise<Filled> {
  const driver = cluster.run('objects', options, { address: node.url, execArgv: ['--expose-gc'] })
  const through = await driver.next<Counts>('through')
  const full = await driver.next<Filled['full']>('full')
  const done = await driver.next<Counts>('done')
  driver.tell('leave')
  await driver.next('left')
  await nothingStored(cluster, node)
  driver.tell('end')
  await driver.next('end')
  return { through, full, done }
}
