import { expect } from 'chai'
import fc from 'fast-check'
import { BoundedMap } from '../../../runtime/base/bounded-map.ts'

describe('BoundedMap', () => {
  it('forgets what was written longest ago, when there are too many entries', () => {
    const map = new BoundedMap<string, number>(2)
    map.set('a', 1).set('b', 2).set('a', 3)
    expect(map.get('b')).to.equal(2)
    map.set('c', 4)
    expect([...map]).to.eql([
      ['a', 3],
      ['c', 4],
    ])
  })

  it('forgets what was used longest ago, where reading renews', () => {
    const map = new BoundedMap<string, number>(2, { readingRenews: true })
    map.set('a', 1).set('b', 2)
    map.get('a')
    map.set('c', 3)
    expect([...map.keys()]).to.eql(['a', 'c'])
  })

  it('tells of what it has forgotten, and not of what was deleted or written again', () => {
    const told: unknown[] = []
    const map = new BoundedMap<string, number>(2, {
      onForgotten: (key, value) => told.push([key, value, map.has(key)]),
    })
    map.set('a', 1).set('a', 2).set('b', 3).delete('b')
    expect(told).to.eql([])
    map.set('c', 4).set('d', 5)
    expect(told).to.eql([['a', 2, false]])
  })

  it('forgets as many as it takes, when the entries are too heavy', () => {
    const map = new BoundedMap<string, number>(10, { maxWeight: 10, weightOf: (_, value) => value })
    for (const key of ['a', 'b', 'c', 'd', 'e']) map.set(key, 2)
    map.set('heavy', 7)
    expect([...map.keys()]).to.eql(['e', 'heavy'])
  })

  it('does not keep what alone is too heavy, nor what stood there before, and keeps all else', () => {
    const map = new BoundedMap<string, number>(10, { maxWeight: 10, weightOf: (_, value) => value })
    map.set('a', 4).set('b', 5).set('a', 11)
    expect([...map]).to.eql([['b', 5]])
  })

  it('makes what is not known, and keeps it', () => {
    const map = new BoundedMap<string, null | number>(2)
    expect(map.getOrMake('a', () => null)).to.equal(null)
    expect(map.getOrMake('a', () => 1)).to.equal(null)
    expect(() => map.getOrMake('b', () => raise())).to.throw('no b')
    expect(map.getOrMake('b', (key) => key.length)).to.equal(1)
  })

  it('is a plain list with the oldest first, whatever is done to it', () => {
    fc.assert(
      fc.property(maxEntries, bounds, fc.array(step, { maxLength: 120 }), (most, { renews, maxWeight }, steps) => {
        const told: Entry[] = []
        const map = new BoundedMap<number, number>(most, {
          ...(maxWeight === undefined ? {} : { maxWeight, weightOf: (_, value) => value }),
          readingRenews: renews,
          onForgotten: (key, value) => told.push([key, value]),
        })
        const model = new Model(most, maxWeight ?? Infinity, renews)
        for (const { does, key, value } of steps) {
          expect(does(map, key, value)).to.eql(does(model, key, value))
          expect([...map]).to.eql(model.entries)
          expect(told).to.eql(model.told)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('looks for the oldest from the start only once in a while, as that takes long where many have gone', () => {
    let began = 0
    class Counted extends BoundedMap<number, number> {
      override keys(): MapIterator<number> {
        began++
        return super.keys()
      }
    }
    const map = new Counted(100)
    for (let i = 0; i < 10_000; i++) map.set(i, i)
    expect(began).to.be.within(50, 200)
  })
})

type Entry = [key: number, value: number]

/** What of a map the steps use. */
interface Played {
  get(key: number): number | undefined
  set(key: number, value: number): unknown
  delete(key: number): boolean
  clear(): void
}

class Model implements Played {
  entries: Entry[] = []
  readonly told: Entry[] = []
  readonly #most: number
  readonly #maxWeight: number
  readonly #renews: boolean

  constructor(most: number, maxWeight: number, renews: boolean) {
    this.#most = most
    this.#maxWeight = maxWeight
    this.#renews = renews
  }

  get(key: number): number | undefined {
    const entry = this.entries.find(([known]) => known === key)
    if (entry !== undefined && this.#renews) {
      this.delete(key)
      this.entries.push(entry)
    }
    return entry?.[1]
  }

  set(key: number, value: number): void {
    this.delete(key)
    if (value > this.#maxWeight) return
    this.entries.push([key, value])
    const weight = (): number => this.entries.reduce((sum, [, each]) => sum + each, 0)
    while (this.entries.length > this.#most || weight() > this.#maxWeight) this.told.push(this.entries.shift() as Entry)
  }

  delete(key: number): boolean {
    const before = this.entries.length
    this.entries = this.entries.filter(([known]) => known !== key)
    return this.entries.length < before
  }

  clear(): void {
    this.entries = []
  }
}

const maxEntries = fc.integer({ min: 0, max: 12 })
const bounds = fc.record({ renews: fc.boolean(), maxWeight: fc.option(fc.nat(60), { nil: undefined }) })
const step = fc.record({
  does: fc.oneof(
    { weight: 40, arbitrary: fc.constant((map: Played, key: number, value: number) => void map.set(key, value)) },
    { weight: 20, arbitrary: fc.constant((map: Played, key: number) => map.get(key)) },
    { weight: 10, arbitrary: fc.constant((map: Played, key: number) => map.delete(key)) },
    { weight: 1, arbitrary: fc.constant((map: Played) => map.clear()) },
  ),
  key: fc.nat(20),
  value: fc.nat(15),
})

function raise(): never {
  throw new Error('no b')
}
