/** Tasks on workers that last until a test lets them go on: no clock says when, so however slow the machine is, they wait. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class Gate {
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'gate-'))
  /** What `held` is given. */
  readonly file: string = join(this.#folder, 'open')

  open(): void {
    writeFileSync(this.file, '')
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** What a task does that is to last until the gate is open. It is shipped as its text. */
export async function held(file: string, value: unknown = 'slept'): Promise<unknown> {
  const { existsSync } = await import('node:fs')
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5))
  return value
}
