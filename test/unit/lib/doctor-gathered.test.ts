import { expect } from 'chai'
import { gathered } from '../../../lib/cli/doctor-gathered.ts'
import type { Finding } from '../../../lib/cli/doctor-machine.ts'

const of = (node: number, state: Finding['state'], advice = ''): Finding => {
  const many = { node: `n${node}`, found: 'answer', advice }
  return { check: `node n${node}`, state, found: `answers at ${node}`, advice, many }
}

describe('gathered', () => {
  it('leaves the findings of a few nodes, and those that are no node, as they are', () => {
    const alone: Finding = { check: 'node', state: 'ok', found: 'v20', advice: '' }
    const findings = [alone, of(1, 'ok'), of(2, 'ok'), alone, of(3, 'ok'), alone, alone]
    expect(gathered(findings)).to.have.deep.members(findings)
  })

  it('says once what is the same of many, with the names of some where it is a problem', () => {
    const findings = [1, 2, 3, 4, 5].flatMap((node) => [of(node, 'ok'), of(node, 'failure', 'Mend it.')])
    expect(gathered([...findings, of(6, 'failure', 'Mend that.')])).to.deep.equal([
      { check: '5 nodes', state: 'ok', found: 'answer', advice: '' },
      { check: '5 nodes (n1, n2, n3 and 2 more, see --json)', state: 'failure', found: 'answer', advice: 'Mend it.' },
      of(6, 'failure', 'Mend that.'),
    ])
  })
})
