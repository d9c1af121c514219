/**
 * Scenarios that Python's own `concurrent.futures` plays in original.py and the shim plays here, under the same names,
 * with what must come out. Functions are self-contained: their text is what travels.
 */
import type * as shim from '../../../compat/executor/index.ts'
import { Gate, held } from '../gate.ts'
import { collect, readOn, outcomeOf, runs, type Outcome } from '../python.ts'

export type ExecutorModule = typeof shim
type Executor = shim.Executor
type Options = shim.ExecutorOptions
const add = (a: number, b: number): number => a + b
const square = (x: number): number => x * x
const nothing = (): null => null
const failOnThree = (x: number): number => {
  if (x === 3) throw new Error('three')
  return x
}
const workerOf = (_: unknown): number => process.pid
const sleep = (seconds: number, value: unknown = 'slept'): Promise<unknown> =>
  new Promise((resolve) => setTimeout(() => resolve(value), seconds * 1000))
const sleepAndFail = (seconds: number): Promise<never> =>
  new Promise((_, reject) => setTimeout(() => reject(new Error('late')), seconds * 1000))
const leave = (): never => process.exit(3)
const setBase = (value: number): void => {
  ;(globalThis as { base?: number }).base = value
}
const plusBase = (x: number): number => x + ((globalThis as { base?: number }).base ?? 0)
const noState = (): void => {
  throw new Error('no state today')
}

const outcome = (body: () => unknown): Promise<Outcome> =>
  outcomeOf(body, ['TimeoutError', 'CancelledError', 'BrokenProcessPool'])

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

type AnyFuture = Pick<shim.Future, 'running' | 'done' | 'cancelled'>
const flags = (future: AnyFuture): boolean[] => [future.running(), future.done(), future.cancelled()]
const sizes = (result: { done: Set<unknown>; notDone: Set<unknown> }): number[] => [
  result.done.size,
  result.notDone.size,
]
const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

export interface Scenario {
  readonly expected: unknown
  play(module: ExecutorModule): Promise<unknown>
}

/** An executor that is shut down behind `body`, as `with ProcessPoolExecutor(...)` does; the gate is open by then. */
function using(
  options: Options,
  body: (executor: Executor, module: ExecutorModule, gate: Gate) => unknown,
): Scenario['play'] {
  return async (module) => {
    using gate = new Gate()
    await using executor = new module.Executor(options)
    try {
      return await body(executor, module, gate)
    } finally {
      gate.open()
    }
  }
}

const one: Options = { maxWorkers: 1 }
const two: Options = { maxWorkers: 2 }
const three: Options = { maxWorkers: 3 }
const failure = { error: 'Error', message: 'three' }

