/** What is equal and what is not: the results, and the sources of two programs. */
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'

/** undefined when all are equal, else the first file of which two programs think differently. */
export function firstDifference(results) {
  const [[firstName, first], ...others] = Object.entries(results)
  for (const [name, other] of others) {
    if (isDeepStrictEqual(first, other)) continue
    if (first.facts.length !== other.facts.length)
      return `${firstName} has ${first.facts.length} files, ${name} ${other.facts.length}`
    const at = first.facts.findIndex((facts, index) => !isDeepStrictEqual(facts, other.facts[index]))
    if (at === -1) return `the summaries of ${firstName} and ${name} differ`
    return `${firstName} says ${JSON.stringify(first.facts[at])}\n${name} says ${JSON.stringify(other.facts[at])}`
  }
  return undefined
}

/** The lines that one source has and the other has not, as a diff. */
export function sourceDiff(before, after) {
  const [left, right] = [before, after].map((url) => readFileSync(url, 'utf8').split('\n'))
  return [
    ...left.filter((line) => !right.includes(line)).map((line) => `- ${line}`),
    ...right.filter((line) => !left.includes(line)).map((line) => `+ ${line}`),
  ]
}
