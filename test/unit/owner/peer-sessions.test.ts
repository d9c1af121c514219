import { expect } from 'chai'
import fc from 'fast-check'
import { newProcessId } from '../../../runtime/base/ids.ts'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { ProcessDialer } from '../../../runtime/owner/dial-process.ts'
import { PeerSessions } from '../../../runtime/owner/peer-sessions.ts'
import { systemClock } from '../../../runtime/base/clock.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'

interface Wire {
  readonly id: number
  /** Which of the two dialled it, and the count that it said. */
  readonly dialler: 0 | 1
  readonly said: number
  /** For each end: the session to which it belongs there, and whether its end was noticed there. */
  readonly session: [number | undefined, number | undefined]
  readonly ended: [boolean, boolean]
  /** Whether the other side has taken the call, or refused it. */
  came: boolean
  /** Whether anybody has ended it: from then on the other end can notice. */
  cut: boolean
}

/** Two processes, and links whose ends are noticed on each side at a time of its own. */
class Pair {
  readonly sides: readonly [PeerSessions<Wire>, PeerSessions<Wire>] = [new PeerSessions(), new PeerSessions()]
  readonly peers: readonly [ProcessId, ProcessId] = [newProcessId(), newProcessId()]
  readonly wires: Wire[] = []
  /** How often each side has held the other for dead. */
  readonly losses: [number, number] = [0, 0]

  dial(side: 0 | 1): void {
    const said = this.of(side).ended(this.other(side))
    const wire: Wire = {
      ...{ id: this.wires.length, dialler: side, said, came: false, cut: false },
      session: [undefined, undefined],
      ended: [false, false],
    }
    this.wires.push(wire)
  }

  /** The call of a wire comes in, and its dialler hears of it. Between the two anything else may happen. */
  come(wire: Wire): void {
    if (wire.came) return
    wire.came = true
    const side = (1 - wire.dialler) as 0 | 1
    const { stale, over } = this.of(side).came(this.other(side), wire.said, wire)
    if (stale) {
      wire.cut = wire.ended[side] = true
      return
    }
    for (const old of over) this.#ended(old, side)
    if (over.length > 0) this.losses[side]++
    wire.session[side] = this.of(side).ended(this.other(side))
  }

  answered(wire: Wire): void {
    const { dialler } = wire
    if (!wire.came || wire.session[dialler] !== undefined || wire.ended[dialler]) return
    if (this.of(dialler).dialled(this.other(dialler), wire.said, wire)) {
      wire.session[dialler] = this.of(dialler).ended(this.other(dialler))
    } else this.#ended(wire, dialler)
  }

  cut(wire: Wire): void {
    if (wire.came) wire.cut = true
  }

  /** A side notices that a wire is cut. */
  notice(wire: Wire, side: 0 | 1): void {
    if (!wire.cut || wire.ended[side] || wire.session[side] === undefined) return
    const others = this.of(side).over(this.other(side), wire)
    this.#ended(wire, side)
    if (others === undefined) throw new Error('a link of no session has ended twice')
    this.losses[side]++
    for (const other of others) this.#ended(other, side)
  }

  settle(): void {
    for (let before = -1; before !== this.#changes();) {
      before = this.#changes()
      for (const wire of this.wires) {
        this.come(wire)
        this.answered(wire)
        this.notice(wire, 0)
        this.notice(wire, 1)
      }
    }
  }

  of(side: 0 | 1): PeerSessions<Wire> {
    return this.sides[side]
  }

  other(side: 0 | 1): ProcessId {
    return this.peers[1 - side] as ProcessId
  }

  #ended(wire: Wire, side: 0 | 1): void {
    wire.ended[side] = true
    wire.cut = true
  }

  #changes(): number {
    return this.wires.reduce((sum, wire) => {
      const flags = [wire.came, wire.cut, ...wire.ended, wire.session[0] !== undefined, wire.session[1] !== undefined]
      return sum + flags.filter(Boolean).length
    }, 0)
  }
}

