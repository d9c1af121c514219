/**
 * What `outpool chaos` does, and when: made from a seed alone, so that the same seed makes the same plan. Whom an act
 * meets is a number in [0, 1) that chooses among those who are there at that moment.
 */
import { pick, seededRandom } from '../base/random.ts'
import type { Random } from '../base/random.ts'
import type { ChaosRule, MessageFault } from '../transport/chaos-rules.ts'

export const chaosFaults = [
  'kill-worker',
  'stop-worker',
  'kill-node',
  'stop-node',
  'kill-head',
  'stop-head',
  'cut',
  'messages',
] as const
export type ChaosFault = (typeof chaosFaults)[number]

/** An act at a moment; faults of messages are there all the time instead. */
export interface ChaosAct {
  /** Since the beginning. */
  readonly atMs: number
  readonly fault: Exclude<ChaosFault, 'messages'>
  /** Chooses the node (not the head, where the fault does not say so; for `cut`, the head too). */
  readonly node: number
  /** Chooses the worker of that node, or the other end of a cut. */
  readonly other: number
  /** How long a process is stopped, or a way is cut; 0 where nothing lasts. */
  readonly forMs: number
  readonly direction: 'in' | 'out'
  /** Whether what was cut breaks in the end. */
  readonly breaks: boolean
}

export interface ChaosPlanOptions {
  readonly seed: number
  readonly forMs: number
  /** The pause between two acts is drawn from here, evenly. */
  readonly leastEveryMs: number
  readonly mostEveryMs: number
  readonly faults: readonly ChaosFault[]
  /** The longest stop and the longest cut. Default 8,000 ms: longer than the detection takes. */
  readonly mostForMs?: number
}

/** By how often they are drawn: a head or a node is worth many workers. */
const weights: Readonly<Record<ChaosFault, number>> = {
  'kill-worker': 6,
  'stop-worker': 3,
  'kill-node': 2,
  'stop-node': 2,
  'kill-head': 1,
  'stop-head': 1,
  cut: 3,
  messages: 0,
}

const defaultMostForMs = 8_000

export function chaosPlan(options: ChaosPlanOptions): ChaosAct[] {
  const { seed, forMs, leastEveryMs, mostEveryMs, faults, mostForMs = defaultMostForMs } = options
  const random = seededRandom(seed)
  const drawn = faults.flatMap((fault) => Array<ChaosFault>(weights[fault]).fill(fault)) as ChaosAct['fault'][]
  if (drawn.length === 0) return []
  const acts: ChaosAct[] = []
  for (let atMs = 0; ;) {
    atMs += leastEveryMs + random.next() * (mostEveryMs - leastEveryMs)
    if (atMs >= forMs) return acts
    acts.push(actOf(pick(random, drawn), Math.round(atMs), random, mostForMs))
  }
}

/** Draws the same numbers for every fault: what comes later does not depend on what this is. */
function actOf(fault: ChaosAct['fault'], atMs: number, random: Random, mostForMs: number): ChaosAct {
  const [node, other, share, direction, breaks] = [0, 1, 2, 3, 4].map(() => random.next()) as [
    number,
    number,
    number,
    number,
    number,
  ]
  // Short ones more often: a stop of 50 ms is another fault than one that is detected.
  const lasting = fault.startsWith('stop') || fault === 'cut'
  const forMs = lasting ? Math.round(20 + share ** 2 * mostForMs) : 0
  return { atMs, fault, node, other, forMs, direction: direction < 0.5 ? 'in' : 'out', breaks: breaks < 0.5 }
}

const messageWeights: Readonly<Record<MessageFault, number>> = {
  delay: 0.01,
  tear: 0.00002,
  drop: 0.05,
  duplicate: 0.05,
  reorder: 0.05,
}

/** The faults of messages that are injected when nothing else is said. */
export const defaultChaosRules: readonly ChaosRule[] = Object.entries(messageWeights).map(([fault, probability]) => ({
  fault: fault as MessageFault,
  probability,
  types: [],
  mostMs: 50,
}))
