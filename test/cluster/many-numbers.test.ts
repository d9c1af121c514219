import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { init, shutdown } from 'outpool'
import { Pool } from 'outpool/multiprocessing'
import { canShare } from '../tools/native.ts'
import { usePlainWorkers } from './support.ts'

const count = 100_000
/** Chunks of so many go through the store. */
const chunksize = 30_000
const integers = Array.from({ length: count }, (_, i) => i - 1000)
const doubles = integers.map((x) => (x % 5 === 0 ? -0 : x / 7))
const factor = 3

const functions: Readonly<Record<string, (x: number) => unknown>> = {
  'the same number': (x) => x,
  'another number': (x) => x * x,
  'a number by what is captured': (x) => x * factor,
  'numbers and, late, something else': (x) => (x > 80_000 ? String(x) : x),
  'promises of numbers': async (x) => x + 1,
  'one promise that takes its time': (x) =>
    x === 50_000 ? new Promise((resolve) => setTimeout(() => resolve(x), 30)) : x,
  'objects with numbers': (x) => ({ numbers: x }),
}

/** Objects of the store that values of a worker use. */
const pinned = (): number | undefined =>
  (globalThis as never as Record<symbol, { owner: { host: { store: { pinned?: number } } } }>)[
    Symbol.for('outpool.process.1')
  ]?.owner.host.store.pinned

/** Maps of the store that values of this process use. */
function mapped(): number {
  return readFileSync('/proc/self/maps', 'utf8').match(/p [0-9a-f]+ .*outpool-arena/g)?.length ?? 0
}

describe('Pool.map over many numbers', () => {
  usePlainWorkers()
  let pool: Pool
  before(async () => {
    await init({ numCpus: 2 })
    pool = new Pool(2)
  })
  after(async () => {
    await pool.terminate()
    await shutdown()
  })

  for (const [name, fn] of Object.entries(functions)) {
    it(`gives what the function gives: ${name}`, async () => {
      for (const numbers of [integers, doubles, integers]) {
        const expected = await Promise.all(numbers.map(fn))
        const results = await pool.map(fn, numbers, chunksize)
        const isSame = (x: unknown, i: number): boolean =>
          typeof x === 'object' ? Object.is((x as { numbers: number }).numbers, numbers[i]) : Object.is(x, expected[i])
        expect(results.length).to.equal(count)
        expect(results.findIndex((x, i) => !isSame(x, i))).to.equal(-1)
      }
    })
  }

  it('fails with what the function throws, at once or later', async () => {
    const failures = [
      (x: number): number => {
        if (x === 70_000) throw new RangeError('70000')
        return x
      },
      async (x: number): Promise<number> => {
        if (x === 70_000) throw new RangeError('70000')
        return x
      },
    ]
    for (const fn of failures) {
      const error: unknown = await pool.map<number, unknown>(fn, integers, chunksize).catch((thrown: unknown) => thrown)
      expect(error).to.be.instanceOf(RangeError).with.property('message', '70000')
    }
  })

  it('keeps maps of one pool apart that run at the same time', async () => {
    const maps = await Promise.all([1, 2, 3, 4, 5].map((by) => pool.map((x) => x * by + 0.5, integers, chunksize)))
    for (const [i, results] of maps.entries())
      expect(results.every((result, at) => result === (integers[at] as number) * (i + 1) + 0.5)).to.equal(true)
  })

  if (canShare)
    it('reads them where they lie in the store: neither the program nor a worker holds any of it afterwards', async () => {
      const before = mapped()
      await pool.map((x) => x / 2, integers, chunksize)
      expect(mapped()).to.be.at.most(before)
      const inWorkers = await pool.map(pinned, [1, 2, 3, 4], 1)
      expect(inWorkers).to.deep.equal([0, 0, 0, 0])
    })
})
