/** Bringing stored objects here: by the home node where its store is shared, else over bulk channels of our own. */
import { systemClock } from '../base/clock.ts'
import type { NodeId } from '../base/ids.ts'
import { lostError, PullFailures } from '../objects/pull-failures.ts'
import { Arrival } from '../objects/arrival.ts'
import { fetchObject, HolderBusyError } from '../objects/transfer.ts'
import type { ObjectStore } from '../objects/store.ts'
import { MessageType, type Holder, type Message, type Pulled } from '../protocol/messages.ts'
import type { Home } from './home.ts'
import { HomeQuestions } from './home-questions.ts'

interface Wanted {
  readonly key: string
  readonly sizeBytes: number
  readonly holders: readonly Holder[]
  readonly ownerNode: NodeId
}

/** How long a holder may send nothing, in milliseconds. */
const silenceMs = 30_000
/** How long a holder that is busy with others is left alone, in milliseconds. */
const busyMs = 50

export class Pulling {
  readonly #home: () => Home
  readonly #store: ObjectStore
  readonly #questions: HomeQuestions<Wanted, Pulled>
  /** Transfers under way, shared by everybody here who wants the same object. */
  readonly #fetching = new Map<string, Promise<void>>()

  constructor(home: () => Home, store: ObjectStore) {
    this.#home = home
    this.#store = store
    this.#questions = new HomeQuestions(home, (link, id, { key, sizeBytes, holders, ownerNode }) =>
      link.send([MessageType.pull, id, key, sizeBytes, holders, ownerNode]),
    )
  }

  /** Resolves when the object is in the store; rejects with ObjectLostError that names every holder and its reason. */
  pull(key: string, sizeBytes: number, holders: readonly Holder[], ownerNode: NodeId): Promise<void> {
    let fetching = this.#fetching.get(key)
    if (fetching === undefined) {
      const how = this.#home().sameMachine
        ? this.#askHome({ key, sizeBytes, holders, ownerNode })
        : this.#fetch(key, holders)
      fetching = how.finally(() => this.#fetching.delete(key))
      this.#fetching.set(key, fetching)
    }
    return fetching
  }

  /** The home's answer; false for another message. */
  received(message: Message): boolean {
    if (message[0] !== MessageType.pulled) return false
    const question = this.#questions.take(message[1])
    if (message[2] === '') question?.resolve(message)
    else
      question?.reject(
        lostError(message[2], question.asked.key, { absent: message[3], unreached: message[4], why: message[5] }),
      )
    return true
  }

  /** The link to the home is lost, and with it what the home was asked: it is asked again if the link comes back. */
  homeLost(): void {
    this.#questions.homeLost()
  }

  /** Rejects also when the home is gone for good. */
  async #askHome(wanted: Wanted): Promise<void> {
    await this.#questions.ask(wanted)
  }

  async #fetch(key: string, holders: readonly Holder[]): Promise<void> {
    const failures = new PullFailures()
    const arrival = new Arrival(key, this.#store)
    const left = [...holders]
    try {
      for (let holder = left.shift(); holder !== undefined; holder = left.shift()) {
        const failure = await this.#fetchFrom(arrival, holder)
        if (failure === undefined) return
        if (failure instanceof HolderBusyError) {
          left.push(holder)
          await new Promise<void>((resolve) => void systemClock.after(busyMs, resolve, true))
        } else {
          await arrival.abort()
          failures.add(holder, failure)
        }
      }
    } finally {
      if (!arrival.isWhole) await arrival.abort()
    }
    throw failures.error(key)
  }

  /** undefined when it went well. As long as something arrives before the channel breaks, the rest is asked for. */
  async #fetchFrom(arrival: Arrival, [node, process]: Holder): Promise<Error | undefined> {
    for (;;) {
      const before = arrival.offset
      try {
        const channel = await this.#home().bulk({ node, process })
        await fetchObject(channel, { arrival, clock: systemClock, silenceMs }).finally(() => channel.close())
        return undefined
      } catch (error) {
        if (arrival.offset <= before) return error as Error
      }
    }
  }
}
