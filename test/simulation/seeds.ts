/** Runs histories by seed and tells what was found, with what is needed to see it again. */
import { Violation } from './checks.ts'
import { World } from './world.ts'

export interface Finding {
  readonly seed: number
  /** Short name of what does not hold; `error` where a state machine itself threw. */
  readonly invariant: string
  readonly text: string
  /** The last events before it. */
  readonly story: readonly string[]
}

/** Lines of the story that a report shows. */
const shown = 40

/** What happened in all histories of a run, by name. */
export type Counts = Map<string, number>

/** One history, made of its seed alone. */
interface History {
  readonly story: readonly string[]
  readonly counts: ReadonlyMap<string, number>
  /** Throws a Violation when something does not hold. */
  run(): Promise<void>
}

export async function play(seed: number, world: History, counts?: Counts): Promise<Finding | undefined> {
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

export function runSeed(seed: number, counts?: Counts): Promise<Finding | undefined> {
  return play(seed, new World(seed), counts)
}

/** The first seed of a range at which something does not hold. */
export async function findFirst(
  from: number,
  to: number,
  counts?: Counts,
  run: typeof runSeed = runSeed,
): Promise<Finding | undefined> {
  for (let seed = from; seed <= to; seed++) {
    const finding = await run(seed, counts)
    if (finding !== undefined) return finding
  }
  return undefined
}

/** `suite`: the test that plays such histories. */
export function describeFinding(
  { seed, text, story }: Finding,
  suite: 'simulation' | 'peers' | 'answers' = 'simulation',
): string {
  const again = `OUTPOOL_SEED=${seed} npx mocha test/simulation/${suite}.test.ts`
  return `seed ${seed}: ${text}\n  the last events:\n    ${story.join('\n    ')}\n  again: ${again}`
}
