import { expect } from 'chai'
import fc from 'fast-check'
import { chunksOf } from '../../../compat/shared/chunks.ts'
import { type Items, leastWords, wordsOf } from '../../../compat/shared/words.ts'
import { MapResults, type ResultKind } from '../../../compat/multiprocessing/map-results.ts'
import { callFunction } from '../../../runtime/worker/call.ts'

const special = fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 2 ** 31, -(2 ** 31), 2 ** 31 - 1, 2 ** 53, 0.1, 5e-324)
const anyNumber = fc.oneof(fc.integer(), fc.double(), special)
const many = { minLength: leastWords, maxLength: 200 }
const numbers = fc.oneof(fc.array(fc.integer(), many), fc.array(anyNumber, many))

/** As strict as there is: -0 is not 0, NaN is NaN, a hole is not undefined. */
function same(actual: readonly unknown[], expected: readonly unknown[]): void {
  expect(actual.length).to.equal(expected.length)
  for (let i = 0; i < expected.length; i++) {
    expect(Object.is(actual[i], expected[i]), `item ${i}: ${String(actual[i])}, not ${String(expected[i])}`).to.equal(
      true,
    )
    expect(i in actual).to.equal(i in expected)
  }
}

describe('words', () => {
  it('hold exactly the numbers of an array, or of an array of words', () => {
    fc.assert(
      fc.property(numbers, (items) => {
        same([...(wordsOf(items) ?? [])], items)
        const doubles = Float64Array.from(items)
        const words = wordsOf(doubles)
        doubles.fill(7)
        same([...(words ?? [])], items)
      }),
    )
  })

  it('are of 32 bits where every number is such an integer, and only there', () => {
    const integers = Array.from({ length: 20 }, (_, i) => i - 10)
    expect(wordsOf(integers)).to.be.instanceOf(Int32Array)
    for (const item of [0.5, -0, NaN, 2 ** 31]) expect(wordsOf(integers.with(9, item))).to.be.instanceOf(Float64Array)
    expect(wordsOf(Int32Array.from(integers))).to.be.instanceOf(Int32Array)
  })

  it('are not made of anything else', () => {
    const items: unknown[] = Array.from({ length: 20 }, (_, i) => i)
    for (const item of [undefined, null, '1', true, 1n, {}, new Number(1)]) {
      expect(wordsOf(items.with(7, item))).to.equal(undefined)
      expect(wordsOf(items.with(3, 0.5).with(7, item))).to.equal(undefined)
    }
    const holes = [...items]
    delete holes[5]
    const iterating = Object.assign([...items], { [Symbol.iterator]: () => [1].values() })
    const refused = [holes, iterating, new Proxy([...items], {}), items.slice(0, leastWords - 1), new Set(items)]
    for (const input of [...refused, new Float32Array(20), { length: 20 }, 'a text of many letters'])
      expect(wordsOf(input)).to.equal(undefined)
  })

  it('give what arrays give, whatever the function returns and however they are cut', async () => {
    const functions: ((x: number) => unknown)[] = [
      (x) => x,
      (x) => x * x,
      (x) => -x,
      (x) => (x > 3 ? String(x) : x),
      (x) => [x],
      (x) => (x % 3 === 0 ? Promise.resolve(x) : x),
      (x) => (x > 100 ? undefined : x | 0),
    ]
    const property = fc.asyncProperty(
      fc.oneof(numbers, fc.array(anyNumber)),
      fc.integer({ min: 1, max: 100 }),
      fc.constantFrom(...functions),
      fc.constantFrom(undefined, 'integers', 'doubles', 'values'),
      async (items, size, fn, ahead: ResultKind | undefined) => {
        const chunks = [...chunksOf(wordsOf(items) ?? items, size)]
        expect(chunks.map(({ length }) => length)).to.deep.equal([...chunksOf(items, size)].map(({ length }) => length))
        const results = new MapResults(chunks)
        if (ahead !== undefined) results.makeAhead(ahead)
        // The last chunk comes first.
        for (let i = chunks.length - 1; i >= 0; i--) {
          const answer = (await callFunction(fn as never, 'map', [chunks[i]])) as { numbers?: never; values?: never }
          results.put(i, answer.numbers ?? answer.values ?? [])
        }
        const expected: unknown[] = []
        for (const item of items) expected.push(await fn(item))
        const all = results.all()
        if (Array.isArray(expected[0])) expect(all).to.deep.equal(expected)
        else same(all, expected)
      },
    )
    await fc.assert(property)
  })

  it('give results of a kind by which the array of the next ones is made', () => {
    const kindOf = (...parts: readonly Items[]): ResultKind => {
      const results = new MapResults(parts)
      parts.forEach((part, index) => results.put(index, part))
      return results.kind
    }
    const [integers, doubles] = [Int32Array.of(1, 2), Float64Array.of(0.5)]
    expect(kindOf(integers, integers)).to.equal('integers')
    expect([kindOf(integers, doubles), kindOf(doubles, integers)]).to.deep.equal(['doubles', 'doubles'])
    expect([kindOf(['a'], doubles), kindOf(doubles, [1]), kindOf([1])]).to.deep.equal(['values', 'values', 'values'])
  })

  it('say where a function of numbers failed, with what came before', async () => {
    const fail = (x: number): number => {
      if (x === 18) throw new RangeError('18')
      return x / 2
    }
    const items = Int32Array.from({ length: 40 }, (_, i) => i)
    const answer = (await callFunction(fail as never, 'map', [items])) as { values: unknown[]; failedAt: number }
    expect(answer.failedAt).to.equal(18)
    expect(answer.values).to.deep.equal(Array.from({ length: 18 }, (_, i) => i / 2))
  })
})
