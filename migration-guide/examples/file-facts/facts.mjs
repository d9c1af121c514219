/** What is to be known of one file. This is the work: it runs on the workers. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const newline = 0x0a
const identifier = /[A-Za-z_$][A-Za-z0-9_$]*/g
const identifiersKept = 20

/**
 * @param {string} path An absolute path.
 * @returns {{ path: string, bytes: number, lines: number, sha256: string, gzipBytes: number, identifiers: [name: string, count: number][] }}
 */
export function fileFacts(path) {
  const content = readFileSync(path)
  return {
    path,
    bytes: content.length,
    lines: countLines(content),
    sha256: createHash('sha256').update(content).digest('hex'),
    gzipBytes: gzipSync(content).length,
    identifiers: mostFrequentIdentifiers(content.toString('latin1')),
  }
}

/** Tells that this worker has loaded its code. */
export function ready() {
  return true
}

/** A last line that does not end in a newline is a line too. */
function countLines(content) {
  let lines = 0
  for (let at = content.indexOf(newline); at !== -1; at = content.indexOf(newline, at + 1)) lines++
  return content.length > 0 && content.at(-1) !== newline ? lines + 1 : lines
}

/** The twenty most frequent ones, the most frequent first; those that are equally frequent in alphabetical order. */
function mostFrequentIdentifiers(text) {
  const counts = new Map()
  for (const [name] of text.matchAll(identifier)) counts.set(name, (counts.get(name) ?? 0) + 1)
  // Most names are rare: only those that can be among the twenty are worth sorting.
  const least = [...counts.values()].sort((a, b) => b - a)[identifiersKept - 1] ?? 1
  return [...counts]
    .filter(([, count]) => count >= least)
    .sort(([nameA, countA], [nameB, countB]) => countB - countA || (nameA < nameB ? -1 : 1))
    .slice(0, identifiersKept)
}
