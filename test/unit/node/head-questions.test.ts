import { expect } from 'chai'
import fc from 'fast-check'
import { HeadQuestions, type HeadQuestion } from '../../../runtime/node/head-questions.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { ManualClock } from '../manual-clock.ts'

const timeoutMs = 1_000

/** One question, whom it was asked of under which id, and how it ended. */
class Asked implements HeadQuestion {
  readonly asked: (readonly [head: Link, id: number])[] = []
  readonly ends: string[] = []
  readonly cutOff?: () => void

  constructor(isOnce: boolean) {
    if (isOnce) this.cutOff = () => void this.ends.push('cut off')
  }

  readonly send = (head: Link, id: number): void => void this.asked.push([head, id])
  readonly unanswered = (reason: string): void => void this.ends.push(reason)
}

/** A node, and what it knows of the heads that it had. */
class Node {
  readonly clock = new ManualClock()
  readonly questions = new HeadQuestions<Asked>({ clock: this.clock, timeoutMs, headName: 'ws://head' })
  readonly all: Asked[] = []
  head: Link | undefined

  ask(isOnce = false): Asked {
    const question = new Asked(isOnce)
    this.all.push(question)
    this.questions.ask(question)
    return question
  }

  connect(): void {
    this.lose()
    this.head = {} as Link
    this.questions.connected(this.head)
  }

  lose(): void {
    this.head = undefined
    this.questions.disconnected()
  }

  answer(question: Asked): void {
    const [, id = 0] = question.asked.at(-1) ?? []
    this.questions.take(id)?.ends.push('answered')
  }

  get open(): Asked[] {
    return this.all.filter(({ ends }) => ends.length === 0)
  }
}

describe('questions to the head', () => {
  it('are asked of each head under one id until one answers, or once where they must not be asked twice', () => {
    const which = fc.nat(7)
    const event = fc.oneof(
      fc.record({ type: fc.constant('ask' as const), isOnce: fc.boolean() }),
      fc.record({ type: fc.constant('answer' as const), which }),
      fc.record({ type: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 700 }) }),
      fc.constantFrom({ type: 'connect' as const }, { type: 'lose' as const }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const node = new Node()
        /** Of each question: from when its time counts. */
        const since = new Map<Asked, number>()
        for (const event of events) {
          const wereOpen = node.open
          if (event.type === 'ask') since.set(node.ask(event.isOnce), node.clock.now())
          else if (event.type === 'connect') node.connect()
          else if (event.type === 'lose') node.lose()
          else if (event.type === 'pass') node.clock.advance(event.ms)
          // Late ones as well: of what has ended an answer may still be on its way.
          else if (node.all.length > 0) node.answer(node.all[event.which % node.all.length] as Asked)
          if (event.type === 'connect') for (const question of node.open) since.set(question, node.clock.now())
          for (const question of node.open) {
            expect(question.asked.at(-1)?.[0] === node.head || node.head === undefined).to.equal(true)
            expect(node.clock.now() - (since.get(question) as number)).to.be.below(timeoutMs)
          }
          for (const { ends } of wereOpen.filter((question) => question.ends.length > 0)) {
            const expected = { ask: /never/, answer: /answered/, pass: /ws:/, connect: /cut off/, lose: /cut off/ }
            expect(ends[0]).to.match(expected[event.type])
          }
          expect([node.questions.size, node.clock.pending]).to.deep.equal([node.open.length, node.open.length])
        }
        for (const { asked, ends, cutOff } of node.all) {
          expect(ends.length).to.be.at.most(1)
          // Of each head once, under the same id.
          expect([new Set(asked.map(([head]) => head)).size, asked.length]).to.satisfy(([a, b]: number[]) => a === b)
          expect(new Set(asked.map(([, id]) => id)).size).to.be.at.most(1)
          if (cutOff !== undefined) expect(asked.length).to.be.at.most(1)
        }
        const ids = node.all.flatMap(({ asked }) => asked.slice(0, 1).map(([, id]) => id))
        expect(new Set(ids).size).to.equal(ids.length)
      }),
      { numRuns: 300 },
    )
  })

  it('say whether the head was away, or there and silent', () => {
    const node = new Node()
    const away = node.ask()
    node.clock.advance(timeoutMs)
    expect(away.ends).to.deep.equal(['the head ws://head was away for 1000 ms; is it running?'])
    node.connect()
    const silent = node.ask()
    node.clock.advance(timeoutMs)
    expect(silent.ends).to.deep.equal(['the head ws://head did not answer within 1000 ms; is it running?'])
  })

  it('are taken, all or some, by who does not want to know any more', () => {
    const node = new Node()
    const [first, second, third] = [node.ask(), node.ask(), node.ask()]
    expect(node.questions.takeAll((question) => question === second)).to.deep.equal([second])
    expect(node.questions.takeAll()).to.deep.equal([first, third])
    expect([node.questions.size, node.clock.pending]).to.deep.equal([0, 0])
  })

  it('may be asked by who is told that another was cut off: they wait for the next head', () => {
    const node = new Node()
    node.connect()
    const once = node.ask(true)
    let again: Asked | undefined
    Object.assign(once, { cutOff: () => void (again = node.ask(true)) })
    node.lose()
    expect([again?.asked, again?.ends]).to.deep.equal([[], []])
    node.connect()
    expect(again?.asked).to.have.length(1)
  })
})
