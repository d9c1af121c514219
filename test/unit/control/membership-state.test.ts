import { expect } from 'chai'
import fc from 'fast-check'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { MembershipState } from '../../../runtime/control/membership-state.ts'
import type { MembershipEvent, MembershipInstruction } from '../../../runtime/control/membership-state.ts'
import type { NodeRow } from '../../../runtime/protocol/messages.ts'

const idOf = (number: number): NodeId => number.toString(16).padStart(16, '0') as NodeId
const [a, b] = [idOf(1), idOf(2)]

function row(id: NodeId, changes: Partial<NodeRow> = {}): NodeRow {
  return {
    id,
    url: `ws://127.0.0.1:${Number.parseInt(id, 16)}`,
    hostname: 'here',
    pid: 1,
    state: 'alive',
    total: [['CPU', 40000]],
    available: [['CPU', 40000]],
    labels: {},
    queued: 0,
    workers: 0,
    head: false,
    ...changes,
  }
}

/** Feeds events and keeps everything that came out. */
function member(options: ConstructorParameters<typeof MembershipState>[0] = {}): {
  state: MembershipState
  feed: (...events: MembershipEvent[]) => MembershipInstruction[]
} {
  const state = new MembershipState(options)
  return {
    state,
    feed(...events) {
      const out = events.flatMap((event) => state.handle(event))
      state.validate()
      return out
    },
  }
}

const register = (id: NodeId, link: number): MembershipEvent => ({ kind: 'register', link, requestId: 9, row: row(id) })
const lost = (link: number): MembershipEvent => ({ kind: 'linkLost', link, reason: 'reset' })
const timer = (which: 'view' | NodeId): MembershipEvent => ({ kind: 'timer', timer: which })
const load = (link: number, changes: Partial<NodeRow> = {}): MembershipEvent => {
  const { available, queued, workers, state } = row(a, changes)
  return { kind: 'load', link, report: { available, queued, workers, state } }
}
const kinds = (out: readonly MembershipInstruction[]): string[] => out.map((one) => one.kind)

