/**
 * What node managers and workers hold while everything goes wrong, and after it: memory, open files and sockets as the
 * system counts them, and the entries of their tables as they tell them. Each sentence that `problems` has is a growth.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { askNodeJson } from '../../../runtime/cluster/ask-node.ts'
import { listRecords } from '../../../runtime/cluster/node-records.ts'
import type { NodeTables, TableCounts } from '../../../runtime/node/counting.ts'
import type { StoreUsage } from '../../../runtime/objects/store-usage.ts'
import type { FailureCluster } from '../support.ts'

/** Entries that stay however long it works: one lease's line, the code of living links, and what Node itself keeps. */
const kept = new Set(['lines', 'peers', 'templates', 'parts', 'packs', 'handles', 'heapBytes'])
/** Two programs with eight streams each: what is under way at once is far below this. */
const mostEntries = 1_000
const mostHeapBytes = 256 * 1024 * 1024

type Counts = Readonly<Record<string, number>>

interface Grown {
  /** The least of each count in each quarter of a process's life tells a growth from a peak. */
  readonly samples: Counts[]
  readonly name: string
}

/** How much more the least of the last quarter may be than that of the second: caches fill up, heaps settle. */
const mostMore: Readonly<Record<string, number>> = {
  ownBytes: 64 * 1024 * 1024,
  heapBytes: 32 * 1024 * 1024,
  files: 20,
  /*
   * Each worker of another node that has had a task run here stays linked to the worker that ran it: two sockets, as long as
   * both live. Four nodes with twelve workers each come to that in the first minute or two; at rest there are none.
   */
  sockets: 150,
  // What a program has read stays mapped until it collects its garbage, which it does before it rests: then there are none.
  objects: 500,
}
const mostMoreEntries = 20
/** A process that lived for less says nothing of growth. */
const leastSamples = 30
/** Nobody uses that node manager: it listens, and is linked to the head, the other nodes and a few workers. */
const mostSocketsAtRest = 20
const answerMs = 3_000
const quietLimitMs = 30_000

/** Of a process: its own memory (that of the store is shared), sockets, and other open files but what workers print. */
export function systemCounts(pid: number): Counts {
  const ownKilobytes = Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0)
  const folder = `/proc/${pid}/fd`
  const targets = readdirSync(folder).flatMap((name) => targetOf(join(folder, name)))
  const sockets = targets.filter((target) => target.startsWith('socket:')).length
  const printed = targets.filter((target) => /\/[0-9a-f]{16}\.(?:out|err)$/.test(target)).length
  return { ownBytes: ownKilobytes * 1024, sockets, files: targets.length - sockets - printed }
}

