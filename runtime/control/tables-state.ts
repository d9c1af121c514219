/**
 * The control store's tables, pure: versioned rows, compare-and-set, and watches by prefix.
 *
 *      request ─────▶ [1] check table, key, size ──bad──▶ reply(error)
 *                              │
 *              ┌──── read ─────┴───── write ─────┐
 *              ▼                                 ▼
 *      [2] reply(rows)               [3] compare version ──differs──▶ reply(error, the row as it is)
 *      watch: remember it,                       │ equal
 *      reply with all rows                       ▼
 *      of the prefix                 [4] commit: revision + 1, row or tombstone
 *                                                │
 *                                    persist ▶ reply ▶ notify every watch of the prefix
 *
 * Whoever executes the instructions must finish `persist` before it lets out what follows it: a write is acknowledged,
 * and seen by watches, only when it survives a restart. A watch misses nothing: its reply holds the rows of that
 * moment, and every later commit under its prefix is told, in order.
 *
 * A row's version is its table's revision at its last write, and a table's revision only rises. So a version is never
 * used twice, and a compare-and-set cannot mistake a row that was deleted and made again for the old one.
 *
 * `events` is a ring: its rows are appended under rising keys (`<12 digits>/<key>`), never replaced, and the oldest go
 * when it is full. `nodes` is written by the control store itself, out of its membership.
 */
import type { TableOperation, TableRow } from '../protocol/messages.ts'

export const tableNames = ['nodes', 'jobs', 'actors', 'names', 'placement-groups', 'kv', 'events'] as const
export type TableName = (typeof tableNames)[number]

/** One committed write, as persistence keeps it. `value` is undefined where the row was deleted. */
export interface TableWrite {
  readonly table: TableName
  readonly key: string
  readonly version: number
  readonly value: Uint8Array | undefined
}

export interface TableLimits {
  /** Bytes of one value. */
  readonly maxValueBytes: number
  /** UTF-16 units of a key. */
  readonly maxKeyLength: number
  /** Rows that `events` keeps. */
  readonly maxEvents: number
  /** Watches of one client. */
  readonly maxWatches: number
}

export const defaultTableLimits: TableLimits = {
  maxValueBytes: 1024 * 1024,
  maxKeyLength: 1024,
  maxEvents: 10_000,
  maxWatches: 10_000,
}

/** A client is a link, named by its attachment. */
export type ClientId = number

export type TablesEvent =
  | {
      readonly kind: 'request'
      readonly client: ClientId
      readonly requestId: number
      readonly table: string
      readonly operation: TableOperation
    }
  /** A write of the control store itself: any table, any version, nobody to answer. */
  | { readonly kind: 'write'; readonly table: TableName; readonly key: string; readonly value: Uint8Array | undefined }
  | { readonly kind: 'clientGone'; readonly client: ClientId }

export type TablesInstruction =
  | { readonly kind: 'persist'; readonly writes: readonly TableWrite[] }
  | {
      readonly kind: 'reply'
      readonly client: ClientId
      readonly requestId: number
      readonly error: string
      readonly rows: readonly TableRow[]
    }
  | {
      readonly kind: 'notify'
      readonly client: ClientId
      readonly watchId: number
      readonly rows: readonly TableRow[]
      readonly deleted: readonly string[]
    }

interface Table {
  readonly name: TableName
  /** Rises with each commit; the version of the row that the commit wrote. */
  revision: number
  /** Only rows that exist, in order of insertion. */
  readonly rows: Map<string, TableRow>
  readonly watches: Set<Watch>
}

interface Watch {
  readonly client: ClientId
  readonly watchId: number
  readonly prefix: string
  readonly table: Table
}

const encoder = new TextEncoder()
const eventDigits = 12

/** Bytes of a JSON text: how the control store's own rows are written. */
export function jsonBytes(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value))
}

export class TablesState {
  readonly #limits: TableLimits
  readonly #tables: ReadonlyMap<string, Table>
  /** client -> its watches by id. A client without watches has no entry. */
  readonly #watches: Map<ClientId, Map<number, Watch>> = new Map()
  #out: TablesInstruction[] = []
  /** What the commit in progress wrote, for the watches. */
  #committed: TableWrite[] = []

