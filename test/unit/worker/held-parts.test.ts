import { expect } from 'chai'
import fc from 'fast-check'
import {
  LinkParts,
  newPart,
  sendPartsAgain,
  type CapturedCall,
  type Part,
} from '../../../runtime/owner/captured-calls.ts'
import { MessageType, type Message } from '../../../runtime/protocol/messages.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { HeldParts } from '../../../runtime/worker/held-parts.ts'

/** One link between an owner and a worker: messages of each direction arrive in order, when `deliver` says. */
class Pair {
  readonly owner: Link
  readonly worker: Link
  readonly toWorker: Message[] = []
  readonly toOwner: Message[] = []
  readonly #state: { closed: boolean } = { closed: false }

  constructor() {
    const end = (into: Message[]): Link =>
      Object.defineProperty({ send: (message: Message) => into.push(message) } as unknown as Link, 'closed', {
        get: () => this.#state.closed,
      })
    this.owner = end(this.toWorker)
    this.worker = end(this.toOwner)
  }

  close(): void {
    this.#state.closed = true
  }
}

/** The owner's side as `Leasing` and `Owner` play it, the worker's as `TaskRunner` does. */
class World {
  readonly held: HeldParts
  readonly pair: Pair
  readonly calls = new Map<number, CapturedCall>()
  readonly #sent = new LinkParts()
  misses = 0

  constructor(held: HeldParts) {
    this.held = held
    this.pair = new Pair()
  }

  push(task: number, parts: readonly Part[]): ReturnType<HeldParts['take']> {
    this.calls.set(task, { parts, refs: [] })
    this.#sent.send(this.pair.owner, parts)
    this.deliver()
    return this.held.take(
      this.pair.worker,
      task,
      parts.map(({ number }) => number),
    )
  }

  deliver(): void {
    for (const message of this.pair.toOwner.splice(0)) {
      if (message[0] !== MessageType.partMiss) throw new Error('the worker only asks')
      this.misses++
      sendPartsAgain(this.pair.owner, this.calls.get(message[1]), message[2])
    }
    for (const message of this.pair.toWorker.splice(0)) {
      if (message[0] === MessageType.part) this.held.add(this.pair.worker, message[1], message[2])
      if (message[0] === MessageType.partDrop) this.held.drop(this.pair.worker, message[1])
    }
  }
}

const partOf = (size: number): Part => newPart(new Uint8Array(size).fill(size))
const textOf = (needed: ReturnType<HeldParts['take']>): number[] => needed.parts.map((part) => part?.bytes.length ?? -1)

describe('parts of functions that capture, at a worker', () => {
  it('are sent once, and are there for each call after', () => {
    const world = new World(new HeldParts())
    const [text, captures] = [partOf(10), partOf(20)]
    for (const task of [1, 2, 3]) {
      const needed = world.push(task, [captures, text])
      expect([needed.isSettled, needed.whole, textOf(needed)]).deep.equal([true, undefined, [20, 10]])
    }
    expect([world.misses, world.held.bytes, world.held.countOf(world.pair.worker)]).deep.equal([0, 30, 2])
  })

  it('are asked of who pushed the task when they were put away for others, and the task waits for them', async () => {
    const world = new World(new HeldParts(100))
    const [text, captures] = [partOf(40), partOf(50)]
    world.push(1, [captures, text])
    world.push(2, [partOf(90)])
    const needed = world.push(3, [captures, text])
    expect([needed.isSettled, textOf(needed)]).deep.equal([false, [-1, -1]])
    const again = world.held.take(world.pair.worker, 3, [text.number])
    world.deliver()
    await needed.whole
    await again.whole
    expect([textOf(needed), textOf(again), needed.failure]).deep.equal([[50, 40], [40], undefined])
    expect(world.misses).to.equal(2)
    expect(world.held.bytes).to.equal(90)
  })

  it('fail the task where its owner has no such task any more', async () => {
    const world = new World(new HeldParts(10))
    const part = partOf(8)
    world.push(1, [part])
    world.push(2, [partOf(9)])
    const needed = world.push(3, [part])
    world.calls.delete(3)
    world.deliver()
    await needed.whole
    expect(needed.failure?.message).to.include(`part ${part.number}, which its owner does not have either`)
  })

  it('are asked of their own owner: numbers of two owners are not the same', () => {
    const held = new HeldParts()
    const [one, other] = [new World(held), new World(held)]
    const part = partOf(5)
    one.push(1, [part])
    expect(held.take(other.pair.worker, 1, [part.number]).isSettled).to.equal(false)
    expect(other.pair.toOwner).deep.equal([[MessageType.partMiss, 1, [part.number]]])
  })

  it('go with their link', () => {
    const held = new HeldParts()
    const one = new World(held)
    one.push(1, [partOf(500)])
    one.pair.close()
    new World(held).push(1, [partOf(3)])
    expect(held.bytes).to.equal(3)
  })

  it('are whole in the end, and bounded, whatever is pushed in whatever order it arrives', () => {
    const step = fc.record({ parts: fc.uniqueArray(fc.nat(11), { minLength: 1, maxLength: 4 }), arrives: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 20, max: 200 }), (steps, room) => {
        const world = new World(new HeldParts(room))
        const all = Array.from({ length: 12 }, (_, i) => partOf(i + 5))
        const waiting = steps.map(({ parts, arrives }, index) => {
          const wanted = parts.map((i) => all[i] as Part)
          const needed = world.push(index + 1, wanted)
          if (arrives) world.deliver()
          return { needed, wanted }
        })
        world.deliver()
        world.deliver()
        for (const { needed, wanted } of waiting) {
          expect(needed.isSettled && needed.failure === undefined).to.equal(true)
          expect(textOf(needed)).deep.equal(wanted.map(({ bytes }) => bytes.length))
        }
        expect(world.held.bytes).to.be.at.most(room)
      }),
      { numRuns: 200 },
    )
  })

  it('that one task is told to be nowhere, as it was given up, come to another that waits for them', async () => {
    const world = new World(new HeldParts(5))
    const [part, other] = [partOf(10), partOf(11)]
    world.push(1, [part])
    world.push(2, [other])
    const given = world.push(3, [part])
    // It has come, too, before the owner reads that of the other.
    world.calls.set(4, { parts: [part], refs: [] })
    const kept = world.held.take(world.pair.worker, 4, [part.number])
    expect([given.isSettled, kept.isSettled]).to.deep.equal([false, false])
    world.calls.delete(3)
    world.deliver()
    expect(given.failure?.message).to.include('which its owner does not have either')
    await kept.whole
    expect(kept.failure).to.equal(undefined)
    expect(textOf(kept)).to.deep.equal([10])
  })
})
