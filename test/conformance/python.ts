/** What the suites share that Python itself plays. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The outcomes of a script's scenarios, by their names; undefined where there is no `python3`. */
export async function playedByPython(script: URL): Promise<Record<string, unknown> | undefined> {
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