/** Nothing for a file that was closed after the folder was read. */
function targetOf(link: string): string[] {
  try {
    return [readlinkSync(link)]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

export class ChaosCounts {
  readonly #cluster: FailureCluster
  readonly #programOf: (id: string) => string
  readonly #processes = new Map<string, Grown>()
  readonly #problems = new Set<string>()
  #asking: Promise<void> | undefined
  /** The largest that each count was, over all processes of a kind. */
  readonly peaks: Record<string, number> = {}
  samples = 0

  /** `programOf`: the program that has, or had, that id, in words; '' where none has. */
  constructor(cluster: FailureCluster, programOf: (id: string) => string) {
    this.#cluster = cluster
    this.#programOf = programOf
  }

  /** Looks at every process that is there; a look that takes long is not joined by another. */
  look(): Promise<void> {
    this.#asking ??= this.#look().finally(() => (this.#asking = undefined))
    return this.#asking
  }

  /** What was too much at any time, or grew. */
  get problems(): string[] {
    return [...this.#problems, ...[...this.#processes.values()].flatMap(growthOf)]
  }

  /**
   * Waits until nobody holds anything: no table of a node manager or a worker has an entry, but those that stay and those
   * excepted; where none is, no node manager has sockets of others either. Returns what is left when that takes too long.
   */
  async left(workersToo: boolean, except: readonly string[] = []): Promise<string[]> {
    const until = performance.now() + quietLimitMs
    for (;;) {
      const left = await this.#leftNow(workersToo, new Set(except))
      if (except.length === 0) left.push(...this.#socketsLeft())
      if (left.length === 0) return left
      if (performance.now() > until) return [...left, ...(await this.#objectsLeft())]
      await sleep(100)
    }
  }

  /** What lies in the stores, whose it is and who uses it: who forgot it is to be found. */
  async #objectsLeft(): Promise<string[]> {
    const nodes = this.#nodes()
    const workers = new Map<string, string>()
    for (const { id, url } of nodes)
      for (const worker of Object.keys((await this.#tablesOf(url))?.workers ?? {})) workers.set(worker, id)
    const name = (id: string): string => {
      const node = workers.get(id) ?? (nodes.some((one) => one.id === id) ? id : undefined)
      if (node === undefined) return this.#programOf(id) || 'no process that lives'
      return node === id ? `node manager ${id}` : `a worker of ${node}`
    }
    const found = nodes.map(async ({ id, url }) => {
      const options = { timeoutMs: answerMs }
      const asked = askNodeJson<StoreUsage>(url, '/memory?objects=20', this.#cluster.token, options)
      const { list } = await asked.catch(() => ({ list: [] }))
      return list.map(({ key, owner, sizeBytes, state, primary, holders }) => {
        const facts = `${sizeBytes} bytes, ${state}, primary: ${primary}, held by [${holders.map(name).join(', ')}]`
        return `node manager ${id}: object ${key} of ${name(owner)}, ${facts}`
      })
    })
    return (await Promise.all(found)).flat()
  }

  async #leftNow(workersToo: boolean, except: ReadonlySet<string>): Promise<string[]> {
    const left: string[] = []
    const entries = (name: string, counts: TableCounts): void => {
      for (const [table, size] of Object.entries(counts))
        if (size > 0 && !kept.has(table) && !except.has(table)) left.push(`${name}: ${size} left in its table ${table}`)
    }
    for (const { id, url } of this.#nodes()) {
      const tables = await this.#tablesOf(url)
      if (tables === undefined) left.push(`node ${id} does not tell its tables`)
      else {
        entries(`node manager ${id}`, tables.node)
        for (const [worker, counts] of Object.entries(tables.workers))
          if (counts === null) left.push(`worker ${worker} does not answer`)
          else if (workersToo) entries(`worker ${worker}`, counts)
      }
    }
    return left
  }

  /** Node managers that nobody uses have links to each other and to idle workers, whatever went through them before. */
  #socketsLeft(): string[] {
    return this.#nodes().flatMap(({ id, pid }) => {
      const { sockets = 0 } = existsSync(`/proc/${pid}/fd`) ? systemCounts(pid) : {}
      return sockets > mostSocketsAtRest ? [`node manager ${id}: ${sockets} sockets left`] : []
    })
  }

  async #look(): Promise<void> {
    this.samples++
    for (const pid of this.#cluster.workers()) this.#note('worker process', String(pid), () => systemCounts(pid))
    const looks = this.#nodes().map(async ({ id, pid, url }) => {
      this.#note('node manager process', String(pid), () => systemCounts(pid))
      const tables = await this.#tablesOf(url)
      if (tables === undefined) return
      this.#note('node manager', id, () => tables.node)
      for (const [worker, counts] of Object.entries(tables.workers))
        if (counts !== null) this.#note('worker', worker, () => counts)
    })
    await Promise.all(looks)
  }

  #nodes(): { readonly id: string; readonly pid: number; readonly url: string }[] {
    return listRecords(join(this.#cluster.folder, 'home'))
  }

  /** undefined for one that is stopped, cut off or just being killed. */
  #tablesOf(url: string): Promise<NodeTables | undefined> {
    return askNodeJson<NodeTables>(url, '/tables', this.#cluster.token, { timeoutMs: answerMs }).catch(() => undefined)
  }

  #note(kind: string, id: string, take: () => Counts): void {
    let counts: Counts
    try {
      counts = take()
    } catch {
      // It has just ended.
      return
    }
    const name = `${kind} ${id}`
    const known = this.#processes.get(name) ?? { name, samples: [] }
    this.#processes.set(name, known)
    known.samples.push(counts)
    for (const [what, count] of Object.entries(counts)) {
      const peak = `${kind}: ${what}`
      this.peaks[peak] = Math.max(this.peaks[peak] ?? 0, count)
      const most = what === 'heapBytes' ? mostHeapBytes : what === 'ownBytes' ? Infinity : mostEntries
      if (count > most) this.#problems.add(`${name} has more than ${most} ${what}`)
    }
  }
}

/** Between the second quarter of its life and the last one: a process that is new grows. */
function growthOf({ name, samples }: Grown): string[] {
  if (samples.length < leastSamples) return []
  const quarter = Math.floor(samples.length / 4)
  const least = (part: readonly Counts[], what: string): number => Math.min(...part.map((counts) => counts[what] ?? 0))
  const [before, after] = [samples.slice(quarter, 2 * quarter), samples.slice(-quarter)]
  return Object.keys(samples.at(-1) ?? {}).flatMap((what) => {
    const more = least(after, what) - least(before, what)
    return more > (mostMore[what] ?? mostMoreEntries) ? [`${name} has ${more} ${what} more than before`] : []
  })
}
