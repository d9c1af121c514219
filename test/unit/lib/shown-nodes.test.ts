import { expect } from 'chai'
import { shownNodes } from '../../../lib/cli/shown-nodes.ts'

describe('the nodes that outpool status and outpool nodes show', () => {
  const alive = [
    { id: 'a', state: 'alive' as const },
    { id: 'b', state: 'draining' as const },
  ]
  const dead = Array.from({ length: 112 }, (_, index) => ({ id: `dead ${index}`, state: 'dead' as const }))

  it('are all that live, and the ten that died last; it is said how many are left out', () => {
    const { nodes, lines } = shownNodes([...alive, ...dead])
    expect(nodes).to.deep.equal([...alive, ...dead.slice(-10)])
    expect(lines).to.deep.equal(['Not shown: 102 nodes that died before (--json lists all).'])
  })

  it('are all where few are dead', () => {
    const few = [...alive, ...dead.slice(0, 10)]
    expect(shownNodes(few)).to.deep.equal({ nodes: few, lines: [] })
  })
})
