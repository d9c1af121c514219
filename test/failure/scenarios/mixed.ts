/** A program that a seed draws, round by round; its workers are stopped or killed in the rounds that ask for it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom, pick, type Random } from '../../../runtime/base/random.ts'
import { signal } from '../support.ts'
import type { FailureCluster, RunOptions } from '../support.ts'

export interface MixedRound {
  /** What was drawn. */
  readonly label: string
  readonly elapsedMs: number
  readonly calls: number
  /** What is not as it has to be: the first of it, and how much there is. */
  readonly problems: readonly string[]
  readonly count: number
}

export interface Mixed {
  readonly rounds: readonly MixedRound[]
  /** Tables of the program's owner that were not empty at the end. */
  readonly left: Readonly<Record<string, number>>
  /** Workers that were stopped for a while, and workers that were killed. */
  readonly faults: Readonly<Record<'stop' | 'kill', number>>
}

export interface MixedOptions extends RunOptions {
  readonly seed: number
  readonly rounds: number
  readonly init?: object
  readonly onRound?: (round: MixedRound) => void
}

/** Longest time between two faults, and how long a worker stands still at the most; milliseconds. */
const mostBetweenMs = 60
const mostStoppedMs = 100
/** A kill costs a start: one fault of so many that were drawn. */
const killShare = 0.3

export async function mix(cluster: FailureCluster, options: MixedOptions): Promise<Mixed> {
  const { seed, rounds: count, init, onRound, ...how } = options
  const random = seededRandom(seed)
  const faults = { stop: 0, kill: 0 }
  const rounds: MixedRound[] = []
  const program = cluster.run('mixed', { seed, rounds: count, init }, { execArgv: ['--expose-gc'], ...how })
  for (let i = 0; i < count; i++) {
    const begun = await program.next<{ readonly faults: 'none' | 'stop' | 'kill' }>('begins')
    let over = false
    const settled = program.next('settled').finally(() => (over = true))
    while (!over && begun.faults !== 'none') {
      await Promise.race([sleep(random.next() * mostBetweenMs), settled])
      if (!over && (await fault(cluster, begun.faults, random))) faults[begun.faults]++
    }
    await settled
    const round = await program.next<MixedRound>('round')
    rounds.push(round)
    onRound?.(round)
  }
  const { left } = await program.next<{ readonly left: Record<string, number> }>('end')
  return { rounds, left, faults }
}

async function fault(cluster: FailureCluster, kind: 'stop' | 'kill', random: Random): Promise<boolean> {
  const workers = cluster.workers()
  if (workers.length === 0) return false
  const victim = pick(random, workers)
  if (kind === 'kill') return random.next() < killShare && signal(victim, 'SIGKILL')
  if (!signal(victim, 'SIGSTOP')) return false
  await sleep(random.next() * mostStoppedMs)
  signal(victim, 'SIGCONT')
  return true
}
