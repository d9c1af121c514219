/**
 * Scenarios that Python's own `multiprocessing.Pool` plays in original.py and the shim plays here, under the same
 * names, with what must come out. Functions are self-contained: their text is what travels.
 */
import type * as shim from '../../../compat/multiprocessing/index.ts'
import { Gate, held } from '../gate.ts'
import { collect, readOn, outcomeOf, runs, type Outcome } from '../python.ts'

export type Multiprocessing = typeof shim
type Pool = shim.Pool
const square = (x: number): number => x * x
const add = (a: number, b: number): number => a + b
const workerOf = (_: unknown): number => process.pid
const failOnThree = (x: number): number => {
  if (x === 3) throw new Error('three')
  return x
}
/** What is given a file waits until that is there. */
const waitOrGive = async (x: number | string): Promise<number> => {
  if (typeof x === 'number') return x
  const { existsSync } = await import('node:fs')
  while (!existsSync(x)) await new Promise((resolve) => setTimeout(resolve, 5))
  return 0
}
/** The same, and then it fails. The last one makes the file, when the answers of those before it have been sent. */
const failLateOrEarly = async (x: number | readonly [kind: 'wait' | 'last', file: string]): Promise<number> => {
  if (x === 5) throw new Error('early')
  if (typeof x === 'number') return x
  const [kind, file] = x
  const { existsSync, writeFileSync } = await import('node:fs')
  if (kind === 'wait') {
    while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5))
    throw new Error('late')
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
  writeFileSync(file, '')
  return 6
}
const sleep = (seconds: number): Promise<string> =>
  new Promise((resolve) => setTimeout(() => resolve('slept'), seconds * 1000))
const setBase = (value: number): void => {
  ;(globalThis as { base?: number }).base = value
}
const plusBase = (x: number): number => x + ((globalThis as { base?: number }).base ?? 0)

const outcome = (body: () => unknown): Promise<Outcome> => outcomeOf(body, ['TimeoutError'])

const squares = (count: number): number[] => Array.from({ length: count }, (_, n) => n * n)
const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

export interface Scenario {
  readonly expected: unknown
  play(mp: Multiprocessing): Promise<unknown>
}

type PoolArguments = [
  processes?: number,
  initializer?: ((...args: never[]) => unknown) | null,
  initargs?: unknown[],
  maxtasksperchild?: number,
]

/** A pool that ends behind `body`, as `with Pool(...) as pool` does. */
async function using<R>(
  mp: Multiprocessing,
  args: PoolArguments,
  body: (pool: Pool, gate: Gate) => Promise<R> | R,
): Promise<R> {
  using gate = new Gate()
  await using pool = new mp.Pool(...args)
  return await body(pool, gate)
}

const three = { error: 'Error', message: 'three' }

