/**
 * The code that a node was sent, on disk: bundles, folders, packages, each in a folder named by what it is made of.
 *
 *     <folder>/<key>/             an entry; only whole ones have that name
 *     <folder>/<key>.json         its size, written after it
 *     <folder>/making-<n>/        what a worker is unpacking; becomes an entry by its name alone
 *     <folder>/node_modules/      links to the packages that every node has
 *
 * Workers do the work (they fetch, unpack and install); the node manager decides who does it and moves what is whole.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { privateFolder, writeNew } from '../base/new-file.ts'
import { withAdvice } from '../base/system-advice.ts'
import { CodeCacheState, type CodeCacheLimits } from './code-cache-state.ts'

export interface CodeStats {
  readonly entries: number
  readonly bytes: number
  readonly made: number
}

export interface CodeCacheEvents {
  /** The entry is at `path`. */
  ready(who: string, requestId: number, path: string): void
  /** Make it at `path`, which does not exist. */
  make(who: string, requestId: number, path: string): void
  failed(who: string, requestId: number, text: string): void
  warn(text: string): void
}

const keyPattern = /^[0-9a-f]{32}$/
const makingPrefix = 'making-'

export class CodeCache {
  readonly #folder: string
  readonly #events: CodeCacheEvents
  readonly #state: CodeCacheState
  /** Folders in which entries are made, by key and maker. */
  readonly #making = new Map<string, string>()
  #next = 1
  #made = 0

