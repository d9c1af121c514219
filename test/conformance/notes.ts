/** What tasks note on disk when they start, for tests that end them in every way: by task, who started it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class Notes {
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'notes-'))

  /** Where a task notes the id of its process. */
  file(name: string): string {
    return join(this.#folder, name)
  }

  /** The processes that started each task. */
  taken(): ReadonlyMap<string, readonly number[]> {
    const all = new Map<string, number[]>()
    for (const name of readdirSync(this.#folder)) {
      const lines = readFileSync(join(this.#folder, name), 'utf8').split('\n').filter(Boolean)
      all.set(name, lines.map(Number))
      rmSync(join(this.#folder, name))
    }
    return all
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** What becomes of a promise, once it is settled. */
export type Outcome = { readonly value: unknown } | { readonly error: Error }

export function outcomeOf(promise: PromiseLike<unknown>): Promise<Outcome> {
  return Promise.resolve(promise).then(
    (value) => ({ value }),
    (error: unknown) => ({ error: error as Error }),
  )
}

/** What tasks on workers do: note their start, wait, and end as they should. It is shipped as its text. */
export async function noted(
  file: string,
  ms: number,
  end: 'well' | 'badly' | 'crash',
  signal?: AbortSignal,
): Promise<string> {
  const { appendFileSync } = await import('node:fs')
  appendFileSync(file, `${process.pid}\n`)
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
  if (end === 'crash') process.exit(7)
  if (end === 'badly') throw new RangeError('as it should')
  return 'done'
}
