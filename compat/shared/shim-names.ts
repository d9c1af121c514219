/** The packages that registration gives another meaning to, and which of them a program wants. Pure. */
import { didYouMean } from '../../lib/suggest.ts'

export interface ShimFacts {
  readonly name: string
  /** Versions of the original that the shim stands for. */
  readonly majors: readonly number[]
}

export const shimFacts: readonly ShimFacts[] = [
  { name: 'workerpool', majors: [10] },
  { name: 'p-queue', majors: [9, 10] },
  { name: 'p-map', majors: [7] },
  { name: 'p-limit', majors: [7] },
]

export interface Selection {
  readonly shims: readonly ShimFacts[]
  /** What could not be understood, in words. */
  readonly problems: readonly string[]
}

/** `OUTPOOL_SHIMS`: names with commas between them; unset, empty or `all` is all of them, `none` is none. */
export function selectShims(wanted: string | undefined): Selection {
  const words = (wanted?.trim() || 'all')
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean)
  const known = shimFacts.map(({ name }) => name)
  const problems = words
    .filter((word) => !known.includes(word) && word !== 'all' && word !== 'none')
    .map(
      (word) =>
        `OUTPOOL_SHIMS: there is no shim for '${word}'${didYouMean(word, known)}. There are: ${known.join(', ')}`,
    )
  const shims = words.includes('all') ? shimFacts : shimFacts.filter(({ name }) => words.includes(name))
  return { shims, problems }
}
