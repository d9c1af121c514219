/** Workers die at random, again and again, while many short tasks run. */
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '../../../runtime/base/random.ts'
import { signal } from '../support.ts'
import type { FailureCluster, RunOptions } from '../support.ts'

export interface Outcomes {
  readonly tally: { readonly succeeded: number; readonly failed: Readonly<Record<string, number>> }
  /** Tasks that succeeded with the value of another. */
  readonly wrong: number
  /** Of tasks that succeeded. */
  readonly ids: readonly string[]
  /** Some of the errors. */
  readonly errors: readonly (readonly [id: string, message: string])[]
  readonly retried: number
  readonly recalled: number
  readonly fenced: number
  readonly tasksByNode: Readonly<Record<string, number>>
}

export interface WorkersKilledOptions extends RunOptions {
  readonly tasks: number
  readonly maxRetries: number
  readonly killEveryMs: number
  /** So that the work comes to an end where a worker takes longer to start than it may live. Default: no end. */
  readonly mostKills?: number
  readonly seed: number
  /** What the driver calls `init` with. */
  readonly init?: object
  readonly onProgress?: (settled: number) => void
}

export interface WorkersKilled extends Outcomes {
  readonly kills: number
  /** Tables of the driver's owner that were not empty at the end. */
  readonly left: Readonly<Record<string, number>>
}

export async function killWorkers(cluster: FailureCluster, options: WorkersKilledOptions): Promise<WorkersKilled> {
  const { tasks, maxRetries, killEveryMs, mostKills = Infinity, seed, onProgress, init, ...how } = options
  const random = seededRandom(seed)
  const driver = cluster.run('many', { tasks, maxRetries, init }, how)
  await driver.next('submitted')
  let kills = 0
  let over = false
  const killing = (async (): Promise<void> => {
    while (!over) {
      await sleep(killEveryMs)
      const workers = cluster.workers()
      const victim = workers[Math.floor(random.next() * workers.length)]
      if (!over && kills < mostKills && victim !== undefined && signal(victim, 'SIGKILL')) kills++
      onProgress?.(driver.latest<{ readonly settled: number }>('progress')?.settled ?? 0)
    }
  })()
  try {
    const outcomes = await driver.next<Outcomes>('outcomes')
    over = true
    driver.tell('leave')
    const { left } = await driver.next<{ readonly left: Record<string, number> }>('end')
    return { ...outcomes, kills, left }
  } finally {
    over = true
    await killing
  }
}
