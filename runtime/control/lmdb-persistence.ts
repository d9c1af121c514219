/**
 * What the control store keeps, in a memory-mapped B-tree on disk (lmdb): for a head that survives its own end. A write
 * resolves when it is on the disk, so what was acknowledged is there after a kill, and after a power cut.
 */
import { createHash, randomBytes } from 'node:crypto'
import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Database, RootDatabase } from 'lmdb'
import { OutOfDiskError, OutpoolError } from '../base/errors.ts'
import { makeFolders } from '../base/new-file.ts'
import { fileLimitAdvice, isFileTooLarge, isNoRoom } from '../base/no-room.ts'
import { lockFolder } from './folder-lock.ts'
import type { Persistence, SavedTables } from './persistence.ts'
import type { TableName, TableWrite } from './tables-state.ts'

type StoredWrite = readonly [table: TableName, key: string, version: number, value: Uint8Array | null]

/** Rows by `table NUL key`; the last write of each table by its name, as it may have deleted its row. */
interface Databases {
  readonly root: RootDatabase<unknown, string>
  readonly rows: Database<StoredWrite, string>
  readonly last: Database<StoredWrite, string>
  readonly facts: Database<number, string>
}

/** lmdb refuses keys of 1,978 bytes and more. */
const maxKeyBytes = 1_900
/** What its files take when they are new, and a few writes more. */
const newTablesBytes = 128 * 1024

export class LmdbPersistence implements Persistence {
  readonly #databases: Databases
  readonly #folder: string
  readonly #unlock: () => void

  private constructor(databases: Databases, folder: string, unlock: () => void) {
    this.#databases = databases
    this.#folder = folder
    this.#unlock = unlock
  }

  /**
   * Opens, or makes, the tables in `folder` (0700), which are this process's alone until `close`.
   * @throws OutpoolError where lmdb has no binary for this platform, the folder cannot be used, or another process has
   * it; OutOfDiskError where its disk is full.
   */
  static async open(folder: string): Promise<LmdbPersistence> {
    const unlock = await makeAndLock(folder)
    try {
      return await LmdbPersistence.#open(folder, unlock)
    } catch (error) {
      unlock()
      throw error
    }
  }

  static async #open(folder: string, unlock: () => void): Promise<LmdbPersistence> {
    const [{ open }, { Packr }] = await Promise.all([loadLmdb(), import('msgpackr')])
    // Plain arrays of texts, numbers and bytes: what it keeps exactly, in a form that every version reads.
    const packed = { encoder: new Packr({ useRecords: false }) }
    try {
      const root = open<unknown, string>({ path: folder, maxDbs: 4, noSubdir: false })
      const databases = {
        root,
        rows: root.openDB<StoredWrite, string>({ name: 'rows', ...packed }),
        last: root.openDB<StoredWrite, string>({ name: 'last', ...packed }),
        facts: root.openDB<number, string>({ name: 'facts' }),
      }
      // lmdb makes them readable for a group; the folder may be one that was there before.
      for (const name of ['data.mdb', 'lock.mdb']) await chmod(join(folder, name), 0o600)
      return new LmdbPersistence(databases, folder, unlock)
    } catch (cause) {
      throw new OutpoolError(`the head's tables in ${folder} cannot be opened: ${(cause as Error).message}`, { cause })
    }
  }

  load(): Promise<SavedTables> {
    const { rows, last, facts } = this.#databases
    const writes: TableWrite[] = []
    for (const { value } of rows.getRange()) writes.push(fromStored(value))
    for (const { value } of last.getRange()) if (value[3] === null) writes.push(fromStored(value))
    return Promise.resolve({ epoch: facts.get('epoch') ?? 0, writes: writes.sort((a, b) => a.version - b.version) })
  }

  async saveEpoch(epoch: number): Promise<void> {
    await this.#commit(() => {
      this.#databases.facts.putSync('epoch', epoch)
    })
  }

  async write(writes: readonly TableWrite[]): Promise<void> {
    await this.#commit(() => {
      const { rows, last } = this.#databases
      for (const write of writes) {
        const id = rowId(write)
        const stored: StoredWrite = [write.table, write.key, write.version, write.value ?? null]
        if (write.value === undefined) rows.removeSync(id)
        else rows.putSync(id, stored)
        const before = last.get(write.table)
        if (before === undefined || before[2] <= write.version) last.putSync(write.table, stored)
      }
    })
  }

  async close(): Promise<void> {
    await this.#databases.root.close()
    this.#unlock()
  }

  /** All or nothing; resolves when it is on the disk. */
  async #commit(change: () => void): Promise<void> {
    const { root } = this.#databases
    try {
      root.transactionSync(change)
      await root.flushed
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      const text = `the head's tables in ${this.#folder} could not be written: ${message}`
      if (code === 'ENOSPC' || /no space|MAP_FULL/i.test(message)) {
        throw new OutOfDiskError(`${text}; make room on that disk and start the head again`, { cause })
      }
      throw new OutpoolError(text, { cause })
    }
  }
}

async function makeAndLock(folder: string): Promise<() => void> {
  try {
    makeFolders(folder)
    await tryRoom(folder)
    return await lockFolder(folder)
  } catch (cause) {
    if (cause instanceof OutpoolError) throw cause
    const { message } = cause as Error
    const text = `the head's tables in ${folder} cannot be written: ${message}`
    if (isFileTooLarge(cause)) throw new OutOfDiskError(`${text}; ${fileLimitAdvice}`, { cause })
    if (isNoRoom(cause))
      throw new OutOfDiskError(`${text}; make room on that disk, or name a folder on another with --storage`, { cause })
    throw new OutpoolError(`${text}; name a folder that you can write to with --storage`, { cause })
  }
}

/**
 * lmdb maps files that have no blocks on the disk yet: where that is full, the process would end by SIGBUS with the
 * first touch. So as much as a new one takes is written before.
 */
async function tryRoom(folder: string): Promise<void> {
  const path = join(folder, `room.${process.pid}.${randomBytes(4).toString('hex')}`)
  try {
    await writeFile(path, Buffer.alloc(newTablesBytes), { flag: 'wx', mode: 0o600, flush: true })
  } finally {
    await rm(path, { force: true })
  }
}

async function loadLmdb(): Promise<typeof import('lmdb')> {
  try {
    return await import('lmdb')
  } catch (cause) {
    throw new OutpoolError(
      'the head keeps its tables with the package lmdb, which has no binary for this platform or was left out at install; ' +
        'install it, or start the head with --storage memory',
      { cause },
    )
  }
}

/** The value holds the whole key; a long one is known by its hash here. */
function rowId({ table, key }: TableWrite): string {
  const id = `${table}\0${key}`
  return Buffer.byteLength(id) <= maxKeyBytes ? id : `${table}\0#${createHash('sha256').update(key).digest('hex')}`
}

function fromStored([table, key, version, value]: StoredWrite): TableWrite {
  return { table, key, version, value: value === null ? undefined : new Uint8Array(value) }
}
