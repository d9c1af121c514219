/** The arithmetic of the benchmark: pure, so that a test can hold it. */

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** The value below which the share `share` (0 to 1) of the samples lies, interpolated. NaN without samples. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)]
  const above = sorted[Math.ceil(position)]
  if (below === undefined || above === undefined) return Number.NaN
  return below + (above - below) * (position - Math.floor(position))
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5)
}

export function spread(samples: readonly number[]): Spread {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples) }
}

/** `a / b` of each round that has both: what a machine does to one round, it does to both sides of the ratio. */
export function ratiosByRound(a: readonly (number | null)[], b: readonly (number | null)[]): number[] {
  const rounds = Math.min(a.length, b.length)
  const ratios: number[] = []
  for (let round = 0; round < rounds; round++) {
    const [mine, other] = [a[round] ?? null, b[round] ?? null]
    if (mine !== null && other !== null && other !== 0) ratios.push(mine / other)
  }
  return ratios
}

/** A ratio that a comparison is for: at least so much, or at most so much. */
export interface Goal {
  readonly bound: 'least' | 'most'
  readonly ratio: number
  /** What distinguishes it where a comparison has several. */
  readonly label?: string
}

export type Verdict = 'MET' | 'MISSED'

export function verdict(goal: Goal, medianRatio: number): Verdict {
  const met = goal.bound === 'least' ? medianRatio >= goal.ratio : medianRatio <= goal.ratio
  return met ? 'MET' : 'MISSED'
}

/** Contenders in the order of this round: each is first in turn, so that none always runs after the same other one. */
export function turnOrder<T>(contenders: readonly T[], round: number): T[] {
  const first = contenders.length === 0 ? 0 : round % contenders.length
  return [...contenders.slice(first), ...contenders.slice(0, first)]
}
