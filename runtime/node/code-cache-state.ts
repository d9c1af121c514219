/**
 * Which entries of the code cache of a node there are, who makes them, who uses them, and which go. Pure: what is to be
 * done comes back as instructions.
 *
 *     (none) --need--> 1. making --made--> 2. ready --no user, and room is needed--> (removed)
 *                          |  ^
 *                          |  +-- its maker is gone, or it may be tried again: the next that waits makes it
 *                          +-- failed: told to everybody who waits --> (none)
 *
 * An entry is made by the worker that asked first; the others wait. Only a ready one is ever used, and what a worker uses
 * stays until that worker is gone. When there is too much, the entry that was asked for longest ago goes first.
 */

export interface CodeCacheLimits {
  /** Bytes of all ready entries. */
  readonly maxBytes: number
  readonly maxEntries: number
}

/** Enough for some programs with all of their packages, and little beside the disks that nodes have. */
export const defaultCodeCacheLimits: CodeCacheLimits = { maxBytes: 4 * 1024 ** 3, maxEntries: 500 }

export interface CodeCacheEffects {
  /** `who` makes the entry, in a folder that does not exist yet. */
  make(who: string, requestId: number, key: string): void
  ready(who: string, requestId: number, key: string): void
  failed(who: string, requestId: number, key: string, text: string): void
  /** The folder in which `who` made the entry becomes the entry. Returns why that cannot be done, '' when it is. */
  publish(who: string, key: string): string
  /** What `who` was making is of no use. */
  discard(who: string, key: string): void
  remove(key: string): void
}

interface Asker {
  readonly who: string
  readonly requestId: number
}

interface Entry {
  maker: Asker | undefined
  waiting: Asker[]
  bytes: number
  readonly users: Set<string>
}

export class CodeCacheState {
  readonly #limits: CodeCacheLimits
  readonly #effects: CodeCacheEffects
  /** In the order in which they were asked for last, the longest ago first. */
  readonly #entries = new Map<string, Entry>()
  #bytes = 0

  constructor(limits: CodeCacheLimits, effects: CodeCacheEffects) {
    this.#limits = limits
    this.#effects = effects
  }

  get size(): number {
    return this.#entries.size
  }

  /** Of ready entries. */
  get bytes(): number {
    return this.#bytes
  }

  bytesOf(key: string): number {
    return this.#entries.get(key)?.bytes ?? 0
  }

  /** An entry that an earlier node manager left on disk; from the one used longest ago to the newest. */
  found(key: string, bytes: number): void {
    this.#entries.set(key, { maker: undefined, waiting: [], bytes, users: new Set() })
    this.#bytes += bytes
    this.#trim(undefined)
  }

  /** A worker needs an entry. */
  need(who: string, requestId: number, key: string): void {
    const asker = { who, requestId }
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      this.#entries.set(key, { maker: asker, waiting: [], bytes: 0, users: new Set() })
      return this.#effects.make(who, requestId, key)
    }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    if (entry.maker === undefined) this.#use(entry, asker, key)
    else entry.waiting.push(asker)
  }

  /** The entry is whole, in the folder that its maker was given. */
  made(who: string, key: string, bytes: number): void {
    const entry = this.#entries.get(key)
    const maker = entry?.maker
    if (entry === undefined || maker?.who !== who) return
    entry.maker = undefined
    entry.bytes = bytes
    this.#bytes += bytes
    const waiting = [maker, ...entry.waiting.splice(0)]
    const why = this.#trim(key) ? this.#effects.publish(who, key) : this.#full(bytes)
    if (why === '') {
      for (const asker of waiting) this.#use(entry, asker, key)
      return
    }
    this.#effects.discard(who, key)
    this.#drop(key, entry)
    for (const asker of waiting) this.#effects.failed(asker.who, asker.requestId, key, why)
  }

  /** It could not be made. `again`: for a reason that is the maker's alone, so that the next may try. */
  notMade(who: string, key: string, text: string, again: boolean): void {
    const entry = this.#entries.get(key)
    const maker = entry?.maker
    if (entry === undefined || maker?.who !== who) return
    this.#effects.discard(who, key)
    this.#effects.failed(who, maker.requestId, key, text)
    if (again) return this.#nextMaker(key, entry)
    for (const asker of entry.waiting.splice(0)) this.#effects.failed(asker.who, asker.requestId, key, text)
    this.#drop(key, entry)
  }

  /** A worker is gone, and with it what it used, waited for and made. */
  gone(who: string): void {
    for (const [key, entry] of [...this.#entries]) {
      entry.users.delete(who)
      entry.waiting = entry.waiting.filter((asker) => asker.who !== who)
      if (entry.maker?.who !== who) continue
      this.#effects.discard(who, key)
      this.#nextMaker(key, entry)
    }
    this.#trim(undefined)
  }

  #nextMaker(key: string, entry: Entry): void {
    entry.maker = entry.waiting.shift()
    if (entry.maker === undefined) this.#entries.delete(key)
    else this.#effects.make(entry.maker.who, entry.maker.requestId, key)
  }

  #use(entry: Entry, { who, requestId }: Asker, key: string): void {
    entry.users.add(who)
    this.#effects.ready(who, requestId, key)
  }

  #drop(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#bytes -= entry.bytes
  }

  /** Makes room; false when all that is there is in use. `keep` is not to go. */
  #trim(keep: string | undefined): boolean {
    const { maxBytes, maxEntries } = this.#limits
    const over = (): boolean => this.#bytes > maxBytes || this.#entries.size > maxEntries
    for (const [key, entry] of [...this.#entries]) {
      if (!over()) return true
      if (key === keep || entry.maker !== undefined || entry.users.size > 0) continue
      this.#drop(key, entry)
      this.#effects.remove(key)
    }
    // Entries that are being made count when they are there.
    return this.#bytes <= maxBytes && (keep === undefined || this.#entries.size <= maxEntries)
  }

  #full(bytes: number): string {
    const { maxBytes, maxEntries } = this.#limits
    return (
      `the code cache of this node is full: ${bytes} bytes more would be ${this.#bytes} bytes in ${this.#entries.size} entries, ` +
      `${maxBytes} bytes in ${maxEntries} are allowed, and the rest is in use. Ship less, or start the node with a larger ` +
      '--code-cache-size'
    )
  }

  /** Throws when an invariant is broken. */
  validate(): void {
    let sum = 0
    for (const [key, { maker, waiting, bytes, users }] of this.#entries) {
      sum += bytes
      if (maker === undefined && waiting.length > 0) throw new Error(`code cache: ${key} is ready and somebody waits`)
      if (maker !== undefined && (users.size > 0 || bytes > 0)) throw new Error(`code cache: ${key} is used unmade`)
    }
    if (sum !== this.#bytes) throw new Error(`code cache: ${this.#bytes} bytes are counted, ${sum} are there`)
  }
}
