import { expect } from 'chai'
import fc from 'fast-check'
import type { NodeId } from '../../../runtime/base/ids.ts'
import type { NodeRow } from '../../../runtime/protocol/messages.ts'
import { place } from '../../../runtime/scheduler/policy.ts'
import type { PlacementRequest, PlacementView } from '../../../runtime/scheduler/placement.ts'
import { fits, parseResources } from '../../../runtime/scheduler/resources.ts'
import { ClusterViewState } from '../../../runtime/scheduler/view-state.ts'

const id = (n: number): NodeId => n.toString(16).padStart(16, '0') as NodeId

function row(n: number, total: number, free: number, over: Partial<NodeRow> = {}): NodeRow {
  return {
    id: id(n),
    url: `ws://host${n}`,
    hostname: `host${n}`,
    pid: n,
    state: 'alive',
    total: parseResources({ numCpus: total }),
    available: [['CPU', free * 10_000]],
    labels: {},
    queued: 0,
    workers: 0,
    head: false,
    ...over,
  }
}

const cpus = (numCpus: number, over: Partial<PlacementRequest> = {}): PlacementRequest => ({
  resources: parseResources({ numCpus }),
  strategy: null,
  visited: [],
  ...over,
})
const view = (rows: NodeRow[], freeHere = false): PlacementView => ({ self: id(1), rows, freeHere })

describe('runtime/scheduler/policy', () => {
  it('stays here when it is free here, however free others are', () => {
    expect(place(cpus(1), view([row(1, 2, 1), row(2, 64, 64)], true))).to.deep.equal({ kind: 'here' })
  })

  it('goes to the node with the most free of what is asked', () => {
    const decision = place(cpus(1), view([row(1, 2, 0), row(2, 4, 1), row(3, 4, 3)]))
    expect(decision).to.deep.equal({ kind: 'node', node: id(3), url: 'ws://host3' })
  })

  it('breaks ties by waiting requests, then workers, then id', () => {
    const tied = (a: Partial<NodeRow>, b: Partial<NodeRow>): unknown =>
      place(cpus(1), view([row(1, 1, 0), row(2, 4, 2, a), row(3, 4, 2, b)]))
    expect(tied({ queued: 2 }, { queued: 1 })).to.include({ node: id(3) })
    expect(tied({ workers: 1 }, { workers: 3 })).to.include({ node: id(2) })
    expect(tied({}, {})).to.include({ node: id(2) })
  })

  it('goes to the free node that has most of the bytes of its arguments, even when it is free here', () => {
    const rows = [row(1, 4, 4), row(2, 4, 1), row(3, 4, 4), row(4, 4, 0)]
    const bytes = (...of: [number, number][]): Partial<PlacementRequest> => ({
      argumentBytes: of.map(([node, count]) => [id(node), count] as const),
    })
    const where = (over: Partial<PlacementRequest>, freeHere = true): unknown =>
      place(cpus(1, over), view(rows, freeHere))
    expect(where(bytes([2, 5e6], [3, 4e6]))).to.include({ node: id(2) })
    expect(where(bytes([2, 5e6], [1, 5e6]))).to.deep.equal({ kind: 'here' })
    expect(where(bytes([2, 5e6], [1, 4e6]))).to.include({ node: id(2) })
    // Not to one that is busy, too small, dead, or was asked before.
    expect(where(bytes([4, 9e6], [1, 1]))).to.deep.equal({ kind: 'here' })
    expect(where({ ...bytes([2, 9e6]), visited: [id(2)] })).to.deep.equal({ kind: 'here' })
    expect(where(bytes([4, 9e6], [7, 9e6]))).to.deep.equal({ kind: 'here' })
    expect(where(bytes([4, 9e6], [2, 1]), false)).to.include({ node: id(2) })
    // Where nobody who is free has any, as without arguments.
    expect(where(bytes([4, 9e6]), false)).to.include({ node: id(3) })
  })

  it('says later, not never, when somebody could but nobody can now', () => {
    expect(place(cpus(2), view([row(1, 2, 0), row(2, 1, 1)]))).to.deep.equal({ kind: 'later', here: true, nodes: [] })
    expect(place(cpus(4), view([row(1, 2, 0), row(2, 4, 1)]))).to.deep.equal({
      kind: 'later',
      here: false,
      nodes: [id(2)],
    })
  })

  it('says never, with what was asked and what each node has, when nobody has that much', () => {
    const decision = place(cpus(999), view([row(1, 2, 2), row(2, 4, 4)]))
    expect(decision.kind).to.equal('never')
    expect(decision).to.have.property('text').that.includes('CPU: 999').and.includes('CPU: 4').and.includes(id(1))
    const unicorn = place(
      { ...cpus(1), resources: parseResources({ resources: { unicorn: 1 } }) },
      view([row(1, 2, 2)]),
    )
    expect(unicorn).to.have.property('text').that.includes('no node has unicorn: 1')
    expect(unicorn)
      .to.have.property('text')
      .that.includes(`outpool start ... --resources '{"unicorn":1}'`)
      .and.includes('init({ resources: {"unicorn":1} })')
    const asked = parseResources({ numCpus: 8, numGpus: 0.5, memory: '2GiB' })
    const much = place({ ...cpus(1), resources: asked }, view([row(1, 2, 2)]))
    expect(much)
      .to.have.property('text')
      .that.includes('--num-cpus 8 --num-gpus 0.5 --memory 2147483648 ')
      .and.includes('init({ numCpus: 8, numGpus: 0.5, memory: 2147483648 })')
  })

  it('leaves out nodes that were visited, that drain or that are dead', () => {
    expect(place(cpus(1, { visited: [id(2)] }), view([row(1, 1, 0), row(2, 4, 4)])).kind).to.equal('later')
    expect(place(cpus(1), view([row(1, 1, 0), row(2, 4, 4, { state: 'draining' })]))).to.deep.include({ nodes: [] })
    expect(place(cpus(4), view([row(1, 1, 0), row(2, 4, 4, { state: 'dead' })])).kind).to.equal('never')
  })

  it('never sends a request to a node that cannot run it', () => {
    const rows = fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(rows, fc.integer({ min: 0, max: 9 }), (sizes, asked) => {
        const table = sizes.map(([total, free], index) => row(index + 1, total, Math.min(free, total)))
        const decision = place(cpus(asked), view(table))
        const feasible = table.some((entry) => fits(entry.total, cpus(asked).resources))
        expect(decision.kind === 'never').to.equal(!feasible)
        if (decision.kind !== 'node') return
        const chosen = table.find((entry) => entry.id === decision.node)
        expect(decision.node).not.to.equal(id(1))
        expect(fits(chosen?.available ?? [], cpus(asked).resources)).to.equal(true)
      }),
    )
  })
})

