/**
 * The shims' types beside the originals': parameters and results of every export can be given to each other, and
 * programs written against the original's types compile. Compiled by consumers.test.ts as a program of its own.
 */
import type originalWorkerpool from 'workerpool'
import type * as workerpool from 'workerpool'
import type OriginalQueue from 'p-queue'
import type * as pQueue from 'p-queue'
import type originalMap from 'p-map'
import type * as pMap from 'p-map'
import type originalLimit from 'p-limit'
import type * as pLimit from 'p-limit'
import shimWorkerpool from 'outpool/workerpool'
import type * as workerpoolShim from 'outpool/workerpool'
import ShimQueue from 'outpool/p-queue'
import type * as pQueueShim from 'outpool/p-queue'
import shimMap, { pMapIterable, pMapKeyed, pMapSettled, pMapSettledKeyed, pMapSkip } from 'outpool/p-map'
import type * as pMapShim from 'outpool/p-map'
import shimLimit from 'outpool/p-limit'
import type * as pLimitShim from 'outpool/p-limit'

/** Assignable both ways. */
type Mutual<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never
type AnyFunction = (...args: never[]) => unknown
type Same<A extends AnyFunction, B extends AnyFunction> = [
  Mutual<Parameters<A>, Parameters<B>>,
  Mutual<ReturnType<A>, ReturnType<B>>,
]

export const checked: [
  ...Same<typeof workerpool.worker, typeof workerpoolShim.worker>,
  ...Same<typeof workerpool.workerEmit, typeof workerpoolShim.workerEmit>,
  ...Same<typeof workerpool.pool, typeof workerpoolShim.pool>,
  ...Same<typeof originalMap, typeof shimMap>,
  ...Same<typeof pMap.pMapIterable, typeof pMapShim.pMapIterable>,
  ...Same<typeof pMap.pMapSettled, typeof pMapShim.pMapSettled>,
  ...Same<typeof pMap.pMapKeyed, typeof pMapShim.pMapKeyed>,
  ...Same<typeof pMap.pMapSettledKeyed, typeof pMapShim.pMapSettledKeyed>,
  ...Same<typeof originalLimit, typeof shimLimit>,
] = [
  ...([true, true, true, true, true, true, true, true, true, true] as const),
  ...([true, true, true, true, true, true, true, true] as const),
]

export const classes: [
  Mutual<ConstructorParameters<typeof OriginalQueue>, ConstructorParameters<typeof ShimQueue>>,
  Mutual<InstanceType<typeof OriginalQueue>, InstanceType<typeof ShimQueue>>,
  Mutual<typeof pQueue.PriorityQueue, typeof pQueueShim.PriorityQueue>,
  Mutual<typeof pQueue.TimeoutError, typeof pQueueShim.TimeoutError>,
  Mutual<typeof workerpool.Promise, typeof workerpoolShim.Promise>,
  Mutual<typeof workerpool.TerminateError, typeof workerpoolShim.TerminateError>,
  Mutual<typeof workerpool.Transfer, typeof workerpoolShim.Transfer>,
] = [true, true, true, true, true, true, true]

export const values: [
  Mutual<typeof workerpool.platform, typeof workerpoolShim.platform>,
  Mutual<typeof workerpool.isMainThread, typeof workerpoolShim.isMainThread>,
  Mutual<typeof workerpool.cpus, typeof workerpoolShim.cpus>,
  Mutual<typeof pMap.pMapSkip, typeof pMapShim.pMapSkip>,
  Mutual<typeof pMap.pMapStop, typeof pMapShim.pMapStop>,
] = [true, true, true, true, true]

/** A program as it was before; the other import is the only change. */
export async function program(
  Queue: typeof OriginalQueue,
  map: typeof originalMap,
  limitOf: typeof originalLimit,
  pools: typeof originalWorkerpool,
): Promise<number> {
  const queue: OriginalQueue = new Queue({ concurrency: 2, autoStart: true })
  const first: number = await queue.add(() => 1, { priority: 1 })
  const limit: pLimit.LimitFunction = limitOf(2)
  const second: number = await limit((n: number) => n * 2, 3)
  const rest: number[] = await map([1, 2], async (n) => n + 1, { concurrency: 2 })
  const pool: workerpool.Pool = pools.pool('worker.js', { maxWorkers: 2 })
  const sum: number = await pool.exec((a: number, b: number) => a + b, [1, 2])
  return first + second + sum + rest.length
}
export const after: () => Promise<number> = () => program(ShimQueue, shimMap, shimLimit, shimWorkerpool)

