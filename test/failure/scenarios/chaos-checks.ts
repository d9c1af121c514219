/** What has to hold after chaos, whatever went wrong: each sentence that does not is a problem. */
import type { ChaosResult, Held } from './chaos.ts'

const mebibyte = 1024 * 1024
const mostMoreFiles = 20
/** Garbage that a collection left for the next one, caches that fill up once, what the allocator keeps. */
const mostGrowth: Held = {
  heapBytes: 24 * mebibyte,
  ownBytes: 96 * mebibyte,
  files: mostMoreFiles,
  handles: 20,
}

export function problemsOf(result: ChaosResult): string[] {
  const { startedTwice, neverStarted, drivers, grown, looks } = result
  const problems = [
    ...startedTwice.map((id) => `${id} must not run again and was started more than once`),
    ...neverStarted.map((id) => `${id} succeeded and was never started`),
    ...drivers.flatMap(({ wrong }) => wrong),
  ]
  for (const [number, { counts, lives }] of drivers.entries()) {
    const name = `program ${number + 1}`
    for (const [kind, { accepted, succeeded, failed }] of Object.entries(counts)) {
      const failures = Object.values(failed).reduce((sum, count) => sum + count, 0)
      if (succeeded + failures !== accepted)
        problems.push(`${name}: of ${accepted} calls (${kind}), ${succeeded} succeeded and ${failures} failed`)
    }
    for (const { left } of lives)
      for (const [table, size] of Object.entries(left)) problems.push(`${name}: ${size} left in its table ${table}`)
    const [first, last] = [lives[0]?.held, lives.at(-1)?.held]
    if (first === undefined || last === undefined) problems.push(`${name}: it did not live`)
    else {
      for (const [what, most] of Object.entries(mostGrowth) as [keyof Held, number][])
        if (last[what] - first[what] > most)
          problems.push(`${name}: has ${last[what]} ${what} at the end, ${first[what]} after its first life`)
    }
  }
  if (looks === 0) problems.push('nobody looked at what node managers and workers hold')
  problems.push(...grown)
  return problems
}