export const scenarios: Readonly<Record<string, Scenario>> = {
  submit: { expected: 3, play: using(two, (e) => e.submit(add, 1, 2).result()) },
  'submit, nothing comes back': { expected: null, play: using(one, (e) => e.submit(nothing).result()) },
  'submit, an error': {
    expected: failure,
    play: using(one, (e) => outcome(() => e.submit(failOnThree, 3).result())),
  },
  exception: {
    expected: ['three', null],
    play: using(one, async (e) => [
      ((await e.submit(failOnThree, 3).exception()) as Error).message,
      await e.submit(add, 1, 2).exception(),
    ]),
  },
  'a worker goes on after an error': {
    expected: [failure, 9],
    play: using(one, async (e) => [
      await outcome(() => e.submit(failOnThree, 3).result()),
      await e.submit(square, 3).result(),
    ]),
  },
  states: {
    expected: [
      [false, false, false],
      [true, true],
      [false, true, true],
      [false, [true, false, false]],
      [false, true, false],
      false,
      { error: 'CancelledError' },
      { error: 'CancelledError' },
    ],
    play: using(one, async (e, _, gate) => {
      const running = e.submit(held, gate.file)
      const last = [1, 2, 3, 4].map(() => e.submit(sleep, 0.01)).at(-1)!
      const pending = flags(last)
      const cancelled = [last.cancel(), last.cancel()]
      await until(() => running.running())
      const taken = [running.cancel(), flags(running)]
      gate.open()
      await running.result()
      const ended = [flags(last), taken, flags(running), running.cancel()]
      return [pending, cancelled, ...ended, await outcome(() => last.result()), await outcome(() => last.exception())]
    }),
  },
  callbacks: {
    expected: [
      ['first', true],
      ['second', true],
      ['at once', true],
    ],
    play: using(one, async (e) => {
      const seen: unknown[] = []
      const future = e.submit(sleep, 0.1, 7)
      future.addDoneCallback((f) => seen.push(['first', f.done()]))
      const heard = console.error
      console.error = () => undefined
      try {
        future.addDoneCallback(() => {
          throw new Error('of no importance')
        })
        future.addDoneCallback((f) => seen.push(['second', f === future]))
        await future.result()
      } finally {
        console.error = heard
      }
      future.addDoneCallback((f) => seen.push(['at once', f.done()]))
      return seen
    }),
  },
  'callback of a cancelled future': {
    expected: [true, 'after'],
    play: using(one, async (e) => {
      const seen: unknown[] = []
      const blocker = e.submit(sleep, 0.3)
      const pending = [1, 2, 3, 4].map(() => e.submit(nothing)).at(-1)!
      pending.addDoneCallback((f) => seen.push(f.cancelled()))
      pending.cancel()
      seen.push('after')
      await blocker.result()
      return seen
    }),
  },
  timeouts: {
    expected: [{ error: 'TimeoutError' }, { error: 'TimeoutError' }, 'slept', null, 'slept'],
    play: using(one, async (e, _, gate) => {
      const future = e.submit(held, gate.file)
      const late = [await outcome(() => future.result(0.05)), await outcome(() => future.exception(0.05))]
      gate.open()
      return [...late, await future.result(), await future.exception(), await future.result(0)]
    }),
  },
  map: { expected: range(10).map(square), play: using(three, (e) => collect(e.map(square, range(10)))) },
  'map of nothing': { expected: [], play: using(one, (e) => collect(e.map(square, []))) },
  'map of two, up to the shorter': {
    expected: [11, 22],
    play: using(two, (e) => collect(e.map(add, [1, 2, 3], [10, 20]))),
  },
  'map of a generator': {
    expected: [0, 1, 4, 9],
    play: using(two, (e) => collect(e.map(square, range(4).values()))),
  },
  'map in chunks': {
    expected: [3, 3, 1],
    play: using({ maxWorkers: 1, maxTasksPerChild: 1 }, async (e) =>
      runs(await collect(e.map(workerOf, range(7), { chunksize: 3 }))),
    ),
  },
  'map ends at an error': {
    expected: [0, 1, 2, 'error: three'],
    play: using(two, (e) => readOn(e.map(failOnThree, range(6)))),
  },
  'map in chunks fails by the chunk': {
    expected: [0, 1, 'error: three'],
    play: using(two, (e) => readOn(e.map(failOnThree, range(6), { chunksize: 2 }))),
  },
  'map, late': {
    expected: { error: 'TimeoutError' },
    play: using(one, (e, _, gate) => outcome(() => collect(e.map(held, [gate.file], { timeout: 0.05 })))),
  },
  'map, left early': {
    expected: 0,
    play: using(one, async (e) => {
      for await (const first of e.map(sleep, Array<number>(8).fill(0.1), range(8))) return first
      return undefined
    }),
  },
  'map, a chunk size of nothing': {
    expected: { error: 'ValueError', message: 'chunksize must be >= 1.' },
    play: using(one, (e) => outcome(() => e.map(square, [1], { chunksize: 0 }))),
  },
  'wait for all': {
    expected: [5, 0],
    play: using(two, async (e, { wait }) => sizes(await wait(range(5).map((n) => e.submit(square, n))))),
  },
  'wait for nothing': { expected: [0, 0], play: using(one, async (_, { wait }) => sizes(await wait([]))) },
  'wait for the first': {
    expected: [1, 1],
    play: using(two, async (e, { wait, FIRST_COMPLETED }, gate) => {
      const pending = [e.submit(sleep, 0.02), e.submit(held, gate.file)]
      return sizes(await wait(pending, { returnWhen: FIRST_COMPLETED }))
    }),
  },
  'wait for the first exception': {
    expected: [2, 1],
    play: using(three, async (e, { wait, FIRST_EXCEPTION }, gate) => {
      const pending = [e.submit(held, gate.file), e.submit(sleep, 0.02)]
      // Workers are not equally fast: the one that fails does so behind the one that is done.
      await pending[1]!.result()
      pending.push(e.submit(sleepAndFail, 0.05))
      return sizes(await wait(pending, { returnWhen: FIRST_EXCEPTION }))
    }),
  },
  'wait: a cancelled future is no exception': {
    expected: [5, 0],
    play: using(one, async (e, { wait, FIRST_EXCEPTION }) => {
      const pending = range(5).map(() => e.submit(sleep, 0.2))
      pending.at(-1)!.cancel()
      return sizes(await wait(pending, { returnWhen: FIRST_EXCEPTION }))
    }),
  },
  'wait, for some time': {
    expected: [0, 1],
    play: using(one, async (e, { wait }, gate) => sizes(await wait([e.submit(held, gate.file)], { timeout: 0.05 }))),
  },
  'wait, a condition that does not exist': {
    expected: 'ValueError',
    play: using(one, async (e, { wait }) => {
      const asked = await outcome(() => wait([e.submit(sleep, 0.05)], { returnWhen: 'SOON' as never }))
      return 'error' in asked && asked.error
    }),
  },
  'asCompleted gives what is done first': {
    expected: ['quick', 'slow'],
    play: using(two, async (e, { asCompleted }, gate) => {
      const slow = e.submit(held, gate.file, 'slow')
      const quick = e.submit(sleep, 0.01, 'quick')
      const seen: unknown[] = []
      for await (const future of asCompleted([slow, quick, slow])) {
        seen.push(await future.result())
        gate.open()
      }
      return seen
    }),
  },
  'asCompleted, late': {
    expected: '2 (of 2) futures unfinished',
    play: using(two, async (e, { asCompleted, TimeoutError }, gate) => {
      try {
        await collect(asCompleted([e.submit(held, gate.file), e.submit(held, gate.file)], { timeout: 0.05 }))
      } catch (error) {
        if (error instanceof TimeoutError) return error.message
      }
      return 'no error'
    }),
  },
  'after shutdown': {
    expected: [{ error: 'RuntimeError', message: 'cannot schedule new futures after shutdown' }, [0, 1, 2]],
    async play({ Executor: Subject }) {
      const executor = new Subject(1)
      const given = range(3).map((n) => executor.submit(sleep, 0.05, n))
      await executor.shutdown({ wait: false })
      const refused = await outcome(() => executor.submit(nothing))
      const values = await Promise.all(given.map((future) => future.result()))
      await executor.shutdown()
      return [refused, values]
    },
  },
  'shutdown waits': {
    expected: [true, true, true],
    async play({ Executor: Subject }) {
      const executor = new Subject(1)
      const given = range(3).map(() => executor.submit(sleep, 0.05))
      await executor.shutdown()
      return given.map((future) => future.done())
    },
  },
  'shutdown cancels what waits': {
    expected: [false, 'slept', true],
    async play({ Executor: Subject }) {
      using gate = new Gate()
      const executor = new Subject(1)
      const first = executor.submit(held, gate.file)
      const last = range(6)
        .map(() => executor.submit(nothing))
        .at(-1)!
      await until(() => first.running())
      const over = executor.shutdown({ cancelFutures: true })
      gate.open()
      await over
      return [first.cancelled(), await first.result(), last.cancelled()]
    },
  },
  'an initializer sets what functions find': {
    expected: range(6).map((n) => n + 100),
    play: using({ maxWorkers: 3, initializer: setBase, initargs: [100] }, (e) => collect(e.map(plusBase, range(6)))),
  },
  'an initializer that raises': {
    expected: [{ error: 'BrokenProcessPool' }, { error: 'BrokenProcessPool' }],
    play: using({ maxWorkers: 1, initializer: noState }, async (e) => {
      const future = e.submit(nothing)
      return [await outcome(() => future.result()), await outcome(() => e.submit(nothing))]
    }),
  },
  'an initializer that is none': {
    expected: { error: 'TypeError', message: 'initializer must be a callable' },
    play: ({ Executor: Subject }) => outcome(() => new Subject({ maxWorkers: 1, initializer: 3 as never })),
  },
  'a worker that ends': {
    expected: { error: 'BrokenProcessPool' },
    play: using(one, (e) => outcome(() => e.submit(leave).result())),
  },
  'no workers': {
    expected: { error: 'ValueError', message: 'max_workers must be greater than 0' },
    play: ({ Executor: Subject }) => outcome(() => new Subject(0)),
  },
  'a useless maxTasksPerChild': {
    expected: [
      { error: 'ValueError', message: 'max_tasks_per_child must be >= 1' },
      { error: 'TypeError', message: 'max_tasks_per_child must be an integer' },
    ],
    play: async ({ Executor: Subject }) => [
      await outcome(() => new Subject({ maxWorkers: 1, maxTasksPerChild: 0 })),
      await outcome(() => new Subject({ maxWorkers: 1, maxTasksPerChild: '1' as never })),
    ],
  },
}