describe('runtime/scheduler/view-state', () => {
  it('counts a redirect against the view until that node reports', () => {
    const state = new ClusterViewState()
    state.update([row(2, 2, 2), row(1, 1, 0)])
    state.redirected(id(2), parseResources({ numCpus: 1.5 }), 0)
    expect(state.rows().map((entry) => entry.id)).to.deep.equal([id(1), id(2)])
    expect(state.row(id(2))?.available).to.deep.equal([['CPU', 5000]])
    expect(state.row(id(2))?.queued).to.equal(1)
    state.update([row(2, 2, 1)])
    expect(state.row(id(2))?.available).to.deep.equal([['CPU', 10_000]])
  })

  it('holds nodes for free of which no head has told anything for two seconds, until one tells all again', () => {
    const state = new ClusterViewState()
    state.update([row(2, 2, 0)])
    state.untold(100)
    expect([state.nextExpiryAtMs(), state.expire(2_099)]).to.deep.equal([2_100, false])
    expect(state.placingRows()).to.deep.equal(state.rows())
    expect(state.expire(2_100)).to.equal(true)
    expect(state.nextExpiryAtMs()).to.equal(Number.POSITIVE_INFINITY)
    expect(state.placingRows()[0]?.available).to.deep.equal([['CPU', 20_000]])
    // Whoever asks how it is sees what was told.
    expect(state.rows()[0]?.available).to.deep.equal([['CPU', 0]])
    state.redirected(id(2), cpus(1).resources, 2_200)
    expect(state.placingRows()[0]?.available).to.deep.equal([['CPU', 10_000]])
    state.replace([row(2, 2, 0)])
    expect([state.placingRows(), state.nextExpiryAtMs()]).to.deep.equal([state.rows(), Number.POSITIVE_INFINITY])
  })

  it('forgets no load of a head that is back within that time', () => {
    const state = new ClusterViewState()
    state.update([row(2, 2, 0)])
    state.untold(100)
    state.replace([row(2, 2, 0)])
    expect(state.expire(10_000)).to.equal(false)
    expect(state.placingRows()).to.deep.equal(state.rows())
  })

  it('gives up a guess that no report has replaced half a second after the last redirect', () => {
    const state = new ClusterViewState()
    expect(state.nextExpiryAtMs()).to.equal(Number.POSITIVE_INFINITY)
    state.update([row(2, 2, 2)])
    state.redirected(id(2), cpus(1).resources, 100)
    state.redirected(id(2), cpus(1).resources, 300)
    expect(state.nextExpiryAtMs()).to.equal(800)
    expect(state.expire(799)).to.equal(false)
    expect(state.row(id(2))?.available).to.deep.equal([['CPU', 0]])
    expect(state.expire(800)).to.equal(true)
    expect(state.row(id(2))?.available).to.deep.equal([['CPU', 20_000]])
    expect(state.expire(801)).to.equal(false)
  })

  it('spreads a burst over the nodes that were free in one view', () => {
    const state = new ClusterViewState()
    state.update([row(1, 1, 0), row(2, 2, 2), row(3, 2, 2)])
    const counts = new Map<string, number>()
    for (let i = 0; i < 6; i++) {
      const decision = place(cpus(1), view(state.rows()))
      const where = decision.kind === 'node' ? decision.node : decision.kind
      counts.set(where, (counts.get(where) ?? 0) + 1)
      if (decision.kind === 'node') state.redirected(decision.node, cpus(1).resources, 0)
    }
    expect(Object.fromEntries(counts)).to.deep.equal({ [id(2)]: 2, [id(3)]: 2, later: 2 })
  })
})
