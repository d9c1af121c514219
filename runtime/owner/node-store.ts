/**
 * The store of the home node, as a process on its machine uses it: its shared memory, with the node manager as the
 * ledger at the other end of the home link; or its files.
 */
import { systemClock } from '../base/clock.ts'
import { ConnectionLostError, OutpoolError } from '../base/errors.ts'
import { collectGarbage } from '../base/garbage.ts'
import type { ProcessId } from '../base/ids.ts'
import { systemAdvice, withAdvice } from '../base/system-advice.ts'
import { setImmediate, setTimeout } from '../base/timers.ts'
import { hasArena, objectsFolderOf } from '../objects/arena-file.ts'
import { ArenaJournal } from '../objects/arena-journal.ts'
import { ArenaMemory } from '../objects/arena-memory.ts'
import type { ArenaPort } from '../objects/arena-port.ts'
import { ArenaStore } from '../objects/arena-store.ts'
import { decodeCompact } from '../objects/compact.ts'
import { FileObjectStore } from '../objects/file-store.ts'
import { holdLock } from '../objects/process-lock.ts'
import type { ObjectStore } from '../objects/store.ts'
import { MessageType, type Message, type StoreAnswer, type StoreOperation } from '../protocol/messages.ts'
import type { Home } from './home.ts'
import { HomeQuestions } from './home-questions.ts'

/** So often it is looked at once whether all has been written; then after pauses that grow, up to `mostPauseMs`. */
const quickLooks = 32
const mostPauseMs = 16

export interface NodeStore {
  readonly store: ObjectStore
  /** Objects of the store that values of this process use. */
  readonly pinned: number
  /** What the node manager says of its store; false for another message. */
  received(message: Message): boolean
  /** The home link is lost, and with it what was asked over it: it is asked again if the link comes back. */
  homeLost(): void
  /** The home link is there again: the node manager is told what this process holds of the store. */
  restored(): void
  close(): Promise<void>
}

/** `mayReconnect`: the process outlives its link to the home, and goes on over another one. */
export async function openNodeStore(
  runFolder: string,
  process: ProcessId,
  home: () => Pick<Home, 'connected' | 'link' | 'mode'>,
  mayReconnect: boolean = false,
): Promise<NodeStore> {
  const folder = objectsFolderOf(runFolder)
  if (hasArena(folder)) return linkToArena(runFolder, process, home, mayReconnect)
  const store = await FileObjectStore.open(folder)
  return {
    store,
    pinned: 0,
    received: () => false,
    homeLost: () => {},
    restored: () => {},
    close: () => store.close(),
  }
}

/** The same where the store is an arena: at once. */
export function linkToArena(
  runFolder: string,
  process: ProcessId,
  home: () => Pick<Home, 'connected' | 'link' | 'mode'>,
  mayReconnect: boolean = false,
): NodeStore {
  return new LinkedArena(objectsFolderOf(runFolder), process, home, mayReconnect)
}

class LinkedArena implements NodeStore, ArenaPort {
  readonly process: ProcessId
  readonly store: ArenaStore
  readonly #folder: string
  readonly #home: () => Pick<Home, 'connected' | 'link' | 'mode'>
  readonly #questions: HomeQuestions<StoreOperation, StoreAnswer>
  readonly #journal: ArenaJournal | undefined
  #memory: ArenaMemory | undefined
  /** Tells the node manager that this process lives, and may use what it mapped, whatever becomes of the link. */
  #unlock: (() => void) | undefined