export const scenarios: Readonly<Record<string, Scenario>> = {
  map: { expected: squares(10), play: (mp) => using(mp, [3], (p) => p.map(square, range(10))) },
  'map of nothing': { expected: [], play: (mp) => using(mp, [2], (p) => p.map(square, [])) },
  'map of a generator': {
    expected: squares(5),
    play: (mp) =>
      using(mp, [2], (p) =>
        p.map(
          square,
          (function* () {
            yield* range(5)
          })(),
        ),
      ),
  },
  'map, default chunks': {
    expected: Array(9).fill(2),
    play: (mp) => using(mp, [4, null, [], 1], async (p) => runs(await p.map(workerOf, range(18)))),
  },
  'map, few items': {
    expected: [1, 1, 1],
    play: (mp) => using(mp, [4, null, [], 1], async (p) => runs(await p.map(workerOf, range(3)))),
  },
  'map, chunks of five': {
    expected: [5, 5, 2],
    play: (mp) => using(mp, [2, null, [], 1], async (p) => runs(await p.map(workerOf, range(12), 5))),
  },
  'map, an error': {
    expected: three,
    play: (mp) => using(mp, [2], (p) => outcome(() => p.map(failOnThree, range(6), 1))),
  },
  'map, the first error that came': {
    expected: { error: 'Error', message: 'early' },
    play: (mp) =>
      using(mp, [2], (p, gate) => {
        const items = [['wait', gate.file] as const, 1, 2, 3, 4, 5, ['last', gate.file] as const]
        return outcome(() => p.map(failLateOrEarly, items, 1))
      }),
  },
  'map goes on after an error': {
    expected: [three, [4]],
    play: (mp) => using(mp, [1], async (p) => [await outcome(() => p.map(failOnThree, [3])), await p.map(square, [2])]),
  },
  starmap: {
    expected: [3, 7],
    play: (mp) =>
      using(mp, [2], (p) =>
        p.starmap(add, [
          [1, 2],
          [3, 4],
        ] as [number, number][]),
      ),
  },
  'starmap, asynchronous': {
    expected: [3, 7],
    play: (mp) =>
      using(mp, [2], (p) =>
        p
          .starmapAsync(
            add,
            [
              [1, 2],
              [3, 4],
            ] as [number, number][],
            1,
          )
          .get(),
      ),
  },
  apply: { expected: 3, play: (mp) => using(mp, [1], (p) => p.apply(add, [1, 2])) },
  'apply without arguments': { expected: 5, play: (mp) => using(mp, [1, setBase, [4]], (p) => p.apply(plusBase, [1])) },
  'apply, an error': { expected: three, play: (mp) => using(mp, [1], (p) => outcome(() => p.apply(failOnThree, [3]))) },
  'an initializer sets what functions find': {
    expected: range(6).map((n) => n + 100),
    play: (mp) => using(mp, [3, setBase, [100]], (p) => p.map(plusBase, range(6), 1)),
  },
  'maxtasksperchild counts chunks': {
    expected: [4, 4, 2],
    play: (mp) => using(mp, [1, null, [], 2], async (p) => runs(await p.map(workerOf, range(10), 2))),
  },
  imap: { expected: squares(20), play: (mp) => using(mp, [3], (p) => collect(p.imap(square, range(20)))) },
  'imap in chunks': {
    expected: [3, 3, 1],
    play: (mp) => using(mp, [1, null, [], 1], async (p) => runs(await collect(p.imap(workerOf, range(7), 3)))),
  },
  'imap goes on behind an error': {
    expected: [0, 1, 2, 'error: three', 4, 5],
    play: (mp) => using(mp, [2], (p) => readOn(p.imap(failOnThree, range(6)))),
  },
  'imap keeps the order': {
    expected: range(4),
    play: (mp) =>
      using(mp, [2], (p, gate) => {
        const results = p.imap(waitOrGive, [gate.file, 1, 2, 3])
        setTimeout(() => gate.open(), 100)
        return collect(results)
      }),
  },
  'imapUnordered gives what comes first': {
    expected: 0,
    play: (mp) =>
      using(mp, [2], async (p, gate) => {
        const seen: number[] = []
        for await (const value of p.imapUnordered(waitOrGive, [gate.file, 1, 2, 3]))
          if (seen.push(value) === 3) gate.open()
        return seen.at(-1)
      }),
  },
  'imapUnordered gives all': {
    expected: squares(20),
    play: (mp) =>
      using(mp, [3], async (p) => (await collect(p.imapUnordered(square, range(20), 4))).sort((a, b) => a - b)),
  },
  callbacks: {
    expected: [[1, 4], 'three'],
    play: (mp) =>
      using(mp, [2], async (p) => {
        const seen: unknown[] = []
        const failed = (error: unknown): number => seen.push((error as Error).message)
        await p.mapAsync(square, [1, 2], null, (value) => seen.push(value), failed).wait()
        await p.applyAsync(failOnThree, [3], {}, (value) => seen.push(value), failed).wait()
        return seen
      }),
  },
  states: {
    expected: [false, 'ValueError', true, true, true, false],
    play: (mp) =>
      using(mp, [1], async (p) => {
        const result = p.applyAsync(sleep, [0.3])
        const ready = result.ready()
        const early = (await outcome(() => result.successful())) as { error: string }
        await result.wait()
        const failed = p.applyAsync(failOnThree, [3])
        await failed.wait()
        return [ready, early.error, result.ready(), result.successful(), failed.ready(), failed.successful()]
      }),
  },
  'after close': {
    expected: [{ error: 'ValueError', message: 'Pool not running' }, squares(6)],
    play: async (mp) => {
      const pool = new mp.Pool(2)
      const result = pool.mapAsync(square, range(6), 1)
      pool.close()
      const refused = await outcome(() => pool.map(square, [1]))
      await pool.join()
      return [refused, await result.get()]
    },
  },
  'close behind imap': {
    expected: squares(50),
    play: async (mp) => {
      const pool = new mp.Pool(2)
      const results = pool.imap(square, range(50))
      pool.close()
      await pool.join()
      return collect(results)
    },
  },
  'join while running': {
    expected: { error: 'ValueError', message: 'Pool is still running' },
    play: (mp) => using(mp, [1], (p) => outcome(() => p.join())),
  },
  timeouts: {
    expected: [{ error: 'TimeoutError' }, 'slept', { error: 'TimeoutError' }, 'slept'],
    play: (mp) =>
      using(mp, [1], async (p, gate) => {
        const result = p.applyAsync(held, [gate.file])
        const first = await outcome(() => result.get(0.05))
        gate.open()
        const value = await result.get()
        using another = new Gate()
        const slow = p.imap(held, [another.file])
        const second = await outcome(() => slow.next(0.05))
        another.open()
        return [first, value, second, (await slow.next(60)).value]
      }),
  },
  'no processes': {
    expected: { error: 'ValueError', message: 'Number of processes must be at least 1' },
    play: (mp) => outcome(() => new mp.Pool(0)),
  },
  'a useless maxtasksperchild': {
    expected: { error: 'ValueError', message: 'maxtasksperchild must be a positive int or None' },
    play: (mp) => outcome(() => new mp.Pool(1, null, [], 0)),
  },
  'an initializer that is none': {
    expected: { error: 'TypeError', message: 'initializer must be a callable' },
    play: (mp) => outcome(() => new mp.Pool(1, 3 as never)),
  },
  'a chunk size of nothing': {
    expected: 'ValueError',
    play: (mp) =>
      using(mp, [1], async (p) => ((await outcome(() => p.imap(square, [1], 0))) as { error: string }).error),
  },
}
