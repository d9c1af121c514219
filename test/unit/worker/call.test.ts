import { expect } from 'chai'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { TaskError } from '../../../runtime/base/errors.ts'
import { isThenable } from '../../../runtime/base/is-thenable.ts'
import { callFunction, type ItemResult, type MapResult } from '../../../runtime/worker/call.ts'

type Fn = (...args: unknown[]) => unknown

const half: Fn = (n) => {
  if ((n as number) % 2 !== 0) throw new RangeError(`${String(n)} is odd`)
  return (n as number) / 2
}
const halfLater: Fn = async (n) => {
  await nextTurn()
  return half(n)
}
/** Asynchronous from some item on. */
const mixed: Fn = (n) => ((n as number) > 4 ? halfLater(n) : half(n))
const kinds = { synchronous: half, asynchronous: halfLater, mixed }

describe('callFunction', () => {
  it('hands the signal of the task to a function that takes one, where its caller gave one', () => {
    const { signal } = new AbortController()
    const given = (options: unknown): unknown => options
    expect(callFunction(given, 'signal', [true], { signal })).to.deep.equal({ signal })
    expect(callFunction(given, 'signal', [false], { signal })).to.deep.equal({ signal: undefined })
  })

  it('calls with all arguments, and returns what comes, promises too', async () => {
    expect(callFunction((a, b) => [a, b], 'call', [1, [2]])).to.deep.equal([1, [2]])
    expect(await callFunction(halfLater, 'call', [4])).to.equal(2)
    expect(() => callFunction(half, 'call', [3])).to.throw(RangeError)
  })

  it('tells an error among results as one that is thrown: by the name of its class', async () => {
    class Refused extends Error {
      readonly code = 7
    }
    const refuse: Fn = () => {
      throw new Refused('no')
    }
    const { error } = (await callFunction(refuse, 'map', [[1]])) as MapResult
    expect(error).to.be.instanceOf(TaskError).and.to.include({ message: 'no', code: 7, originalName: 'Refused' })
  })

  for (const [kind, fn] of Object.entries(kinds)) {
    describe(`over items, ${kind}`, () => {
      it('map gives the values in their order', async () => {
        expect(await callFunction(fn, 'map', [[2, 4, 6, 8]])).to.deep.equal({ values: [1, 2, 3, 4], failedAt: -1 })
      })

      for (const failing of [0, 1, 3]) {
        it(`map stops at item ${failing}, which throws, and says so`, async () => {
          const items = [2, 4, 6, 8].map((item, i) => (i === failing ? item + 1 : item))
          const result = (await callFunction(fn, 'map', [items])) as MapResult
          expect(result.values).to.deep.equal([1, 2, 3, 4].slice(0, failing))
          expect(result.failedAt).to.equal(failing)
          expect(result.error).to.be.instanceOf(RangeError)
        })
      }

      it('each settles every item', async () => {
        const results = (await callFunction(fn, 'each', [[2, 3, 6, 7]])) as ItemResult[]
        expect(results.map((result) => (result.ok ? result.value : (result.error as Error).message))).to.deep.equal([
          ...[1, '3 is odd', 3, '7 is odd'],
        ])
      })

      it('starmap spreads each item', async () => {
        const add: Fn = (a, b) => fn(((a as number) + (b as number)) * 2)
        const items = [
          [1, 2],
          [3, 4],
        ]
        expect(await callFunction(add, 'starmap', [items])).to.deep.equal({ values: [3, 7], failedAt: -1 })
      })

      it('nothing comes of nothing', async () => {
        expect(await callFunction(fn, 'map', [[]])).to.deep.equal({ values: [], failedAt: -1 })
        expect(await callFunction(fn, 'each', [[]])).to.deep.equal([])
      })
    })
  }

  it('makes no promise for a synchronous map', () => {
    expect(isThenable(callFunction(half, 'map', [[2, 4]]))).to.equal(false)
  })

  it('runs one item at a time', async () => {
    let running = 0
    let most = 0
    const counts: Fn = async () => {
      most = Math.max(most, ++running)
      await nextTurn()
      running--
    }
    await callFunction(counts, 'map', [[1, 2, 3]])
    await callFunction(counts, 'each', [[1, 2, 3]])
    expect(most).to.equal(1)
  })

  it('gives each item alone, without its index', async () => {
    const count: Fn = (...args) => args.length
    expect(await callFunction(count, 'map', [['a', 'b']])).to.deep.include({ values: [1, 1] })
    expect(await callFunction(count, 'each', [['a']])).to.deep.equal([{ ok: true, value: 1 }])
  })

  it('replaces an error that cannot travel by one that can and says the same', async () => {
    const fails: Fn = () => {
      throw Object.assign(new TypeError('with a handle'), { callback: () => 1, code: 'E_KEPT' })
    }
    for (const mode of ['map', 'each'] as const) {
      const result = await callFunction(fails, mode, [[1]])
      const { error } = (mode === 'map' ? result : (result as unknown[])[0]) as { error: Error }
      expect(error).to.be.instanceOf(TypeError).and.include({ message: 'with a handle', code: 'E_KEPT' })
    }
  })

  it('takes what has a `then` for a promise, functions and objects alike', () => {
    // oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
    const having = (target: object, value: unknown): object => Object.assign(target, { then: value })
    const thenables = [
      Promise.resolve(),
      having({}, () => {}),
      having(
        () => 1,
        () => {},
      ),
    ]
    const others = [null, undefined, 5, 'then', {}, having({}, 5), () => 1]
    expect(thenables.map(isThenable)).to.deep.equal(thenables.map(() => true))
    expect(others.map(isThenable)).to.deep.equal(others.map(() => false))
  })
})
