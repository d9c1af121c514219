/**
 * The node managers under chaos, by their processes: one that is gone and that nobody killed is told of at once, with
 * how it ended and the last lines of its log. All of that log is kept, where there is a folder for it: those who come
 * after remove the logs of nodes that are dead.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stateOfProcess } from '../../../runtime/base/process-identity.ts'
import { endedRecords, listRecords, type NodeRecord } from '../../../runtime/cluster/node-records.ts'
import { earlierLog } from '../../../runtime/node/rotate-file.ts'
import type { FailureCluster } from '../support.ts'

const lookMs = 500
/** The command says whom it killed a moment after it did. */
const untoldLooks = 4
const shownLines = 12

interface Gone {
  readonly record: NodeRecord
  readonly why: string
  readonly log: string
  looks: number
}

export interface ChaosNodesOptions {
  /** Where the log of a node goes that nobody killed; '' for nowhere. */
  readonly keepIn: string
  readonly wrong: (text: string) => void
}

export class ChaosNodes {
  readonly #cluster: FailureCluster
  readonly #options: ChaosNodesOptions
  readonly #home: string
  /** By process id: a node that was declared dead begins anew, in the same process. */
  readonly #known = new Map<number, NodeRecord>()
  readonly #gone = new Map<number, Gone>()
  readonly #killed = new Set<number>()
  readonly #timer: NodeJS.Timeout

  constructor(cluster: FailureCluster, options: ChaosNodesOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#home = join(cluster.folder, 'home')
    this.look()
    this.#timer = setInterval(() => this.look(), lookMs)
  }

  /** What the command has done to a node. */
  acted(what: string, node: string, text: string): void {
    const [, pid] = /^node manager with pid (\d+)/.exec(text) ?? []
    if (what.startsWith('kill-') && pid !== undefined) this.#killed.add(Number(pid))
    if (what === 'restart' && text.startsWith('could not')) this.#options.wrong(`node ${node} was killed and ${text}`)
  }

  look(): void {
    for (const record of listRecords(this.#home)) {
      // A number may be another process's by now.
      if (this.#known.get(record.pid)?.pidStart !== record.pidStart) this.#killed.delete(record.pid)
      this.#known.set(record.pid, record)
    }
    for (const [pid, record] of this.#known) if (stateOfProcess(record) === 'dead') this.#ended(pid, record)
    for (const [pid, gone] of this.#gone) {
      if (!this.#killed.delete(pid) && gone.looks++ < untoldLooks) continue
      this.#gone.delete(pid)
      if (gone.looks > untoldLooks) this.#tell(gone)
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #ended(pid: number, record: NodeRecord): void {
    this.#known.delete(pid)
    const why = endedRecords(this.#home).find(({ id }) => id === record.id)?.ended?.why
    this.#gone.set(pid, {
      ...{ record, why: why ?? 'without a word: it was killed, or left as if it was asked to' },
      ...{ log: this.#logOf(pid, record), looks: 0 },
    })
  }

  #logOf(pid: number, { logFile }: NodeRecord): string {
    if (logFile === '') return this.#cluster.outputOf(pid)
    return [earlierLog(logFile), logFile].map((path) => contentsOf(path)).join('')
  }

  #tell({ record: { id, pid, url, head }, why, log }: Gone): void {
    const { keepIn, wrong } = this.#options
    let kept = ''
    if (keepIn !== '') {
      mkdirSync(keepIn, { recursive: true, mode: 0o700 })
      const path = join(keepIn, `${id}.log`)
      writeFileSync(path, log)
      kept = `; its log is kept in ${path}`
    }
    const last = log.trimEnd().split('\n').slice(-shownLines).join('\n      ')
    wrong(
      `${head ? 'head' : 'node'} ${id} at ${url} (pid ${pid}) is gone, and the chaos did not kill it; ` +
        `it ended ${why}${kept}\n      ${last}`,
    )
  }
}

function contentsOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
