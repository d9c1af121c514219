/** Runs histories of links that break, by seed. */
import { Violation } from '../checks.ts'
import type { Counts, Finding } from '../seeds.ts'
import { PeerWorld } from './world.ts'

const shown = 40

async function runPeers(seed: number, counts?: Counts): Promise<Finding | undefined> {
  const world = new PeerWorld(seed)
  try {
    await world.run()
    return undefined
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const invariant = error instanceof Violation ? error.invariant : 'error'
    return { seed, invariant, text, story: world.story.slice(-shown) }
  } finally {
    for (const [name, count] of world.counts) counts?.set(name, (counts.get(name) ?? 0) + count)
  }
}

/** The first seed of a range at which something does not hold. */
export async function findFirst(from: number, to: number, counts?: Counts): Promise<Finding | undefined> {
  for (let seed = from; seed <= to; seed++) {
    const finding = await runPeers(seed, counts)
    if (finding !== undefined) return finding
  }
  return undefined
}
