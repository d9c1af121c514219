import { expect } from 'chai'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { seededRandom } from '../../../runtime/base/random.ts'
import type { WireMessage } from '../../../runtime/protocol/frames.ts'
import { MessageType } from '../../../runtime/protocol/messages.ts'
import { ChaosLink } from '../../../runtime/transport/chaos-link.ts'
import type { ChaosState, CompiledRule } from '../../../runtime/transport/chaos-link.ts'
import { parseChaosCut, parseChaosRules } from '../../../runtime/transport/chaos-rules.ts'
import type { MessageFault } from '../../../runtime/transport/chaos-rules.ts'
import { linkChaos } from '../../../runtime/transport/chaos.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'
import { ManualClock } from '../manual-clock.ts'

interface Ends {
  readonly near: ChaosLink
  readonly far: Link
  readonly clock: ManualClock
  readonly state: { rules: readonly CompiledRule[]; readonly happened: MessageFault[] }
  readonly nearHeard: unknown[]
  readonly farHeard: unknown[]
  readonly ended: string[]
}

function rule(fault: MessageFault, more: Partial<CompiledRule> = {}): CompiledRule {
  return { fault, probability: 1, types: undefined, mostMs: 10, ...more }
}

/** A link under faults on this side of a pair in memory. */
function pair(rules: readonly CompiledRule[], peerKind: 'driver' | 'node' = 'node'): Ends {
  const [mine, theirs] = [newProcessId(), newProcessId()]
  const [raw, far] = memoryPair(
    peerHello({ kind: 'node', node: mine, process: mine }),
    peerHello({ kind: peerKind, node: theirs, process: theirs }),
  )
  const clock = new ManualClock()
  const happened: MessageFault[] = []
  const state = { clock, random: seededRandom(1), rules, happened }
  const asState: ChaosState = {
    clock,
    random: state.random,
    get rules() {
      return state.rules
    },
    happened: (fault) => void happened.push(fault),
  }
  const near = new ChaosLink(raw, asState)
  const ends: Ends = { near, far, clock, state, nearHeard: [], farHeard: [], ended: [] }
  near.onMessage = (message) => void ends.nearHeard.push(message[1] ?? message[0])
  far.onMessage = (message) => void ends.farHeard.push(message[1] ?? message[0])
  near.onClose = (reason) => void ends.ended.push(`near: ${reason.message}`)
  far.onClose = (reason) => void ends.ended.push(`far: ${reason.message}`)
  return ends
}

/** Links in memory deliver by `setImmediate`. */
async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
}

const push = (n: number): WireMessage => [MessageType.push, n]