describe('MembershipState', () => {
  it('saves a node before it answers the registration with all rows, then watches its heartbeat', () => {
    const { feed } = member()
    const out = feed(register(a, 1))
    expect(kinds(out)).to.deep.equal(['setTimer', 'save', 'registered', 'watchHeartbeat'])
    expect(out[2]).to.deep.include({ link: 1, requestId: 9, rows: [row(a)] })
  })

  it('tells all linked nodes at once what changed since the last view', () => {
    const { feed } = member()
    const first = feed(register(a, 1), register(b, 2), load(1, { queued: 3 }), load(1, { queued: 4 }))
    const timers = first.filter((one) => one.kind === 'setTimer')
    expect(timers).to.deep.equal([{ kind: 'setTimer', timer: 'view', delayMs: 5 }])
    expect(feed(timer('view'))).to.deep.equal([
      { kind: 'view', version: 1, rows: [row(a, { queued: 4 }), row(b)], links: [1, 2] },
    ])
    expect(feed(load(2, { workers: 1 }))).to.deep.equal([{ kind: 'setTimer', timer: 'view', delayMs: 50 }])
    expect(feed(timer('view'))).to.deep.equal([
      { kind: 'view', version: 2, rows: [row(b, { workers: 1 })], links: [1, 2] },
    ])
    expect(feed(timer('view'))).to.deep.equal([])
  })

  it('lets a node come back within the grace, as if nothing had been', () => {
    const { feed, state } = member()
    feed(register(a, 1))
    expect(feed(lost(1))).to.deep.equal([
      { kind: 'unwatchHeartbeat', node: a },
      { kind: 'setTimer', timer: a, delayMs: 2000 },
    ])
    expect(kinds(feed(register(a, 2))))
      .to.include('clearTimer')
      .and.include('registered')
    expect(feed(timer(a))).to.deep.equal([])
    expect(state.rows()[0]?.state).to.equal('alive')
  })

  const deaths: [string, MembershipEvent[], RegExp, boolean][] = [
    ['its link is gone and the grace is over', [lost(1), timer(a)], /reset.*not come back/, false],
    ['its heartbeats are missed', [{ kind: 'silent', node: a, silentMs: 5012.3 }], /nothing of it for 5012 ms/, true],
    ['it says that it leaves', [load(1, { state: 'dead' })], /stopped/, true],
  ]
  for (const [title, events, reason, told] of deaths)
    it(`declares a node dead, when ${title}`, () => {
      const { feed, state } = member()
      feed(register(a, 1), register(b, 2), timer('view'))
      const out = feed(...events)
      expect(kinds(out).slice(-3)).to.deep.equal(['save', 'nodeDown', 'setTimer'])
      expect(out.some((one) => one.kind === 'declaredDead' && one.link === 1)).to.equal(told)
      const dead = state.rows()[1]
      expect(dead).to.deep.include({ id: a, state: 'dead' })
      expect(dead?.reason).to.match(reason)
      const [view] = feed(timer('view'))
      expect(view).to.deep.equal({ kind: 'view', version: 2, rows: [dead], links: [2] })
    })

  it('refuses whatever a dead incarnation still says, on the old link and on a new one', () => {
    const { feed, state } = member()
    feed(register(a, 1), { kind: 'silent', node: a, silentMs: 5000 })
    expect(kinds(feed(load(1)))).to.deep.equal(['closeLink'])
    expect(feed(register(a, 5))).to.deep.equal([
      { kind: 'declaredDead', link: 5, node: a, reason: 'the head has heard nothing of it for 5000 ms' },
    ])
    expect(feed(lost(1), lost(5), timer(a), { kind: 'silent', node: a, silentMs: 1 })).to.deep.equal([])
    expect(state.rows().map((one) => one.state)).to.deep.equal(['dead'])
  })

  it('tells a new node of the dead ones, so that it refuses what they still send', () => {
    const { feed } = member()
    feed(register(a, 1), { kind: 'silent', node: a, silentMs: 5000 })
    const registered = feed(register(b, 2)).find((one) => one.kind === 'registered')
    expect(registered?.kind === 'registered' && registered.rows.map((one) => [one.id, one.state])).to.deep.equal([
      [b, 'alive'],
      [a, 'dead'],
    ])
  })

  it('closes the old link, when a node registers over another one, and then ignores its end', () => {
    const { feed, state } = member()
    feed(register(a, 1))
    const out = feed(register(a, 2))
    expect(out.find((one) => one.kind === 'closeLink')).to.deep.include({ link: 1 })
    expect(feed(lost(1))).to.deep.equal([])
    expect(state.nodeOf(2)).to.equal(a)
  })

  it('closes a link that reports without a registration, or registers two nodes', () => {
    const { feed } = member()
    expect(kinds(feed(load(7)))).to.deep.equal(['closeLink'])
    feed(register(a, 1))
    expect(kinds(feed(register(b, 1)))).to.deep.equal(['closeLink'])
  })

  it('gives nodes that were alive before a restart of the head time to register, and keeps the dead dead', () => {
    const state = new MembershipState()
    const out = state.restore([row(a), row(b, { state: 'dead', reason: 'fire' })])
    expect(out).to.deep.equal([{ kind: 'setTimer', timer: a, delayMs: 10000 }])
    expect(kinds(state.handle(register(b, 1)))).to.deep.equal(['declaredDead'])
    expect(kinds(state.handle(timer(a)))).to.include('nodeDown')
    state.validate()
  })

  it('declares a node dead at once, when it is away and another one has its address', () => {
    const { state, feed } = member()
    feed(register(a, 1), lost(1))
    const out = feed({ kind: 'register', link: 2, requestId: 1, row: row(b, { url: row(a).url }) })
    expect(out.filter(({ kind }) => kind === 'nodeDown')).to.have.length(1)
    expect(state.rows().find(({ id }) => id === a)?.reason).to.include(`another node manager, ${b}, has its address`)
    expect(state.rows().find(({ id }) => id === b)?.state).to.equal('alive')
  })

  it('leaves a linked node alone whose address another one claims', () => {
    const { state, feed } = member()
    feed(register(a, 1), { kind: 'register', link: 2, requestId: 1, row: row(b, { url: row(a).url }) })
    expect(state.rows().map((one) => one.state)).to.deep.equal(['alive', 'alive'])
  })

  it('remembers so many dead nodes, and forgets the oldest first, after they were told', () => {
    const { feed, state } = member({ maxDead: 2 })
    for (let i = 1; i <= 4; i++) feed(register(idOf(i), i), { kind: 'silent', node: idOf(i), silentMs: 1 })
    const out = feed(timer('view'))
    expect(kinds(out)).to.deep.equal(['forget', 'forget', 'view'])
    expect(out[2]?.kind === 'view' && out[2].rows.map((one) => one.id)).to.deep.equal([1, 2, 3, 4].map(idOf))
    expect(state.rows().map((one) => one.id)).to.deep.equal([idOf(3), idOf(4)])
  })

  it('never lets a dead node live again, tells each death once, and holds its invariants, whatever happens', () => {
    const node = fc.integer({ min: 1, max: 3 }).map(idOf)
    const link = fc.integer({ min: 1, max: 5 })
    const event: fc.Arbitrary<MembershipEvent> = fc.oneof(
      fc.tuple(node, link).map(([id, on]) => register(id, on)),
      fc
        .tuple(link, fc.constantFrom<NodeRow['state']>('alive', 'alive', 'draining', 'dead'))
        .map(([on, state]) => load(on, { state })),
      link.map(lost),
      node.map((id): MembershipEvent => ({ kind: 'silent', node: id, silentMs: 1 })),
      fc.oneof(node, fc.constant('view' as const)).map(timer),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 80 }), (events) => {
        const { feed, state } = member()
        const deaths = new Set<NodeId>()
        let pendingMs = Infinity
        for (const one of events) {
          const fired = one.kind === 'timer' && one.timer === 'view'
          if (fired) pendingMs = Infinity
          for (const out of feed(one)) {
            if (out.kind === 'nodeDown') {
              expect(deaths.has(out.node), 'a death is told once').to.equal(false)
              deaths.add(out.node)
            }
            if (out.kind === 'registered') expect(deaths.has(state.nodeOf(out.link) as NodeId)).to.equal(false)
            if (out.kind === 'setTimer' && out.timer === 'view') {
              expect(out.delayMs, 'a view timer is set anew only to fire sooner').to.be.below(pendingMs)
              pendingMs = out.delayMs
            }
          }
          for (const { id, state: phase } of state.rows()) expect(phase === 'dead').to.equal(deaths.has(id))
        }
      }),
      { numRuns: 300 },
    )
  })

  describe('whose tables were lost', () => {
    const [c, d] = [idOf(3), idOf(4)]
    const remembered = (link: number, ...rows: readonly NodeRow[]): MembershipEvent => ({
      kind: 'remembered',
      link,
      rows,
    })
    const isDead = (state: MembershipState, id: NodeId): boolean =>
      state.rows().some((one) => one.id === id && one.state === 'dead')

    it('gives those that a node knew time to come back, as after a restart, and then tells that they are dead', () => {
      const { state, feed } = member()
      feed(register(a, 1))
      const out = feed(remembered(1, row(b), row(c)))
      for (const timer of [b, c]) expect(out).to.deep.include({ kind: 'setTimer', timer, delayMs: 10_000 })
      feed(register(b, 2), timer('view'))
      expect(kinds(feed(timer(c)))).to.deep.equal(['clearTimer', 'save', 'nodeDown', 'setTimer'])
      expect([isDead(state, b), isDead(state, c)]).to.deep.equal([false, true])
    })

    it('holds for dead whom a node knew as dead, also one that has registered meanwhile', () => {
      const { state, feed } = member()
      const dead = (id: NodeId): NodeRow => row(id, { state: 'dead', reason: 'silent' })
      feed(register(a, 1), register(b, 2))
      const out = feed(remembered(1, dead(b), dead(c)))
      expect(out).to.deep.include({ kind: 'declaredDead', link: 2, node: b, reason: 'silent' })
      expect(kinds(feed(register(c, 3)))).to.deep.equal(['declaredDead'])
      expect([isDead(state, b), isDead(state, c)]).to.deep.equal([true, true])
    })

    it('does not wait for one whose address another has, nor change what it knows, nor listen to strangers', () => {
      const { state, feed } = member()
      feed(register(a, 1))
      feed(remembered(1, row(d, { url: row(a).url })))
      expect(isDead(state, d)).to.equal(true)
      expect(feed(remembered(1, row(d), row(a, { queued: 9 })))).to.deep.equal([])
      expect(kinds(feed(remembered(9, row(c))))).to.deep.equal(['closeLink'])
    })
  })
})
