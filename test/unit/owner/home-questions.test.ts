import { expect } from 'chai'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { deferred, type Deferred } from '../../../runtime/base/deferred.ts'
import { HomeQuestions } from '../../../runtime/owner/home-questions.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'

type Answer = readonly [text: string]

/** A home whose links a test breaks and makes; what was asked over which of them, and by which number. */
class Fixture {
  readonly said: string[] = []
  readonly questions: HomeQuestions<string, Answer>
  #current: Deferred<Link> = deferred()
  #count = 0

  constructor() {
    const connected = (): Promise<Link> => this.#current.promise
    this.questions = new HomeQuestions(
      () => ({ connected }),
      (link, id, asked) => link.send([this.names.get(link), id, asked] as never),
    )
  }

  readonly names = new Map<Link, string>()

  /** Whoever waits for a link gets this one. */
  connect(): Link {
    const ids = { node: newProcessId(), process: newProcessId() }
    const [ours, node] = memoryPair(
      peerHello({ kind: 'node', ...ids, info: {} }),
      peerHello({ kind: 'driver', ...ids, info: {} }),
    )
    this.names.set(ours, `link ${++this.#count}`)
    node.onMessage = (message) => void this.said.push(message.join(' '))
    this.#current.resolve(ours)
    return ours
  }

  /** From now on there is none, until the next. */
  lose(): void {
    this.#current = deferred()
    this.questions.homeLost()
  }

  gone(reason: Error): void {
    this.#current.promise.catch(() => {})
    this.#current.reject(reason)
  }
}

const turns = async (): Promise<void> => {
  for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve))
}

describe('questions over the link to the home', () => {
  it('are answered by number, and those that nobody asked are nothing', async () => {
    const fixture = new Fixture()
    const [first, second] = [fixture.questions.ask('a'), fixture.questions.ask('b')]
    fixture.connect()
    await turns()
    expect(fixture.said).to.deep.equal(['link 1 1 a', 'link 1 2 b'])
    const refusal = new Error('there is no b')
    fixture.questions.take(2)?.reject(refusal)
    fixture.questions.take(1)?.resolve(['of a'])
    expect(await first).to.deep.equal(['of a'])
    expect(await second.catch((error: unknown) => error)).to.equal(refusal)
    expect([fixture.questions.take(1), fixture.questions.take(3)]).to.deep.equal([undefined, undefined])
  })

  it('are asked again over the next link, under new numbers, when there was no answer over the last', async () => {
    const fixture = new Fixture()
    const answers = Promise.all([fixture.questions.ask('a'), fixture.questions.ask('b')])
    fixture.connect()
    await turns()
    fixture.questions.take(1)?.resolve(['early'])
    fixture.lose()
    await turns()
    // A number of the link that is gone: what comes late is nobody's.
    expect(fixture.questions.take(2)).to.equal(undefined)
    fixture.connect()
    await turns()
    expect(fixture.said.slice(2)).to.deep.equal(['link 2 3 b'])
    fixture.questions.take(3)?.resolve(['again'])
    expect(await answers).to.deep.equal([['early'], ['again']])
  })

  it('wait for the next link where the last closed just now, whether or not that was told already', async () => {
    const fixture = new Fixture()
    fixture.connect().close()
    const answer = fixture.questions.ask('a')
    await turns()
    expect(fixture.said).to.deep.equal([])
    fixture.lose()
    fixture.connect()
    await turns()
    expect(fixture.said).to.deep.equal(['link 2 1 a'])
    fixture.questions.take(1)?.resolve(['there'])
    expect(await answer).to.deep.equal(['there'])
  })

  it('reject when the home is gone for good; over one link only they end with that link', async () => {
    const fixture = new Fixture()
    const answer = fixture.questions.ask('a').catch((error: unknown) => error)
    const once = fixture.questions.askOver(fixture.connect(), 'once')
    await turns()
    fixture.lose()
    expect(await once).to.equal(undefined)
    const reason = new Error('it does not come back')
    fixture.gone(reason)
    expect(await answer).to.equal(reason)
  })
})
