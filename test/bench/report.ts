/** What a run yields: plain data, as `--json` prints it and `--from` reads it. */
import type { Goal, Spread } from './statistics.ts'

export interface ContenderReport extends Spread {
  readonly name: string
  /** One for each round; null where the contender gave none. */
  readonly samples: readonly (number | null)[]
}

export interface ComparisonReport extends Spread {
  /** `of / against`, each round by itself. */
  readonly of: string
  readonly against: string
  readonly ratios: readonly number[]
  readonly goals: readonly Goal[]
}

/** A ratio turned so that above 1 is always good for Outpool; undefined where neither side is Outpool. */
export function advantage(row: RowReport, { of, against }: ComparisonReport, ratio: number): number | undefined {
  const isOurs = (name: string): boolean => /^outpool\b/i.test(name)
  if (isOurs(of) === isOurs(against)) return isOurs(of) ? turned(row, ratio) : undefined
  return isOurs(of) ? turned(row, ratio) : 1 / turned(row, ratio)
}

function turned({ better }: RowReport, ratio: number): number {
  return better === 'higher' ? ratio : 1 / ratio
}

export interface SkippedReport {
  readonly name: string
  readonly reason: string
}

export interface RowReport {
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly better: 'higher' | 'lower'
  readonly elapsedMs: number
  readonly contenders: readonly ContenderReport[]
  readonly comparisons: readonly ComparisonReport[]
  readonly skipped: readonly SkippedReport[]
  /** What failed; a row without errors measured what it is for. */
  readonly errors: readonly string[]
  readonly notes: readonly string[]
}

export interface RunReport {
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly node: string
    readonly platform: string
    readonly loadAverage: number
  }
  readonly workers: number
  readonly quick: boolean
  readonly elapsedMs: number
  readonly rows: readonly RowReport[]
}
