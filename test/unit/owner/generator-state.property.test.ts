/** Both ends of a generator, with links that carry messages in order and workers that die between any two of them. */
import { expect } from 'chai'
import fc from 'fast-check'
import { type Allowance, GeneratorState } from '../../../runtime/owner/generator-state.ts'
import { ItemWindowState } from '../../../runtime/worker/item-window-state.ts'

interface Plan {
  /** Of each item, in bytes: the same in each attempt. */
  readonly sizes: readonly number[]
  readonly items: number
  readonly mostItems: number
  readonly bytes: number
  readonly steps: readonly { readonly what: string; readonly many: number }[]
}

const plans = fc.record({
  sizes: fc.array(fc.oneof(fc.nat(5), fc.nat(200)), { maxLength: 60 }),
  items: fc.integer({ min: 1, max: 8 }),
  mostItems: fc.integer({ min: 8, max: 40 }),
  bytes: fc.integer({ min: 1, max: 100 }),
  steps: fc.array(
    fc.record({
      what: fc.constantFrom('make', 'make', 'hear', 'hear', 'arrive', 'arrive', 'take', 'take', 'die', 'move'),
      many: fc.integer({ min: 1, max: 6 }),
    }),
    { maxLength: 120 },
  ),
})

class World {
  readonly consumed: number[] = []
  /** Numbers that are neither taken nor given up, and those under which a worker stored something. */
  readonly live = new Set<number>()
  readonly #plan: Plan
  readonly #state: GeneratorState
  /** What each number was made for; a number has one item for ever. */
  readonly #made = new Map<number, number>()
  #nextNumber = 1
  #attempt = 0
  #window: ItemWindowState
  #toWorker: Allowance[] = []
  #toOwner: { readonly number: number; readonly size: number }[] = []
  #done = false
  #maxAhead = 0

  constructor(plan: Plan) {
    this.#plan = plan
    this.#state = new GeneratorState(
      {
        allocate: (count) => {
          for (let i = 0; i < count; i++) this.live.add(this.#nextNumber + i)
          this.#nextNumber += count
          return this.#nextNumber - count
        },
        giveUp: (number, count) => {
          for (let i = 0; i < count; i++) expect(this.live.delete(number + i), 'given up once').to.equal(true)
        },
        allow: (allowance) => this.#toWorker.push(allowance),
      },
      plan,
    )
    this.#window = new ItemWindowState(plan.bytes)
    this.#state.pushed(0)
  }

  get ended(): boolean {
    return this.#state.ended && this.#state.buffered === 0
  }

  step(what: string): boolean {
    if (what === 'make') return this.#make()
    if (what === 'hear') return this.#hear()
    if (what === 'arrive') return this.#arrive()
    if (what === 'take') return this.#take()
    if (this.#done || this.#state.ended) return false
    if (what === 'die') this.#attempt++
    // A task that moves has not been started.
    else if (this.#window.made > 0) return false
    this.#window = new ItemWindowState(this.#plan.bytes)
    this.#toWorker = []
    this.#toOwner = []
    this.#state.pushed(this.#attempt)
    return true
  }

  validate(): void {
    expect(this.#maxAhead, 'items ahead of the consumer').to.be.at.most(this.#plan.mostItems)
    // Where nothing is under way both agree, but for what is made once more behind a consumer that is behind.
    const isQuiet = this.#toWorker.length === 0 && this.#toOwner.length === 0 && !this.#done && !this.#state.ended
    const isReplaying = this.#window.made < this.#window.from
    if (isQuiet && !isReplaying) expect(this.#state.paused, 'it is paused').to.equal(!this.#window.mayMake)
    expect(this.#state.numbers, 'numbers that are kept').to.equal(this.live.size)
    expect(this.consumed, 'items, in order and once each').to.deep.equal(this.consumed.map((_, i) => i))
  }

  #make(): boolean {
    const { made, mayMake } = this.#window
    if (this.#done || !mayMake) return false
    const size = this.#plan.sizes[made]
    if (size === undefined) {
      this.#done = true
      return true
    }
    const number = this.#window.make()
    if (number === undefined) return true
    expect(this.live.has(number), `number ${number} is an object`).to.equal(true)
    expect(this.#made.get(number) ?? made, 'one number, one item').to.equal(made)
    this.#made.set(number, made)
    this.#window.sent(size)
    this.#toOwner.push({ number, size })
    this.#maxAhead = Math.max(this.#maxAhead, made + 1 - this.consumed.length)
    return true
  }

  #hear(): boolean {
    const allowance = this.#toWorker.shift()
    if (allowance === undefined) return false
    this.#window.allow(allowance.index, allowance.number, allowance.count, allowance.taken)
    return true
  }

  #arrive(): boolean {
    const item = this.#toOwner.shift()
    if (item !== undefined) {
      expect(this.#state.item(item.number, item.size), 'the next item').to.equal(true)
      return true
    }
    if (!this.#done || this.#state.ended) return false
    this.#state.end(true)
    return true
  }

  #take(): boolean {
    const number = this.#state.take()
    if (number === undefined) return false
    expect(this.live.delete(number), 'taken once').to.equal(true)
    this.consumed.push(this.#made.get(number) as number)
    return true
  }
}

describe('both ends of a generator', () => {
  it('deliver every item once and in order, whoever dies, no further ahead than allowed, and never stand still', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const world = new World(plan)
        for (const { what, many } of plan.steps) {
          for (let i = 0; i < many && world.step(what); i++) world.validate()
        }
        // Without further deaths it comes to its end: something can always go on.
        const going = ['make', 'hear', 'arrive', 'take']
        while (!world.ended) {
          const went = going.map((what) => world.step(what)).includes(true)
          expect(went, 'one of the two can go on').to.equal(true)
          world.validate()
        }
        expect(world.consumed).to.have.length(plan.sizes.length)
        expect([...world.live]).to.deep.equal([])
      }),
      { numRuns: 400 },
    )
  })
})