  /** `folder` is made if it is not there; entries in it are used again, half-made ones removed. */
  constructor(folder: string, limits: CodeCacheLimits, events: CodeCacheEvents) {
    this.#folder = folder
    this.#events = events
    this.#state = new CodeCacheState(limits, {
      make: (who, requestId, key) => {
        const path = join(folder, `${makingPrefix}${this.#next++}`)
        this.#making.set(`${key} ${who}`, path)
        events.make(who, requestId, path)
      },
      ready: (who, requestId, key) => {
        this.#touch(key)
        events.ready(who, requestId, join(folder, key))
      },
      failed: (who, requestId, _key, text) => events.failed(who, requestId, text),
      publish: (who, key) => this.#publish(who, key),
      discard: (who, key) => this.#discard(who, key),
      remove: (key) => this.#remove(key),
    })
    this.#open()
  }

  /** `made`: entries that were made since the start. */
  get stats(): CodeStats {
    return { entries: this.#state.size, bytes: this.#state.bytes, made: this.#made }
  }

  need(who: string, requestId: number, key: string): void {
    if (keyPattern.test(key)) this.#state.need(who, requestId, key)
    else this.#events.failed(who, requestId, `${JSON.stringify(key)} is no name of an entry of the code cache`)
  }

  made(who: string, key: string, bytes: number): void {
    this.#state.made(who, key, Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : 0)
  }

  notMade(who: string, key: string, text: string, again: boolean): void {
    this.#state.notMade(who, key, text, again)
  }

  gone(who: string): void {
    this.#state.gone(who)
  }

  /** What was kept from before, if the folder outlives node managers; what was being made then is worth nothing. */
  #open(): void {
    privateFolder('the folder of the code cache', this.#folder)
    const kept: { key: string; bytes: number; usedMs: number }[] = []
    const names = new Set(readdirSync(this.#folder))
    for (const name of names) {
      const key = name.replace(/\.json$/, '')
      if (name.startsWith(makingPrefix)) rmSync(join(this.#folder, name), { recursive: true, force: true })
      else if (!keyPattern.test(key)) continue
      else if (name === key && !names.has(`${key}.json`))
        rmSync(join(this.#folder, name), { recursive: true, force: true })
      else if (name !== key) {
        const note = this.#noteOf(key)
        if (note !== undefined && names.has(key)) kept.push({ key, ...note })
        else this.#removeNow(key)
      }
    }
    kept.sort((a, b) => a.usedMs - b.usedMs)
    for (const { key, bytes } of kept) this.#state.found(key, bytes)
    linkProvided(join(this.#folder, 'node_modules'))
  }

  /** undefined for one of another start of the machine: its files may not have reached the disk whole. */
  #noteOf(key: string): { bytes: number; usedMs: number } | undefined {
    const path = join(this.#folder, `${key}.json`)
    try {
      const note = JSON.parse(readFileSync(path, 'utf8')) as { bytes?: unknown; boot?: unknown }
      if (typeof note.bytes !== 'number' || note.boot !== bootId() || note.boot === '') return undefined
      return { bytes: note.bytes, usedMs: statSync(path).mtimeMs }
    } catch {
      return undefined
    }
  }

  /** Returns why it could not be done, '' when it was. */
  #publish(who: string, key: string): string {
    const path = this.#making.get(`${key} ${who}`)
    if (path === undefined) return `worker ${who} was not to make it`
    const place = join(this.#folder, key)
    try {
      rmSync(place, { recursive: true, force: true })
      renameSync(path, place)
      this.#making.delete(`${key} ${who}`)
      const bytes = this.#state.bytesOf(key)
      rmSync(`${place}.json.new`, { force: true })
      writeNew(`${place}.json.new`, JSON.stringify({ bytes, boot: bootId() }))
      renameSync(`${place}.json.new`, `${place}.json`)
      this.#made++
      return ''
    } catch (error) {
      // Without its note nobody would know of it.
      if (!this.#making.has(`${key} ${who}`)) this.#remove(key)
      const text = `the code cache of this node could not take ${key}: ${withAdvice(error)}`
      this.#events.warn(text)
      return text
    }
  }

  #discard(who: string, key: string): void {
    const path = this.#making.get(`${key} ${who}`)
    this.#making.delete(`${key} ${who}`)
    if (path !== undefined) this.#removeFolder(path)
  }

  /** Out of its name at once, so that it can be made again; its files go when there is time. */
  #remove(key: string): void {
    const gone = join(this.#folder, `${makingPrefix}${this.#next++}`)
    try {
      rmSync(join(this.#folder, `${key}.json`), { force: true })
      renameSync(join(this.#folder, key), gone)
    } catch (error) {
      this.#events.warn(`the code cache could not give up ${key}: ${(error as Error).message}`)
      return
    }
    this.#removeFolder(gone)
  }

  #removeFolder(path: string): void {
    rm(path, { recursive: true, force: true }).catch((error: unknown) => {
      this.#events.warn(`the code cache could not remove ${path}: ${(error as Error).message}`)
    })
  }

  #removeNow(key: string): void {
    rmSync(join(this.#folder, `${key}.json`), { force: true })
    rmSync(join(this.#folder, key), { recursive: true, force: true })
  }

  #touch(key: string): void {
    const now = new Date()
    try {
      utimesSync(join(this.#folder, `${key}.json`), now, now)
    } catch {
      // It will be taken for older than it is.
    }
  }
}

/** Which start of the machine this is; '' where the system does not tell. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

/** What every node has is found from every entry: this package, and those that shims stand for. */
function linkProvided(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { mode: 0o700 })
  for (const [name, target] of providedPackages()) symlinkSync(target, join(folder, name), 'dir')
}

function providedPackages(): [name: string, folder: string][] {
  const found: [string, string][] = []
  const own = packageFolder(fileURLToPath(import.meta.url))
  if (own !== undefined) found.push(['outpool', own])
  try {
    const other = packageFolder(createRequire(import.meta.url).resolve('workerpool'))
    if (other !== undefined) found.push(['workerpool', other])
  } catch {
    // It is not installed here: a script that needs it says so.
  }
  return found
}

function packageFolder(file: string): string | undefined {
  for (let folder = dirname(file); dirname(folder) !== folder; folder = dirname(folder)) {
    try {
      statSync(join(folder, 'package.json'))
      return folder
    } catch {
      // Further up.
    }
  }
  return undefined
}
