import { expect } from 'chai'
import { BoundedCache } from '../../../runtime/code/bounded-cache.ts'

describe('BoundedCache', () => {
  it('forgets the least recently used, when there are too many entries', () => {
    const cache = new BoundedCache<number>(2, 100)
    cache.set('a', 1, 1)
    cache.set('b', 2, 1)
    cache.get('a')
    cache.set('c', 3, 1)
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).to.eql([1, undefined, 3])
  })

  it('forgets as many as it takes, when the entries are too heavy', () => {
    const cache = new BoundedCache<number>(10, 10)
    for (let i = 0; i < 5; i++) cache.set(String(i), i, 2)
    cache.set('heavy', 9, 7)
    expect(cache.size).to.equal(2)
    expect([cache.get('4'), cache.get('heavy')]).to.eql([4, 9])
  })

  it('keeps nothing that is heavier than all of it', () => {
    const cache = new BoundedCache<number>(10, 10)
    cache.set('a', 1, 1)
    cache.set('b', 2, 11)
    expect([cache.get('a'), cache.get('b')]).to.eql([1, undefined])
  })

  it('counts a replaced entry once', () => {
    const cache = new BoundedCache<number>(10, 10)
    for (let i = 0; i < 100; i++) cache.set('a', i, 6)
    cache.set('b', 1, 4)
    expect([cache.get('a'), cache.get('b')]).to.eql([99, 1])
  })
})