  /** `saved`: the writes that persistence has kept, by rising version; the last one of each table is among them. */
  constructor(saved: Iterable<TableWrite> = [], limits: Partial<TableLimits> = {}) {
    this.#limits = { ...defaultTableLimits, ...limits }
    this.#tables = new Map(
      tableNames.map((name) => [name, { name, revision: 0, rows: new Map<string, TableRow>(), watches: new Set() }]),
    )
    for (const write of saved) this.#restore(write)
  }

  handle(event: TablesEvent): TablesInstruction[] {
    this.#out = []
    if (event.kind === 'request') this.#request(event)
    else if (event.kind === 'write') this.#write(event.table, event.key, event.value)
    else this.#clientGone(event.client)
    const out = this.#out
    this.#out = []
    return out
  }

  /** The rows of a table whose key begins with `prefix`. */
  list(table: TableName, prefix = ''): TableRow[] {
    return rowsOf(this.#table(table), prefix)
  }

  /** Throws when an invariant is broken; on in all tests. */
  validate(): void {
    for (const table of this.#tables.values()) {
      const versions = new Set<number>()
      for (const [key, [name, version]] of table.rows) {
        if (key !== name) throw new Error(`${table.name}: row ${name} is filed under ${key}`)
        if (version < 1 || version > table.revision) throw new Error(`${table.name}/${key}: version ${version}`)
        if (versions.has(version)) throw new Error(`${table.name}/${key}: version ${version} is used twice`)
        versions.add(version)
      }
      for (const watch of table.watches)
        if (this.#watches.get(watch.client)?.get(watch.watchId) !== watch)
          throw new Error(`${table.name}: a watch of client ${watch.client} that has gone`)
    }
    if (this.#table('events').rows.size > this.#limits.maxEvents)
      throw new Error('events: more rows than the ring holds')
    for (const [client, watches] of this.#watches)
      if (watches.size === 0) throw new Error(`client ${client} has an entry without a watch`)
  }

  #restore({ table: name, key, version, value }: TableWrite): void {
    const table = this.#table(name)
    table.revision = Math.max(table.revision, version)
    if (value === undefined) table.rows.delete(key)
    else table.rows.set(key, [key, version, value])
  }

  #request({ client, requestId, table: name, operation }: TablesEvent & { kind: 'request' }): void {
    const reply = (error: string, rows: readonly TableRow[] = []): void => {
      this.#out.push({ kind: 'reply', client, requestId, error, rows })
    }
    const table = this.#tables.get(name)
    if (!table) return reply(`there is no table ${JSON.stringify(name)}; there are: ${tableNames.join(', ')}`)
    if (!isOperation(operation))
      return reply('this is not a table operation with its fields; is that an Outpool of this version?')
    switch (operation[0]) {
      case 'get': {
        const row = table.rows.get(operation[1])
        return reply('', row ? [row] : [])
      }
      case 'list':
        return reply('', rowsOf(table, operation[1]))
      case 'watch': {
        const refused = this.#watch(table, client, operation[1], operation[2])
        return reply(refused, refused === '' ? rowsOf(table, operation[1]) : [])
      }
      case 'unwatch':
        this.#unwatch(client, operation[1])
        return reply('')
      case 'put':
      case 'delete':
        return this.#compareAndCommit(table, operation, reply)
    }
  }

  #compareAndCommit(
    table: Table,
    operation: TableOperation & readonly ['put' | 'delete', ...unknown[]],
    reply: (error: string, rows?: readonly TableRow[]) => void,
  ): void {
    const key = operation[1]
    const value = operation[0] === 'put' ? operation[2] : undefined
    const expected = operation[0] === 'put' ? operation[3] : operation[2]
    const fault = this.#fault(table, key, value)
    if (fault !== '') return reply(fault)
    const current = table.rows.get(key)
    const version = current?.[1] ?? 0
    if (table.name !== 'events' && expected !== -1 && expected !== version) {
      const found = current ? `it has version ${version}` : 'there is no such row'
      return reply(`${table.name}/${key} was expected at version ${expected}, but ${found}`, current ? [current] : [])
    }
    if (value === undefined && !current) return reply('')
    const written = this.#commit(table, key, value)
    reply('', written ? [written] : [])
    this.#notify(table)
  }

  /** Why a client may not write this; '' when it may. */
  #fault(table: Table, key: string, value: Uint8Array | undefined): string {
    const { maxKeyLength, maxValueBytes } = this.#limits
    if (table.name === 'nodes') return 'the table nodes is written by the control store alone'
    if (table.name === 'events' && value === undefined) return 'events are appended, never deleted'
    if (key.length === 0 || key.length > maxKeyLength)
      return `a key has 1 to ${maxKeyLength} characters, not ${key.length}`
    if (value && value.length > maxValueBytes)
      return `${table.name}/${key}: a value has at most ${maxValueBytes} bytes, not ${value.length}; put it into the object store`
    return ''
  }

  #write(name: TableName, key: string, value: Uint8Array | undefined): void {
    const table = this.#table(name)
    if (value === undefined && !table.rows.has(key)) return
    this.#commit(table, key, value)
    this.#notify(table)
  }

  #commit(table: Table, key: string, value: Uint8Array | undefined): TableRow | undefined {
    table.revision++
    const version = table.revision
    const name = table.name === 'events' ? `${String(version).padStart(eventDigits, '0')}/${key}` : key
    // A copy: what was decoded is a view of a whole frame and would keep all of it in memory.
    const write = { table: table.name, key: name, version, value: value && Uint8Array.from(value) }
    this.#committed = [write]
    let row: TableRow | undefined
    if (write.value) {
      row = [name, version, write.value]
      table.rows.set(name, row)
    } else table.rows.delete(name)
    if (table.name === 'events') this.#dropOldest(table)
    this.#out.push({ kind: 'persist', writes: this.#committed })
    return row
  }

  /** One at most: each append removes what the ring no longer holds. The version of a drop is that of its append. */
  #dropOldest(table: Table): void {
    while (table.rows.size > this.#limits.maxEvents) {
      const oldest = table.rows.keys().next().value as string
      table.rows.delete(oldest)
      this.#committed.push({ table: table.name, key: oldest, version: table.revision, value: undefined })
    }
  }

  #notify(table: Table): void {
    for (const { client, watchId, prefix } of table.watches) {
      const rows: TableRow[] = []
      const deleted: string[] = []
      for (const { key, version, value } of this.#committed) {
        if (!key.startsWith(prefix)) continue
        if (value) rows.push([key, version, value])
        else deleted.push(key)
      }
      if (rows.length > 0 || deleted.length > 0) this.#out.push({ kind: 'notify', client, watchId, rows, deleted })
    }
  }

  /** Why there is no watch; '' when there is one now. An id in use is taken over: the old watch ends. */
  #watch(table: Table, client: ClientId, prefix: string, watchId: number): string {
    this.#unwatch(client, watchId)
    const own = this.#watches.get(client) ?? new Map<number, Watch>()
    if (own.size >= this.#limits.maxWatches) return `a client has at most ${this.#limits.maxWatches} watches`
    const watch: Watch = { client, watchId, prefix, table }
    own.set(watchId, watch)
    this.#watches.set(client, own)
    table.watches.add(watch)
    return ''
  }

  #unwatch(client: ClientId, watchId: number): void {
    const own = this.#watches.get(client)
    const watch = own?.get(watchId)
    if (!own || !watch) return
    watch.table.watches.delete(watch)
    own.delete(watchId)
    if (own.size === 0) this.#watches.delete(client)
  }

  #clientGone(client: ClientId): void {
    for (const watch of this.#watches.get(client)?.values() ?? []) watch.table.watches.delete(watch)
    this.#watches.delete(client)
  }

  #table(name: TableName): Table {
    const table = this.#tables.get(name)
    if (!table) throw new TypeError(`there is no table ${name}`)
    return table
  }
}

/** What comes from a link is typed only in our own sources. */
function isOperation(operation: TableOperation): boolean {
  const [name, first, second, third] = operation as readonly unknown[]
  switch (name) {
    case 'get':
    case 'list':
      return typeof first === 'string'
    case 'watch':
      return typeof first === 'string' && Number.isSafeInteger(second)
    case 'unwatch':
      return Number.isSafeInteger(first)
    case 'put':
      return typeof first === 'string' && second instanceof Uint8Array && Number.isSafeInteger(third)
    case 'delete':
      return typeof first === 'string' && Number.isSafeInteger(second)
    default:
      return false
  }
}

function rowsOf(table: Table, prefix: string): TableRow[] {
  if (prefix === '') return [...table.rows.values()]
  const rows: TableRow[] = []
  for (const [key, row] of table.rows) if (key.startsWith(prefix)) rows.push(row)
  return rows
}
