import { expect } from 'chai'
import { BoundedSet } from '../../../runtime/base/bounded-set.ts'

describe('BoundedSet', () => {
  it('forgets what was added longest ago, and tells of it', () => {
    const told: string[] = []
    const set = new BoundedSet<string>(2, (value) => told.push(value))
    for (const value of ['a', 'b', 'a', 'c']) set.add(value)
    expect([...set]).to.eql(['a', 'c'])
    expect([set.has('b'), set.size, told]).to.eql([false, 2, ['b']])
  })

  it('has room again, when something was deleted', () => {
    const set = new BoundedSet<string>(2)
    for (const value of ['a', 'b']) set.add(value)
    expect([set.delete('a'), set.delete('a')]).to.eql([true, false])
    set.add('c')
    expect([...set]).to.eql(['b', 'c'])
  })
})
