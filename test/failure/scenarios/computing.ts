/** Programs and workers that compute for longer than a connection takes, on three nodes; nobody is dead. */
import { dialTimeoutMs, directDialTimeoutMs } from '../../../runtime/base/limits.ts'
import type { FailureCluster } from '../support.ts'

export interface Round {
  /** How long the program was held up, in milliseconds. */
  readonly computedMs: number
  readonly calls: number
  /** What was not as it has to be. */
  readonly wrong: readonly string[]
}

export interface Computed {
  readonly rounds: readonly Round[]
  readonly left: Readonly<Record<string, number>>
}

export interface ComputingOptions {
  /** A program for each. */
  readonly seeds: readonly number[]
  readonly rounds: number
  readonly calls: number
  readonly onRound?: (seed: number, round: Round) => void
}

/** Longer than all ways to a process were tried, one after the other. */
const leastMs = directDialTimeoutMs + dialTimeoutMs + 500
const mostMs = leastMs + 4_000

export async function compute(cluster: FailureCluster, options: ComputingOptions): Promise<Computed[]> {
  const { seeds, rounds, calls, onRound } = options
  const nodes = ['n0', 'n1', 'n2']
  const resources = (name: string): object => ({ numCpus: 1, resources: { [name]: 1_000 } })
  const head = await cluster.startHead(resources('n0'))
  await Promise.all(nodes.slice(1).map((name) => cluster.startNode(head.url, resources(name))))
  const play = async (seed: number): Promise<Computed> => {
    const drawn = { seed, rounds, calls, nodes, leastMs, mostMs }
    const program = cluster.run('computing', drawn, { address: head.url, execArgv: ['--expose-gc'] })
    const played: Round[] = []
    while (played.length < rounds) {
      const round = await program.next<Round>('round')
      played.push(round)
      onRound?.(seed, round)
    }
    const { left } = await program.next<Pick<Computed, 'left'>>('end')
    return { rounds: played, left }
  }
  return Promise.all(seeds.map(play))
}
