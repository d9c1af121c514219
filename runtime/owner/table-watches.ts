/** Watches of the head's tables: who wants to know that rows changed, for as long as the home is there. */
import { RequestTimeoutError } from '../base/errors.ts'
import type { TableEvent, TableOperation, TableRow } from '../protocol/messages.ts'

export interface TableAnswer {
  /** '' when it went well; else why not, in words (a compare-and-set that failed, a name that is not allowed). */
  readonly error: string
  /** The rows that were read or written; where a compare-and-set failed, the row as it is. */
  readonly rows: readonly TableRow[]
}

interface Tables {
  /** Puts a request to the head. */
  table(table: string, operation: TableOperation): Promise<TableAnswer>
}

interface Watch {
  readonly table: string
  readonly prefix: string
  readonly changed: () => void
}

export class TableWatches {
  readonly #tables: Tables
  readonly #watches = new Map<number, Watch>()
  #nextId = 1
  /** How often the link to the home was made again. */
  #links = 0

  constructor(tables: Tables) {
    this.#tables = tables
  }

  get size(): number {
    return this.#watches.size
  }

  /**
   * Calls `changed` when rows of that prefix may have changed: promptly, and once more when a link was broken meanwhile.
   * Resolves to what ends it. Rejects where the head does not take it.
   */
  async watch(table: string, prefix: string, changed: () => void): Promise<() => void> {
    const id = this.#nextId++
    this.#watches.set(id, { table, prefix, changed })
    try {
      const { error } = await this.#tables.table(table, ['watch', prefix, id])
      if (error !== '') throw new Error(error)
    } catch (error) {
      this.#watches.delete(id)
      throw error
    }
    return () => {
      if (this.#watches.delete(id)) this.#tables.table(table, ['unwatch', id]).catch(() => undefined)
    }
  }

  received([, id]: TableEvent): void {
    this.#watches.get(id)?.changed()
  }

  /** The link to the home is a new one, of which it knows no watches. What happened meanwhile is not known. */
  renew(): void {
    this.#links++
    for (const id of this.#watches.keys()) void this.#renewOne(id, this.#links)
  }

  /** For as long as no head is there, and that link is. */
  async #renewOne(id: number, link: number): Promise<void> {
    for (;;) {
      const watch = this.#watches.get(id)
      if (watch === undefined || link !== this.#links) return
      try {
        await this.#tables.table(watch.table, ['watch', watch.prefix, id])
        return watch.changed()
      } catch (error) {
        if (!(error instanceof RequestTimeoutError)) return
      }
    }
  }

  close(): void {
    this.#watches.clear()
  }
}
