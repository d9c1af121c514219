/**
 * What the control store keeps over its own end. The store commits to memory first and lets nothing out (no
 * acknowledgement, no watch event, no view) before `write` has resolved; so what anybody was told is kept.
 */
import type { TableName, TableWrite } from './tables-state.ts'

/** Everything that was kept. */
export interface SavedTables {
  /** Of the last head that used this persistence; 0 where there was none. */
  readonly epoch: number
  /** The rows that exist, and the last write of each table even if it deleted its row; by rising version in a table. */
  readonly writes: readonly TableWrite[]
}

export interface Persistence {
  load(): Promise<SavedTables>
  /** Resolves when the epoch is kept. Called once, before anything is written. */
  saveEpoch(epoch: number): Promise<void>
  /** Resolves when all of them are kept; all or none. Calls do not overlap. */
  write(writes: readonly TableWrite[]): Promise<void>
  close(): Promise<void>
}

/** Keeps everything for as long as the object lives: for local mode, and for a head that need not outlive its process. */
export class MemoryPersistence implements Persistence {
  #epoch = 0
  readonly #rows: Map<string, TableWrite> = new Map()
  readonly #last: Map<TableName, TableWrite> = new Map()

  load(): Promise<SavedTables> {
    const writes = [...this.#rows.values()]
    for (const write of this.#last.values()) if (write.value === undefined) writes.push(write)
    return Promise.resolve({ epoch: this.#epoch, writes: writes.sort((a, b) => a.version - b.version) })
  }

  saveEpoch(epoch: number): Promise<void> {
    this.#epoch = epoch
    return Promise.resolve()
  }

  write(writes: readonly TableWrite[]): Promise<void> {
    for (const write of writes) {
      const key = `${write.table}\0${write.key}`
      if (write.value === undefined) this.#rows.delete(key)
      else this.#rows.set(key, write)
      const last = this.#last.get(write.table)
      if (!last || last.version <= write.version) this.#last.set(write.table, write)
    }
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
