/** What the suites share that Python itself plays. */
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

export type Outcome = { value: unknown } | { error: string; message?: string }

/** What `body` gives or throws; of errors of the `wordless` kinds, whose texts differ, the kind alone. */
export async function outcomeOf(body: () => unknown, wordless: readonly string[]): Promise<Outcome> {
  try {
    return { value: await body() }
  } catch (error) {
    const { name, message } = error as Error
    return wordless.includes(name) ? { error: name } : { error: name, message }
  }
}

/** How many neighbours came from the same worker: the sizes of chunks when a worker does one each. */
export function runs(values: readonly unknown[]): number[] {
  const sizes: number[] = []
  values.forEach((value, i) => {
    if (i > 0 && value === values[i - 1]) sizes[sizes.length - 1]!++
    else sizes.push(1)
  })
  return sizes
}

/** The scenarios on Python itself: it proves that the expected outcomes are the original's. Needs `python3`. */
export function describeOriginal(
  title: string,
  script: URL,
  scenarios: Readonly<Record<string, { readonly expected: unknown }>>,
  inOurWords: (outcome: unknown) => unknown = (outcome) => outcome,
): void {
  describe(`${title}: the original, Python's`, () => {
    let outcomes: Record<string, unknown>

    before(async function () {
      const played = await playedByPython(script)
      if (played === undefined) this.skip()
      else outcomes = played
    })

    it('plays the same scenarios', () => {
      expect(Object.keys(outcomes).sort()).to.deep.equal(Object.keys(scenarios).sort())
    })

    for (const [name, { expected }] of Object.entries(scenarios)) {
      it(name, () => {
        expect(inOurWords(outcomes[name])).to.deep.equal(expected)
      })
    }
  })
}

/** The outcomes of a script's scenarios, by their names; undefined where there is no `python3`. */
async function playedByPython(script: URL): Promise<Record<string, unknown> | undefined> {
  const version = await run('python3', ['--version']).catch(() => undefined)
  if (version === undefined) return undefined
  const { stdout } = await run('python3', [fileURLToPath(script)])
  return JSON.parse(stdout) as Record<string, unknown>
}

/** Everything that is given. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** Everything an iterator gives, going on behind an error. */
export async function readOn(iterator: AsyncIterator<unknown>): Promise<unknown[]> {
  const seen: unknown[] = []
  for (;;) {
    try {
      const step = await iterator.next()
      if (step.done === true) return seen
      seen.push(step.value)
    } catch (error) {
      seen.push(`error: ${(error as Error).message}`)
    }
  }
}
