/** A measured program: a process of its own, asked over a pipe (see programs/serve.mjs). */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { descendantsOf } from '../tools/processes.mjs'

/** How long a program may take to end by itself after it was told to. */
const closeTimeoutMs = 8_000
const stderrTailLength = 2_000

export interface ProgramSpec {
  readonly name: string
  /** A file of programs/; Python where it ends in `.py`, else this Node. */
  readonly file: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface Reply {
  readonly ready?: boolean
  readonly value?: unknown
  readonly error?: string
}

export class Program {
  readonly name: string
  readonly #child: ChildProcess
  readonly #replies: AsyncIterator<string>
  #stderr = ''
  #killed = false

  constructor(spec: ProgramSpec) {
    this.name = spec.name
    const path = fileURLToPath(new URL(`./programs/${spec.file}`, import.meta.url))
    const command = spec.file.endsWith('.py') ? 'python3' : process.execPath
    this.#child = spawn(command, [path, ...spec.args], {
      env: environmentOf(spec.env),
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    })
    this.#child.on('error', () => {})
    this.#child.stdin?.on('error', () => {})
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.#stderr = (this.#stderr + bytes.toString()).slice(-stderrTailLength)
    })
    this.#replies = createInterface({ input: this.#child.stdio[3] as Readable })[Symbol.asyncIterator]()
  }

  /** The next line that it says. Rejects when it ends, or says nothing in time. */
  async next(timeoutMs: number): Promise<Reply> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(this.#failure(`said nothing for ${timeoutMs / 1000} s`))), timeoutMs)
    })
    try {
      const line = await Promise.race([this.#replies.next(), late])
      if (line.done === true) throw new Error(this.#failure('ended'))
      const reply = JSON.parse(line.value) as Reply
      if (reply.error !== undefined) throw new Error(this.#failure(reply.error))
      return reply
    } finally {
      clearTimeout(timer)
    }
  }

  async ask<T>(operation: string, parameters: object, timeoutMs: number): Promise<T> {
    this.#child.stdin?.write(`${JSON.stringify({ operation, parameters })}\n`)
    return (await this.next(timeoutMs)).value as T
  }

  /** Resolves when the process is gone; what does not end by itself is killed, and that is said. */
  async close(): Promise<string | undefined> {
    if (this.#child.pid === undefined || this.#ended) return undefined
    const ended = once(this.#child, 'exit')
    this.#child.stdin?.end(`${JSON.stringify({ operation: 'close' })}\n`)
    const wasKilled = this.#killed
    const timer = setTimeout(() => this.kill(), closeTimeoutMs)
    await ended
    clearTimeout(timer)
    return this.#killed && !wasKilled
      ? this.#failure(`did not end within ${closeTimeoutMs / 1000} s and was killed`)
      : undefined
  }

  /** Ends it and everything below it, at once. */
  kill(): void {
    const { pid } = this.#child
    if (pid === undefined || this.#ended) return
    this.#killed = true
    for (const each of [pid, ...descendantsOf(pid)]) {
      try {
        process.kill(each, 'SIGKILL')
      } catch {
        // It is gone already.
      }
    }
  }

  get #ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  #failure(what: string): string {
    return `${this.name}: ${what}${this.#stderr === '' ? '' : `; its stderr ends with: ${this.#stderr.trim()}`}`
  }
}

/**
 * What this process was started with must not change what is measured. Node 20 reads NODE_EXTRA_CA_CERTS when it starts,
 * which for the certificates of a system takes 30 ms and some memory in each process that has it: in those of other
 * pools, and not in our workers, which have only what is passed on to them.
 */
const leftOut: readonly string[] = ['NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS']

function environmentOf(own: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('OUTPOOL_') && !name.startsWith('npm_') && !leftOut.includes(name),
  )
  return { ...Object.fromEntries(inherited), ...own }
}
