/**
 * A limit by name that queues of several processes share: how many tasks run at a time, and how many start in an
 * interval. It lives in the control store, so it outlives each of them; see `cluster-limit-state.ts`.
 */
import { deferred } from '../runtime/base/deferred.ts'
import { ConnectionLostError, OutpoolError, RequestTimeoutError } from '../runtime/base/errors.ts'
import { onAbort } from '../runtime/base/on-abort.ts'
import { clearInterval, clearTimeout, setInterval, setTimeout } from '../runtime/base/timers.ts'
import { currentRuntime } from '../runtime/owner/current.ts'
import type { Home } from '../runtime/owner/home.ts'
import type { TableAnswer } from '../runtime/owner/table-watches.ts'
import type { TableOperation } from '../runtime/protocol/messages.ts'
import {
  deadMs,
  LimitState,
  sameTerms,
  termsText,
  type LimitRow,
  type LimitTerms,
  type LimitView,
} from './cluster-limit-state.ts'
import { ensureRuntime } from './runtime.ts'

/** Between two looks at a row that others hold, in milliseconds: the first, and the longest. */
const firstLookMs = 10
const longestLookMs = 200
/** The same where changes of the row are told: the dead change nothing. */
const watchedLookMs = deadMs / 4
/** A beat that nobody needs any more goes after so long. */
const idleMs = 500

interface Waiter {
  start(): void
  fail(error: unknown): void
}

const limits = new Map<string, ClusterLimit>()

/**
 * The limit of that name.
 * @throws OutpoolError when this process has one of that name with other terms.
 */
export function clusterLimit(name: string, terms: LimitTerms): ClusterLimit {
  let limit = limits.get(name)
  if (limit === undefined) limits.set(name, (limit = new ClusterLimit(name, terms)))
  if (!sameTerms(limit.terms, terms)) throw refusal(name, terms, limit.terms)
  return limit
}

export class ClusterLimit {
  readonly name: string
  readonly terms: LimitTerms
  readonly #prefix: string
  #state: { readonly process: string; readonly state: LimitState } | undefined
  readonly #waiting = new Set<Waiter>()
  #held = 0
  #returned = 0
  /** Starts that were made since they were last told. */
  #started = 0
  #returning: (() => void)[] = []
  #isWorking = false
  #beat: NodeJS.Timeout | undefined
  /** Changes of the row that were told, since the process began. */
  #changes = 0
  #watch: { readonly home: Home; stop: (() => void) | undefined } | undefined
  #wake: () => void = () => undefined

  constructor(name: string, terms: LimitTerms) {
    this.name = name
    this.terms = terms
    this.#prefix = `limits/${encodeURIComponent(name)}/`
  }

