import { expect } from 'chai'
import { newProcessId } from '../../../runtime/base/ids.ts'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { neighbours, wantedPart } from '../../../runtime/cluster/reach.ts'

const nodes = (count: number): NodeId[] => Array.from({ length: count }, () => newProcessId())

describe('neighbours', () => {
  it('are all others, each once, where there are no more of them', () => {
    const ids = nodes(9)
    for (const own of ids)
      for (const turn of [0, 0.5, 0.999])
        expect(neighbours(ids, own, 8, turn)).to.have.members(ids.filter((id) => id !== own))
    expect(neighbours([], ids[0] as NodeId, 8, 0)).to.deep.equal([])
  })

  it('are as many as asked for, and each node is one of as many others', () => {
    const ids = nodes(101)
    for (const turn of [0, 0.3, 0.999]) {
      const tried = new Map<string, number>()
      for (const own of ids) {
        const chosen = neighbours(ids, own, 32, turn)
        expect(new Set(chosen)).to.have.property('size', 32)
        expect(chosen).not.to.include(own)
        for (const id of chosen) tried.set(id, (tried.get(id) ?? 0) + 1)
      }
      expect([...tried.values()]).to.deep.equal(ids.map(() => 32))
    }
  })

  it('are others at another turn', () => {
    const ids = nodes(101)
    const own = ids[0] as NodeId
    const all = new Set([0, 0.25, 0.5, 0.75].flatMap((turn) => neighbours(ids, own, 32, turn)))
    expect(all.size).to.equal(100)
  })
})

describe('wantedPart', () => {
  it('takes what is a number, within limits, and else the default', () => {
    const part = (text: string): unknown => wantedPart(new URLSearchParams(text))
    expect(part('most=32&turn=0.5')).to.deep.equal({ most: 32, turn: 0.5 })
    for (const text of ['', 'most=x&turn=1', 'most=-1&turn=-1', 'most=1e9&turn=NaN'])
      expect(part(text), text).to.deep.equal({ most: 200, turn: 0 })
  })
})