  constructor(
    folder: string,
    process: ProcessId,
    home: () => Pick<Home, 'connected' | 'link' | 'mode'>,
    mayReconnect: boolean,
  ) {
    if (mayReconnect) this.#journal = new ArenaJournal(process)
    this.#folder = folder
    this.process = process
    this.#home = home
    this.#questions = new HomeQuestions(home, (link, id, operation) => {
      this.#journal?.asks(id)
      link.send([MessageType.storeRequest, id, operation])
      // Somebody waits for it with nothing else to do.
      link.flush()
    })
    const memoryOf = (): ArenaMemory => this.#open()
    this.store = new ArenaStore({
      port: this,
      clock: systemClock,
      collect: collectGarbage,
      unpinned: () => this.#letGo(),
      // Most processes never use it: what it takes to map memory is loaded when one does.
      get memory() {
        return memoryOf()
      },
    })
  }

  get pinned(): number {
    return this.store.pinned
  }

  request(operation: StoreOperation): Promise<StoreAnswer> {
    return this.#questions.ask(operation)
  }

  note(note: Parameters<ArenaPort['note']>[0]): void {
    this.#journal?.notes(note)
    this.#home().link.send([MessageType.storeNotes, [note]])
  }

  /** Over the next link, where this one is lost: what was noted is told again there. Rejects when there will be none. */
  async flushed(): Promise<void> {
    for (;;) {
      const { link } = this.#home()
      link.flush()
      for (let looks = 0; link.bufferedBytes > 0 && !link.closed; looks++) {
        await link.drained()
        if (link.bufferedBytes > 0) await pause(looks)
      }
      if (!link.closed || this.#journal === undefined) return
      // Some are told of the end of a link before the home is.
      await pause(0)
      await this.#home().connected()
    }
  }

  received(message: Message): boolean {
    if (message[0] === MessageType.storeCollect) {
      this.store.memoryIsShort()
      return true
    }
    if (message[0] !== MessageType.storeReply) return false
    const [, id, error, answer] = message
    const question = this.#questions.take(id)
    if (question !== undefined && error === null) this.#journal?.answered(id, question.asked, answer)
    if (error === null) question?.resolve(answer)
    else question?.reject(asError(decodeCompact(error)))
    return true
  }

  homeLost(): void {
    this.#questions.homeLost()
  }

  restored(): void {
    if (this.#journal === undefined) return
    const { link } = this.#home()
    // Where this link is lost too, the next one begins with it; where the node refuses, the link is of no use.
    this.#questions.askOver(link, ['resync', this.#journal.held]).catch((error: unknown) => link.close(error as Error))
  }

  async close(): Promise<void> {
    await this.store.close()
    this.#memory?.close()
    // As long as values of this process are mapped, nothing else may be written where they are; by a node that is gone,
    // nothing will be.
    if (this.store.pinned === 0 || this.#home().mode === 'closed') this.#letGo()
  }

  #letGo(): void {
    const unlock = this.#unlock
    this.#unlock = undefined
    unlock?.()
  }

  #open(): ArenaMemory {
    let failure: unknown
    this.#memory ??= ArenaMemory.open(this.#folder, (error) => (failure = error))
    if (this.#memory === undefined) throw this.#whyNot(failure)
    try {
      this.#unlock ??= holdLock(this.#folder, this.process)
    } catch (error) {
      throw hasArena(this.#folder) ? error : this.#whyNot(error)
    }
    return this.#memory
  }

  /** It was within reach when this process joined the node. */
  #whyNot(cause: unknown): Error {
    const folder = this.#folder
    const options = { cause, details: { folder } }
    const memory = `the shared memory of the node in ${folder}`
    if (systemAdvice(cause) !== '') return new OutpoolError(`${memory} cannot be opened: ${withAdvice(cause)}`, options)
    if (cause === undefined && hasArena(folder))
      return new OutpoolError(`${memory} cannot be opened here, and it can there: is koffi installed?`, options)
    const text = `${memory} is there no more: the node has ended; init({ address }) joins another one`
    return new ConnectionLostError(text, options)
  }
}

/** A node that is stopped, or a network that is slow, takes nothing for a while. */
function pause(looks: number): Promise<void> {
  return new Promise((resolve) => {
    if (looks < quickLooks) setImmediate(resolve)
    else setTimeout(resolve, Math.min(looks - quickLooks + 1, mostPauseMs))
  })
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new OutpoolError(String(value))
}