/** Types are named by the default export of workerpool, too. */
export const named: [
  Mutual<originalWorkerpool.Pool, shimWorkerpool.Pool>,
  Mutual<originalWorkerpool.Promise<number>, shimWorkerpool.Promise<number>>,
  Mutual<originalWorkerpool.TerminateError, shimWorkerpool.TerminateError>,
  Mutual<originalWorkerpool.WorkerPoolOptions, shimWorkerpool.WorkerPoolOptions>,
  Mutual<originalWorkerpool.WorkerRegisterOptions, shimWorkerpool.WorkerRegisterOptions>,
  Mutual<originalWorkerpool.Proxy<{ add(a: number): number }>, shimWorkerpool.Proxy<{ add(a: number): number }>>,
] = [true, true, true, true, true, true]

/** Types that p-queue 10 exports are there over 9, too. */
export const queued: (queue: ShimQueue, run: pQueueShim.RunFunction) => Promise<boolean | undefined> = async (
  queue,
  run,
) => {
  await (run satisfies () => Promise<unknown>)()
  return queue.add(({ signal }: pQueueShim.TaskOptions) => signal?.aborted, { id: 'queued' })
}

/** What Outpool adds has types, too. */
export const placed: readonly unknown[] = [
  new ShimQueue({ placement: 'worker' }).add(() => 1, { placement: 'caller' }),
  shimLimit({ concurrency: 2, placement: 'auto' }),
  shimMap([1], (n) => n + 1, { concurrency: 2, placement: 'worker' }) satisfies Promise<number[]>,
  pMapIterable([1], async (n) => `${n}`, { backpressure: 2, placement: 'caller' }) satisfies AsyncIterable<string>,
  pMapSettled([1], (n) => n, { placement: 'auto' }) satisfies Promise<PromiseSettledResult<number>[]>,
  pMapKeyed({ a: 1, b: 2 }, (n) => `${n}`, { placement: 'worker' }) satisfies Promise<{ a: string; b: string }>,
  pMapKeyed(new Map([['a', 1]]), (n, key) => n > key.length, { placement: 'auto' }) satisfies Promise<
    Map<string, boolean>
  >,
  pMapSettledKeyed({ a: 1 }, async (n) => n, { concurrency: 2, placement: 'caller' }) satisfies Promise<{
    a: PromiseSettledResult<number>
  }>,
]

/** What the types of a map with keys find out is found out by the shim's: which keys may be missing, what is refused. */
export const keyed: (settledOf: typeof pMap.pMapSettledKeyed) => readonly unknown[] = (settledOf) => {
  const skipped = pMapKeyed({ a: Promise.resolve(1) }, (n) => (n > 1 ? pMapSkip : n.toFixed()), { placement: 'auto' })
  const before: typeof pMap.pMapKeyed = pMapKeyed
  const after: typeof pMapSettledKeyed = settledOf
  // @ts-expect-error Its key may be missing.
  const whole: Promise<{ a: string }> = skipped
  // @ts-expect-error A list has no keys.
  const listed = pMapKeyed([1, 2], (n) => n, { placement: 'auto' })
  // @ts-expect-error It never stops on errors.
  const stopped = pMapSettledKeyed({ a: 1 }, (n) => n, { stopOnError: true })
  // @ts-expect-error There is no such place.
  const placedAt = pMapKeyed({ a: 1 }, (n) => n, { placement: 'elsewhere' })
  return [skipped satisfies Promise<{ a?: string }>, before, after, whole, listed, stopped, placedAt]
}

/** Takes what the original's takes, and where its calls run. */
export const limited: [
  typeof pLimitShim.limitFunction extends typeof pLimit.limitFunction ? true : never,
  'placement' extends keyof Parameters<typeof pLimitShim.limitFunction>[1] ? true : never,
] = [true, true]