describe('a link under faults', () => {
  it('passes everything at once and in order, where nothing goes wrong', async () => {
    const { near, far, farHeard, nearHeard } = pair([])
    for (let n = 0; n < 5; n++) {
      near.send(push(n))
      far.send(push(n))
    }
    await settle()
    expect(farHeard).deep.equal([0, 1, 2, 3, 4])
    expect(nearHeard).deep.equal([0, 1, 2, 3, 4])
  })

  it('keeps the order of what is delayed', async () => {
    const { near, clock, farHeard } = pair([rule('delay', { probability: 0.5, mostMs: 100 })])
    for (let n = 0; n < 50; n++) near.send(push(n))
    await settle()
    expect(farHeard.length).below(50)
    for (let i = 0; i < 50; i++) await clock.pass(10, settle)
    await settle()
    expect(farHeard).deep.equal(Array.from({ length: 50 }, (_, n) => n))
  })

  it('tells of what it holds as of bytes that have not left the process', async () => {
    const { near, clock, farHeard } = pair([rule('delay', { mostMs: 1_000 })])
    near.send(push(1))
    await settle()
    expect([near.bufferedBytes > 0, farHeard]).deep.equal([true, []])
    const drained = near.drained()
    await clock.pass(1_001, settle)
    await drained
    await settle()
    expect([near.bufferedBytes, farHeard]).deep.equal([0, [1]])
  })

  it('loses a message only with everything behind it, and then the link', async () => {
    const { near, far, clock, state, farHeard, nearHeard, ended } = pair([])
    near.send(push(1))
    state.rules = [rule('tear')]
    near.send(push(2))
    state.rules = []
    near.send(push(3))
    far.send(push(4))
    await settle()
    expect(farHeard).deep.equal([1])
    expect(nearHeard).deep.equal([4])
    await clock.pass(60, settle)
    await settle()
    expect(farHeard).deep.equal([1])
    expect(ended).to.have.length(2)
    expect(ended.join()).to.contain('was torn at message 32 (outpool chaos)')
  })

  it('does to a message alone only what the protocol says that it bears', async () => {
    const everything = (['drop', 'duplicate', 'reorder'] as const).map((fault) => rule(fault))
    const { near, state, clock, farHeard } = pair(everything)
    near.send(push(1))
    near.send([MessageType.ping])
    await settle()
    expect(farHeard).deep.equal([1])
    state.rules = [rule('duplicate')]
    near.send(push(2))
    near.send([MessageType.leaseReturn, 7, false])
    await settle()
    expect(farHeard).deep.equal([1, 2, 7, 7])
    state.rules = [rule('reorder')]
    near.send([MessageType.pulled, 8, ''])
    near.send(push(9))
    await clock.pass(20, settle)
    await settle()
    expect(farHeard).deep.equal([1, 2, 7, 7, 9, 8])
    expect(state.happened).deep.equal(['drop', 'duplicate', 'reorder'])
  })

  it('strikes what programs send, who inject nothing themselves, and not what other processes do', async () => {
    for (const [kind, heard] of [
      ['driver', 0],
      ['node', 1],
    ] as const) {
      const { far, nearHeard } = pair([rule('drop')], kind)
      far.send([MessageType.ping])
      await settle()
      expect(nearHeard, kind).to.have.length(heard)
    }
  })

  for (const direction of ['in', 'out'] as const)
    it(`carries nothing ${direction} while it is cut, then all of it, in order`, async () => {
      const { near, far, clock, farHeard, nearHeard } = pair([])
      near.cut({ direction, forMs: 1_000, breaks: false })
      for (let n = 0; n < 3; n++) {
        near.send(push(n))
        far.send(push(n))
      }
      await settle()
      const [through, held] = direction === 'in' ? [farHeard, nearHeard] : [nearHeard, farHeard]
      expect([through, held]).deep.equal([[0, 1, 2], []])
      await clock.pass(1_001, settle)
      await settle()
      expect(held).deep.equal([0, 1, 2])
    })

  it('breaks after a cut that was too long, with what was held', async () => {
    const { near, clock, farHeard, ended } = pair([])
    near.cut({ direction: 'out', forMs: 1_000, breaks: true })
    near.send(push(1))
    await clock.pass(1_001, settle)
    await clock.pass(60, settle)
    await settle()
    expect(farHeard).deep.equal([])
    expect(ended.join()).to.contain('was cut for too long')
  })

  it('hands out what is under way when it is closed, as a link does', async () => {
    const { near, farHeard, ended } = pair([rule('delay', { mostMs: 1_000 })])
    near.send(push(1))
    near.send(push(2))
    near.close()
    await settle()
    expect(farHeard).deep.equal([1, 2])
    expect(ended).to.have.length(2)
  })

  it('closes when its handler throws, also for a message that was held', async () => {
    const { near, far, clock, ended } = pair([rule('delay')], 'driver')
    near.onMessage = () => {
      throw new Error('no')
    }
    far.send(push(1))
    await settle()
    await clock.pass(20, settle)
    await settle()
    expect(ended.join()).to.contain('the handler of message 32')
  })
})

describe('an order to let links go wrong', () => {
  it('is refused by a process that was not started for it', () => {
    expect(() => linkChaos()).to.throw('outpool start --allow-chaos')
  })

  it('is refused by the name of what is wrong with it', () => {
    const rules = (more: object): unknown => parseChaosRules({ kind: 'rules', seed: 1, rules: [more], forMs: 1 })
    const good = { fault: 'delay', probability: 0.5, types: ['push'], mostMs: 5 }
    expect(rules(good)).to.have.property('seed', 1)
    for (const [more, text] of [
      [{ ...good, fault: 'burn' }, 'fault has to be one of'],
      [{ ...good, probability: 2 }, 'probability has to be'],
      [{ ...good, types: ['toString'] }, 'types has to be'],
      [{ ...good, mostMs: Infinity }, 'mostMs has to be'],
    ] as const)
      expect(() => rules(more)).to.throw(text)
    expect(() => parseChaosRules({ seed: 1, rules: [], forMs: -1 })).to.throw('forMs has to be')
    expect(() => parseChaosCut({ peer: 'x' })).to.throw('peer has to be')
    expect(() => parseChaosCut({ peer: newProcessId(), direction: 'both' })).to.throw('direction has to be')
  })
})
