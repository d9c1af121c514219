/**
 * Code that was packed for this worker: made a module on this node, once, in the node's code cache.
 *
 *     pack (an object of the pusher) ──▶ manifest ──▶ entries of the cache: ready there, or made by us ──▶ URL to import
 */
import process from 'node:process'
import { type Clock, systemClock } from '../base/clock.ts'
import { OwnerDiedError, RuntimeEnvSetupError } from '../base/errors.ts'
import type { ProcessId } from '../base/ids.ts'
import { noteCodePlace } from '../code/code-places.ts'
import { parseEnvironment } from '../code/modules/environment.ts'
import { localUrl } from '../code/own-modules.ts'
import type { KnownPack, KnownPacks } from '../code/modules/known-packs.ts'
import type { PackedManifest } from '../code/modules/manifest.ts'
import type { Made, ReadyModule } from '../code/modules/set-up.ts'
import { MessageType, type Message, type RefTuple } from '../protocol/messages.ts'

export interface WorkerCodePorts {
  send(message: Message): void
  /** The value of an object. */
  get(ref: RefTuple): Promise<unknown>
  /** The program that this worker works for. */
  job(): ProcessId
}

/** How long after a failed try a program is asked again, in milliseconds: longer each time. */
const againMs = { first: 50, most: 2_000 }

interface Question {
  readonly key: string
  readonly make: (folder: string) => Promise<Made>
  readonly resolve: (path: string) => void
  readonly reject: (error: Error) => void
  /** Why we could not make it ourselves: better than what the node can tell of it. */
  failure: Error | undefined
}

export class WorkerCode {
  readonly #ports: WorkerCodePorts
  readonly #clock: Clock
  readonly #questions = new Map<number, Question>()
  /** By the owner and number of the pack. */
  readonly #ready = new Map<string, Promise<ReadyModule>>()
  #known: KnownPacks | undefined
  readonly #environments = new Map<string, Promise<void>>()
  #nextQuestion = 1
  /** The one that this process is of. */
  environment = ''

  constructor(ports: WorkerCodePorts, clock: Clock = systemClock) {
    this.#ports = ports
    this.#clock = clock
  }

  /** Packs that were set up here, and questions that are not answered. */
  get size(): number {
    return this.#ready.size + this.#questions.size
  }

  /** Where a module is to be imported from here. Rejects with RuntimeEnvSetupError. */
  readonly locate = async (url: string, pack: RefTuple | undefined): Promise<string> => {
    const here = pack === undefined ? url : (await this.#setUp(pack)).url
    noteCodePlace(here)
    return here
  }

  /** How the module of that URL came, if it came packed. */
  readonly packOf = (url: string): KnownPack | undefined => this.#known?.find(url)

  /**
   * Prepares this process for tasks of an environment: what comes before them, their working folder. Variables are
   * there from the start.
   */
  enter(environment: string): Promise<void> {
    if (environment === '') return Promise.resolve()
    let entering = this.#environments.get(environment)
    if (entering === undefined) {
      entering = this.#enter(environment)
      this.#environments.set(environment, entering)
      entering.catch(() => this.#environments.delete(environment))
    }
    return entering
  }

  /** An answer of the node manager; false for another message. */
  received(message: Message): boolean {
    if (message[0] !== MessageType.codePlace) return false
    const [, requestId, state, text] = message
    const question = this.#questions.get(requestId)
    if (question === undefined) return true
    if (state === 'make') void this.#make(question, text)
    else {
      this.#questions.delete(requestId)
      if (state === 'ready') question.resolve(text)
      else question.reject(question.failure ?? new RuntimeEnvSetupError(text, { details: { key: question.key } }))
    }
    return true
  }

  async #enter(environment: string): Promise<void> {
    const { workingDir, preloads } = parseEnvironment(environment)
    this.environment = environment
    for (const url of preloads) await import(localUrl(url))
    if (workingDir === undefined) return
    const { folder } = await this.#setUp(workingDir)
    process.chdir(folder)
  }

  #setUp(pack: RefTuple): Promise<ReadyModule> {
    const name = `${pack[0]}/${pack[1]}`
    let ready = this.#ready.get(name)
    if (ready === undefined) {
      ready = this.#setUpNow(pack)
      this.#ready.set(name, ready)
      ready.catch(() => this.#ready.delete(name))
    }
    return ready
  }

  async #setUpNow(pack: RefTuple): Promise<ReadyModule> {
    const packed = (await this.#get(pack)) as PackedManifest
    const { manifest, archives } = packed
    // Stacks name the files that were packed, not the bundle.
    process.setSourceMapsEnabled(true)
    // Loaded with the first module that comes packed: a worker starts without it.
    const { KnownPacks, setUpModule } = await import('../code/modules/set-up.ts')
    const ready = await setUpModule(manifest, {
      fetch: async ({ id }) => (await this.#get(archives[id] as RefTuple)) as Uint8Array,
      entry: (key, make) => this.#entry(key, make),
    })
    this.#known ??= new KnownPacks()
    this.#known.add(pack, packed, ready.folder)
    return ready
  }

  /**
   * An object of whoever packed. Where that is the program it is asked until it answers: while it cannot be reached, its
   * home stopped for a while, say, its job goes on; and with the job this process ends.
   */
  async #get(ref: RefTuple): Promise<unknown> {
    for (let delayMs = againMs.first; ; delayMs = Math.min(2 * delayMs, againMs.most)) {
      try {
        return await this.#ports.get(ref)
      } catch (error) {
        if (!(error instanceof OwnerDiedError) || ref[0] !== this.#ports.job()) throw error
      }
      await new Promise<void>((resolve) => void this.#clock.after(delayMs, resolve))
    }
  }

  #entry(key: string, make: Question['make']): Promise<string> {
    const id = this.#nextQuestion++
    return new Promise((resolve, reject) => {
      this.#questions.set(id, { key, make, resolve, reject, failure: undefined })
      this.#ports.send([MessageType.codeNeed, id, key])
    })
  }

  async #make(question: Question, folder: string): Promise<void> {
    const { key } = question
    try {
      const { bytes } = await question.make(folder)
      this.#ports.send([MessageType.codeMade, key, bytes, '', false])
    } catch (error) {
      question.failure = error instanceof Error ? error : new Error(String(error))
      // What we could not fetch, another job may have.
      const again = !(error instanceof RuntimeEnvSetupError)
      this.#ports.send([MessageType.codeMade, key, 0, question.failure.message, again])
    }
  }
}
