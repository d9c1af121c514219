/**
 * Questions over the link to the home. A link that breaks says nothing about what was asked over it: whatever was not
 * answered is asked again over the next.
 */
import { setImmediate } from '../base/timers.ts'
import type { Link } from '../transport/link.ts'
import type { Home } from './home.ts'

interface Question<Asked, Answer extends object> {
  readonly asked: Asked
  /** undefined: the link broke first. */
  readonly resolve: (answer: Answer | undefined) => void
  readonly reject: (error: Error) => void
}

export class HomeQuestions<Asked, Answer extends object> {
  readonly #home: () => Pick<Home, 'connected'>
  readonly #send: (link: Link, id: number, asked: Asked) => void
  readonly #open = new Map<number, Question<Asked, Answer>>()
  #lastId = 0

  /** `send` asks; each time that something is asked has a number of its own, and the numbers rise. */
  constructor(home: () => Pick<Home, 'connected'>, send: (link: Link, id: number, asked: Asked) => void) {
    this.#home = home
    this.#send = send
  }

  /** Rejects with what the home answers, or when the home is gone for good. */
  async ask(asked: Asked): Promise<Answer> {
    for (;;) {
      const link = await this.#home().connected()
      if (link.closed) {
        // Closed just now, which is yet to be told to some, and was told to others: nobody would answer.
        await new Promise((resolve) => setImmediate(resolve))
        continue
      }
      const answer = await this.askOver(link, asked)
      if (answer !== undefined) return answer
    }
  }

  /** Over this link only; undefined when it breaks first. */
  askOver(link: Link, asked: Asked): Promise<Answer | undefined> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#open.set(id, { asked, resolve, reject })
      this.#send(link, id, asked)
    })
  }

  /** Whoever gets an answer settles what it takes here; undefined for what nobody asks any more. */
  take(id: number): Question<Asked, Answer> | undefined {
    const question = this.#open.get(id)
    this.#open.delete(id)
    return question
  }

  /** The link to the home is lost, and with it what the home was asked. */
  homeLost(): void {
    const lost = [...this.#open.values()]
    this.#open.clear()
    for (const { resolve } of lost) resolve(undefined)
  }
}