  /**
   * Waits for a permit; resolves to what gives it back, which resolves when others can have it. Rejects with the signal's
   * reason, or when others share the name under other terms.
   */
  acquire(signal?: AbortSignal): Promise<() => Promise<void>> {
    const permit = deferred<() => Promise<void>>()
    let leave: (() => void) | undefined
    const waiter: Waiter = {
      start: () => {
        leave?.()
        permit.resolve(() => this.#giveBack())
      },
      fail: (error) => {
        leave?.()
        permit.reject(error)
      },
    }
    const abort = (): void => {
      if (this.#waiting.delete(waiter)) waiter.fail(signal?.reason)
    }
    this.#waiting.add(waiter)
    if (signal?.aborted === true) abort()
    else if (signal !== undefined) leave = onAbort(signal, abort)
    this.#work()
    return permit.promise
  }

  #giveBack(): Promise<void> {
    this.#returned++
    const told = new Promise<void>((resolve) => this.#returning.push(resolve))
    this.#wake()
    this.#work()
    return told
  }

  #work(): void {
    if (this.#isWorking) return
    let leave: () => void
    try {
      leave = ensureRuntime().host.enterWait()
    } catch (error) {
      return this.#failAll(error)
    }
    this.#isWorking = true
    this.#loop()
      .catch((error: unknown) => this.#failAll(error))
      .finally(() => {
        leave()
        this.#isWorking = false
        if (this.#hasWork()) this.#work()
      })
  }

  #hasWork(): boolean {
    return this.#waiting.size > 0 || this.#returned > 0 || this.#started > 0
  }

  get #hasRate(): boolean {
    return this.terms.intervalCap !== null && this.terms.intervalMs > 0
  }

  async #loop(): Promise<void> {
    let look = firstLookMs
    while (this.#hasWork()) {
      this.#keepBeating()
      const changes = this.#changes
      const { row, version, beats } = await this.#look()
      const returned = this.#returned
      const started = this.#started
      const wishes = { held: this.#held - returned, started, waiting: this.#waiting.size }
      const step = this.#stateNow().step({ row, beats }, wishes, performance.now())
      if (step.kind === 'refused') throw refusal(this.name, this.terms, step.terms)
      if (step.kind === 'wait') {
        if (returned > 0) {
          // The row was made anew behind a head that had lost it, and knows nothing of what is given back.
          this.#gaveBack(returned)
          continue
        }
        const isWatched = this.#keepWatching()
        if (this.#changes === changes) await this.#pause(Math.min(isWatched ? watchedLookMs : look, step.waitMs))
        look = Math.min(longestLookMs, look * 1.5)
        continue
      }
      const { error } = await table(['put', `${this.#prefix}row`, encode(step.row), version])
      // Somebody was faster: look again.
      if (error !== '') continue
      look = firstLookMs
      this.#held += step.granted
      this.#started += (this.#hasRate ? step.granted : 0) - started
      this.#gaveBack(returned)
      this.#startSome(step.granted)
    }
    this.#stopBeatingSoon()
  }

  #gaveBack(count: number): void {
    this.#held -= count
    this.#returned -= count
    for (const tell of this.#returning.splice(0, count)) tell()
  }

  #startSome(granted: number): void {
    for (const waiter of [...this.#waiting].slice(0, granted)) {
      this.#waiting.delete(waiter)
      waiter.start()
      granted--
    }
    // Some have been given up since.
    this.#returned += granted
  }

  async #look(): Promise<LimitView & { readonly version: number }> {
    const { rows } = await table(['list', this.#prefix])
    const beats = new Map<string, number>()
    let row: LimitRow | undefined
    let version = 0
    for (const [key, of, value] of rows) {
      if (key === `${this.#prefix}row`) [row, version] = [decode(value), of]
      else beats.set(key.slice(key.lastIndexOf('/') + 1), of)
    }
    return { row, beats, version }
  }

  #stateNow(): LimitState {
    const { process } = ensureRuntime().host.self
    if (this.#state?.process !== process) this.#state = { process, state: new LimitState(process, this.terms) }
    return this.#state.state
  }

  #keepBeating(): void {
    if (this.#beat !== undefined) return
    const beat = (): void => {
      if (currentRuntime() === undefined || (this.#held === 0 && this.#waiting.size === 0 && this.#returned === 0))
        return
      table(['put', this.#beatKey(), new Uint8Array(), -1]).catch(() => undefined)
    }
    beat()
    this.#beat = setInterval(beat, deadMs / 4)
    this.#beat.unref()
  }

  /** Whether a change of the row wakes who waits. What changed before the watch stood is found by the next look. */
  #keepWatching(): boolean {
    const { home } = ensureRuntime()
    if (this.#watch?.home === home) return this.#watch.stop !== undefined
    const watch = (this.#watch = { home, stop: undefined as (() => void) | undefined })
    const changed = (): void => {
      this.#changes++
      this.#wake()
    }
    home.watches.watch('kv', `${this.#prefix}row`, changed).then(
      (stop) => {
        if (this.#watch === watch) watch.stop = stop
        else stop()
        changed()
      },
      () => {
        if (this.#watch === watch) this.#watch = undefined
      },
    )
    return false
  }

  #stopBeatingSoon(): void {
    setTimeout(() => {
      if (this.#held > 0 || this.#isWorking || this.#beat === undefined) return
      clearInterval(this.#beat)
      this.#beat = undefined
      this.#watch?.stop?.()
      this.#watch = undefined
      // A program that has left the cluster leaves its beat as it is: it stands still.
      if (currentRuntime() !== undefined) table(['delete', this.#beatKey(), -1]).catch(() => undefined)
    }, idleMs).unref()
  }

  #beatKey(): string {
    return `${this.#prefix}beat/${ensureRuntime().host.self.process}`
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** What is given back is not held any more, whether the row can be told of it or not. */
  #failAll(error: unknown): void {
    for (const waiter of this.#waiting) waiter.fail(error)
    this.#waiting.clear()
    this.#held -= this.#returned
    this.#returned = 0
    this.#started = 0
    for (const tell of this.#returning.splice(0)) tell()
  }
}

async function table(operation: TableOperation): Promise<TableAnswer> {
  const { host } = ensureRuntime().owner
  for (;;) {
    await host.home.connected()
    try {
      return await ensureRuntime().home.table('kv', operation)
    } catch (error) {
      // The head, or the link to the home, may be on its way back. A write that was made all the same is corrected by the
      // next one.
      if (!(error instanceof RequestTimeoutError || error instanceof ConnectionLostError)) throw error
    }
  }
}

function encode(row: LimitRow): Uint8Array {
  return Buffer.from(JSON.stringify(row))
}

function decode(value: Uint8Array): LimitRow {
  return JSON.parse(Buffer.from(value).toString()) as LimitRow
}

function refusal(name: string, wanted: LimitTerms, shared: LimitTerms): OutpoolError {
  return new OutpoolError(
    `the limit '${name}' is shared with ${termsText(shared)}, and this queue asks for ${termsText(wanted)}. ` +
      'Give every queue of one name the same limits, or this one another name.',
    { details: { name } },
  )
}
