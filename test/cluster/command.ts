/** The built command line, as a process of its own: from its sources each run would take a second of compiling. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export const main: string = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export class Command {
  readonly child: ChildProcess
  out = ''
  err = ''

  constructor(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const env = { ...process.env, ...environment }
    this.child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stdout?.on('data', (text) => (this.out += String(text)))
    this.child.stderr?.on('data', (text) => (this.err += String(text)))
  }

  async ended(): Promise<Ended> {
    const [code] = (await once(this.child, 'close')) as [number | null]
    return { code, out: this.out, err: this.err }
  }
}

/** `args` are separated by single blanks. */
export function run(args: string, environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Command(args.split(' '), environment).ended()
}
