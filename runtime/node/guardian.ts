/**
 * A shell that outlives the node manager by a moment. It reads process groups from a pipe (`+pgid`, `-pgid`); when the
 * pipe ends, because the node manager stopped or was killed, it kills the groups that are left and removes the run
 * folder, for some seconds again and again: who is killed may write until he is gone. A shell, because it takes 2 MiB and
 * does nothing while it waits; a session of its own and deaf to the signals of a terminal, because Ctrl-C must not end it
 * before its work is done.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { childEnvironment } from './child-settings.ts'

const script = `
trap '' INT TERM HUP QUIT PIPE
groups=
while read -r line; do
  case $line in
    +*) groups="$groups \${line#+}" ;;
    -*) left=
        for group in $groups; do [ "$group" = "\${line#-}" ] || left="$left $group"; done
        groups=$left ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
tries=0
until rm -rf -- "$1" 2>/dev/null || [ "$tries" -ge 5 ]; do tries=$((tries + 1)); sleep 1; done
case "\${1%/*}" in */outpool-*) rmdir -- "\${1%/*}" 2>/dev/null ;; esac
`

export class Guardian {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  #closing = false
  #told = false
  readonly #onBroken: (error: Error) => void

  /**
   * `runFolder` is removed with everything in it when the guarded process is gone. `onBroken` is called once if the
   * guardian could not be started, or ends before it is told to.
   */
  constructor(runFolder: string, onBroken: (error: Error) => void) {
    this.#onBroken = onBroken
    this.#child = spawn('/bin/sh', ['-c', script, 'outpool-guardian', runFolder], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      env: childEnvironment(process.env),
    })
    this.pid = this.#child.pid ?? 0
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#broken(new Error(`it ended by ${signal ?? `code ${code}`}`))
        resolve()
      })
      this.#child.once('error', (error) => {
        this.#broken(error)
        resolve()
      })
    })
    this.#child.stdin?.on('error', (error) => this.#broken(error))
    this.#child.unref()
    ;(this.#child.stdin as Socket | null)?.unref()
  }

  guard(pgid: number): void {
    this.#say(`+${pgid}\n`)
  }

  release(pgid: number): void {
    this.#say(`-${pgid}\n`)
  }

  /** Ends the pipe; resolves when the guardian has killed what was left, removed the run folder, and is gone. */
  async close(): Promise<void> {
    // The pipe was unreferenced; this wait is one that should keep the process alive.
    this.#closing = true
    this.#child.ref()
    this.#child.stdin?.end()
    await this.#exited
  }

  #broken(error: Error): void {
    if (this.#closing || this.#told) return
    this.#told = true
    this.#onBroken(error)
  }

  #say(line: string): void {
    // Where the system had no descriptor for it, there is none, whatever its type says.
    const stdin = this.#child.stdin as Writable | null | undefined
    if (stdin?.writable === true) stdin.write(line)
  }
}
