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
  /** What is not as it has to be: the first of it, with what was done to the workers; and how much there is. */
  readonly problems: readonly string[]
  readonly count: number
  /** Tasks that were retried, rebuilt, recalled, and answers that were fenced, as the program counts them. */
  readonly counts: Readonly<Record<string, number>>
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

interface Begun {
  readonly faults: 'none' | 'stop' | 'kill'
  /** Milliseconds since 1970. */
  readonly begunAt: number
}

/** Longest time between two faults, and how long a worker stands still at the most; milliseconds. */
const mostBetweenMs = 60
const mostStoppedMs = 100
/** A kill costs a start: one fault of so many that were drawn. */
const killShare = 0.3
/** In one round: where starts take long, more of them would end each worker before it has done anything. */
const mostKills = 30

export async function mix(cluster: FailureCluster, options: MixedOptions): Promise<Mixed> {
  const { seed, rounds: count, init, onRound, ...how } = options
  const random = seededRandom(seed)
  const faults = { stop: 0, kill: 0 }
  const rounds: MixedRound[] = []
  const program = cluster.run('mixed', { seed, rounds: count, init }, { execArgv: ['--expose-gc'], ...how })
  for (let i = 0; i < count; i++) {
    const begun = await program.next<Begun>('begins')
    let over = false
    const settled = program.next('settled').finally(() => (over = true))
    const done: string[] = []
    while (!over && begun.faults !== 'none' && (begun.faults === 'stop' || done.length < mostKills)) {
      await Promise.race([sleep(random.next() * mostBetweenMs), settled])
      const pid = over ? undefined : await fault(cluster, begun.faults, random)
      if (pid === undefined) continue
      faults[begun.faults]++
      done.push(`${begun.faults} of pid ${pid} until ${Date.now() - begun.begunAt} ms`)
    }
    await settled
    // It takes time to hear that the round is over, and to find a worker. A program that did not wait would be in its
    // next round when one is killed for the last.
    program.tell('quiet')
    const told = await program.next<MixedRound>('round')
    const round = told.count === 0 ? told : { ...told, problems: [...told.problems, ...circumstances(told, done)] }
    rounds.push(round)
    onRound?.(round)
  }
  const { left } = await program.next<{ readonly left: Record<string, number> }>('end')
  return { rounds, left, faults }
}

/** What was done last to workers is told. */
const mostTold = 20

/** What explains a problem. */
const circumstances = ({ counts }: MixedRound, done: readonly string[]): string[] => [
  `counted: ${JSON.stringify(counts)}`,
  `done to workers, ${done.length} times: ${done.slice(-mostTold).join(', ')}`,
]

/** The worker that it was done to, if there was one. */
async function fault(cluster: FailureCluster, kind: 'stop' | 'kill', random: Random): Promise<number | undefined> {
  const workers = cluster.workers()
  if (workers.length === 0) return undefined
  const victim = pick(random, workers)
  if (kind === 'kill') return random.next() < killShare && signal(victim, 'SIGKILL') ? victim : undefined
  if (!signal(victim, 'SIGSTOP')) return undefined
  await sleep(random.next() * mostStoppedMs)
  signal(victim, 'SIGCONT')
  return victim
}
