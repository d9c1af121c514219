import { expect } from 'chai'
import fc from 'fast-check'
import type { NodeId } from '../../../runtime/base/ids.ts'
import type { NodeRow } from '../../../runtime/protocol/messages.ts'
import { placeReplicas, type ReplicaRequest } from '../../../runtime/scheduler/policy-replicas.ts'

const id = (n: number): NodeId => n.toString(16).padStart(16, '0') as NodeId
const row = (n: number, over: Partial<NodeRow> = {}): NodeRow => ({
  ...{ id: id(n), url: `ws://host${n}`, hostname: `host${n}`, pid: n, state: 'alive', total: [], available: [] },
  ...{ labels: {}, queued: 0, workers: 0, head: false, ...over },
})
const ask = (over: Partial<ReplicaRequest> = {}): ReplicaRequest => ({
  ...{ having: new Set<NodeId>(), except: new Set<NodeId>(), count: 1, turn: 0, ...over },
})

describe('runtime/scheduler/policy-replicas', () => {
  it('takes living nodes that have no copy and have not refused one', () => {
    const rows = [row(1), row(2, { state: 'dead' }), row(3, { state: 'draining' }), row(4), row(5)]
    const request = ask({ having: new Set([id(1)]), except: new Set([id(5)]), count: 3 })
    expect(placeReplicas(request, rows)).to.deep.equal([id(4)])
  })

  it('prefers other machines than those that have a copy, one after the other', () => {
    const rows = [row(1, { hostname: 'a' }), row(2, { hostname: 'a' }), row(3, { hostname: 'b' })]
    const more = [...rows, row(4, { hostname: 'b' }), row(5, { hostname: 'c' })]
    expect(placeReplicas(ask({ having: new Set([id(1)]) }), rows)).to.deep.equal([id(3)])
    expect(placeReplicas(ask({ having: new Set([id(1)]), count: 3 }), more)).to.deep.equal([id(3), id(5), id(2)])
  })

  it('spreads the copies of many objects evenly, as their turns go on', () => {
    const rows = [1, 2, 3, 4].map((n) => row(n))
    const times = new Map<NodeId, number>()
    for (let turn = 0; turn < 40; turn++)
      for (const node of placeReplicas(ask({ having: new Set([id(1)]), turn }), rows))
        times.set(node, (times.get(node) ?? 0) + 1)
    expect([...times.values()].sort((a, b) => a - b)).to.deep.equal([13, 13, 14])
  })

  it('chooses as many as were asked for, or all that there are, and none twice', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('alive', 'draining', 'dead'), { maxLength: 12 }),
        fc.nat(12),
        fc.nat(100),
        fc.uniqueArray(fc.nat(11)),
        (states, count, turn, having) => {
          const rows = states.map((state, n) => row(n, { state, hostname: `host${n % 3}` }))
          const has = new Set(having.map(id))
          const chosen = placeReplicas(ask({ having: has, count, turn }), rows)
          const free = rows.filter((one) => one.state === 'alive' && !has.has(one.id)).map((one) => one.id)
          expect(chosen).to.have.length(Math.min(count, free.length))
          expect(new Set(chosen).size).to.equal(chosen.length)
          for (const node of chosen) expect(free).to.include(node)
        },
      ),
    )
  })
})