describe('sessions of two processes', () => {
  const step = fc.record({ kind: fc.nat(4), wire: fc.nat(3), side: fc.constantFrom<0 | 1>(0, 1) })

  it('are the same ones for both, in whatever order links are made, lost and missed', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => {
        const pair = new Pair()
        for (const { kind, wire: index, side } of steps) {
          const wire = pair.wires[index]
          if (kind === 0 || wire === undefined) pair.dial(side)
          else if (kind === 1) pair.come(wire)
          else if (kind === 2) pair.answered(wire)
          else if (kind === 3) pair.cut(wire)
          else pair.notice(wire, side)
          for (const made of pair.wires) {
            const [a, b] = made.session
            // What is said over it is taken by both within the same session, or by one of them not at all.
            if (a !== undefined && b !== undefined) expect(a, JSON.stringify(made)).equal(b)
          }
        }
        pair.settle()
        for (const side of [0, 1] as const) {
          const links = pair.of(side).links(pair.other(side))
          for (const wire of links) expect(wire.session[side]).equal(pair.of(side).ended(pair.other(side)))
        }
        const ids = ([0, 1] as const).map((side) =>
          pair
            .of(side)
            .links(pair.other(side))
            .map(({ id }) => id)
            .toSorted((a, b) => a - b),
        )
        expect(ids[0]).deep.equal(ids[1])
        // Whoever tries again gets through, after as many attempts as there were sessions that it missed.
        for (let attempt = 0; attempt <= steps.length && pair.of(0).links(pair.other(0)).length === 0; attempt++) {
          pair.dial((attempt % 2) as 0 | 1)
          pair.settle()
        }
        expect(pair.of(0).links(pair.other(0))).to.have.length.above(0)
        expect(pair.of(1).links(pair.other(1))).to.have.length.above(0)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a process that is linked again before the end of the link before was noticed', () => {
  const node = newProcessId()
  const us = { kind: 'worker', node, process: newProcessId() } as const
  const them = newProcessId()
  let told: string[]
  let dialer: ProcessDialer

  beforeEach(() => {
    told = []
    let links = 0
    dialer = new ProcessDialer({
      ...{ self: us, token: 'unused', clock: systemClock, runFolder: undefined },
      home: () => ({ unix: '/nowhere' }),
      homeLink: () => Promise.reject(new Error('unused')),
      findNode: () => Promise.resolve(undefined),
      onLink: (link) => {
        const name = `link ${++links}`
        told.push(`${name} stands`)
        link.onMessage = (message) => told.push(`${name} says ${String(message[1])}`)
        return () => told.push(`${name} is over`)
      },
    })
  })

  /** A link that they have dialled, and their end of it. */
  const comes = (ended: number, kind: 'worker' | 'node' = 'worker'): { ours: Link; theirs: Link } => {
    const from = { kind, node, process: them, info: ended === 0 ? {} : { ended } }
    const [theirs, ours] = memoryPair(peerHello(from), peerHello(us))
    dialer.adopt(ours)
    return { ours, theirs }
  }
  const turns = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => void setImmediate(resolve))
  }

  it('is heard over the new link only after the end of the old one was told, and is not lost by that', async () => {
    const first = comes(0)
    const second = comes(1)
    expect(told).deep.equal(['link 1 stands', 'link 1 is over', 'link 2 stands'])
    first.theirs.send([1, 'too late'] as never)
    first.theirs.flush()
    second.theirs.send([1, 'hello'] as never)
    second.theirs.flush()
    await turns()
    expect(told.slice(3)).deep.equal(['link 2 says hello'])
    expect([first.ours.closed, second.ours.closed]).deep.equal([true, false])
    dialer.close(new Error('the test ends'))
    await turns()
  })

  it('is refused while it means a session that is over', async () => {
    const first = comes(0)
    first.theirs.close()
    await turns()
    expect(told).deep.equal(['link 1 stands', 'link 1 is over'])
    const stale = comes(0)
    await turns()
    expect(stale.theirs.closed).equal(true)
    expect(told).to.have.length(2)
    const next = comes(1)
    expect(told.at(-1)).equal('link 2 stands')
    expect(next.ours.closed).equal(false)
    dialer.close(new Error('the test ends'))
    await turns()
  })

  it('is heard again and again, where it is a node manager, which counts nothing', async () => {
    for (let round = 1; round <= 2; round++) {
      const link = comes(0, 'node')
      expect(told.at(-1)).equal(`link ${round} stands`)
      link.theirs.close()
      await turns()
    }
    expect(told).to.have.length(4)
  })

  it('is over with all its links when one of them ends', async () => {
    const [first, second] = [comes(0), comes(0)]
    second.theirs.close()
    await turns()
    expect([first.ours.closed, second.ours.closed]).deep.equal([true, true])
    expect(told.toSorted()).deep.equal(['link 1 is over', 'link 1 stands', 'link 2 is over', 'link 2 stands'])
  })
})
