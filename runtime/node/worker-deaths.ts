/**
 * The log of a node about workers that were ended by a signal which this node did not send: by the system where memory
 * runs out, by somebody, by a fault of their own. Tasks go straight from their owners to workers: which they were is
 * told when their owners ask how the worker ended.
 */
import { readFileSync } from 'node:fs'
import type { ProcessId } from '../base/ids.ts'
import type { ExitReport } from '../protocol/messages.ts'
import type { NodeManagerEvents } from './node-options.ts'
import { endedByOthers } from './worker-process.ts'

/** Of what an owner says. */
const mostCharacters = 500

export class WorkerDeaths {
  readonly #log: (text: string) => void
  /** How many processes the system had killed for want of memory, when it was looked last. */
  #outOfMemoryKills = outOfMemoryKills()

  /** In local mode (`url` is '') there is no log, and the program is told by the errors of its tasks. */
  constructor(url: string, events: Pick<NodeManagerEvents, 'warn'>) {
    this.#log = (text) => {
      if (url !== '') events.warn(text)
    }
  }

  /** A worker is gone; `job` is the program that it worked for. */
  note(worker: ProcessId, exit: ExitReport, job: ProcessId | undefined): void {
    if (!wasUnexpected(exit)) return
    const [, signal, pid] = exit
    const task = job === undefined ? 'it served nobody yet' : `it served program ${job}`
    this.#log(
      `worker ${worker} (pid ${pid}) was ended by ${signal}, which this node did not send; ${task}. ` +
        `${this.#reason(exit)}; outpool logs --worker ${worker} shows what it printed`,
    )
  }

  /** Its owner asked how it ended, and says why it asks: what it lost there. */
  owned(worker: ProcessId, exit: ExitReport, reason: string): void {
    if (!wasUnexpected(exit)) return
    // It comes from a program.
    const text = reason.replaceAll(/\p{Cc}+/gu, ' ').slice(0, mostCharacters)
    this.#log(`worker ${worker} (pid ${exit[2]}), which is gone: ${text}`)
  }

  #reason(exit: ExitReport): string {
    const [, signal] = exit
    if (!endedByOthers(exit))
      return 'A fault of the process: of a package with a binary, or its heap was full (see NODE_OPTIONS=--max-old-space-size)'
    if (signal !== 'SIGKILL') return 'Somebody sent that'
    const before = this.#outOfMemoryKills
    const now = (this.#outOfMemoryKills = outOfMemoryKills())
    const advice = 'say by `memory` what tasks need, or offer fewer CPUs (--num-cpus) or more memory here'
    return before !== undefined && now !== undefined && now > before
      ? `The system killed ${now - before} for want of memory since this was looked at last (dmesg says which): ${advice}`
      : `Somebody sent that, or the system where memory ran out (see dmesg): ${advice}`
  }
}

function wasUnexpected([, signal, , , killedFor]: ExitReport): boolean {
  return signal !== null && killedFor === undefined
}

/** Of the machine, in all its containers; undefined where it is not told. */
function outOfMemoryKills(): number | undefined {
  try {
    const count = /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'latin1'))?.[1]
    return count === undefined ? undefined : Number(count)
  } catch {
    return undefined
  }
}
