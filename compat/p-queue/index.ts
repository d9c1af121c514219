/**
 * p-queue, whose tasks run on workers where that is provably the same: the queue is that of the p-queue (9 or 10) that
 * the program has installed, and a task that does I/O or changes what it captured runs in this process as before.
 */
import type {
  default as OriginalQueue,
  Options as OriginalOptions,
  PriorityQueue as OriginalPriorityQueue,
  Queue,
  QueueAddOptions as OriginalAddOptions,
  TimeoutError as OriginalTimeoutError,
} from 'p-queue'
import { originalFile } from '../shared/original-package.ts'
import { shimOver, type OriginalModule, type PlacedQueue, type PlacedTask } from './shim.ts'

export type { Queue } from 'p-queue'
export type { PlacedFunction, Placement } from '../shared/placer.ts'
export type { PlacedQueue, PlacedTask, QueueReport } from './shim.ts'

const shim: OriginalModule = shimOver(originalFile('p-queue', import.meta.url))

export type QueueAddOptions = OriginalAddOptions & PlacedTask
// 10 exports these two; 9 has them, and keeps them to itself.
export type RunFunction = () => Promise<unknown>
/** What a task is given. */
export type TaskOptions = Parameters<Parameters<OriginalQueue['add']>[0]>[0]
export type Options<
  QueueType extends Queue<RunFunction, QueueOptions>,
  QueueOptions extends OriginalAddOptions,
> = OriginalOptions<QueueType, QueueOptions> & PlacedQueue

type PQueueConstructor = Pick<typeof OriginalQueue, keyof typeof OriginalQueue> & {
  new <
    QueueType extends Queue<RunFunction, EnqueueOptionsType> = OriginalPriorityQueue,
    EnqueueOptionsType extends OriginalAddOptions = QueueAddOptions,
  >(
    options?: Options<QueueType, EnqueueOptionsType>,
  ): OriginalQueue<QueueType, EnqueueOptionsType>
}

/** The original's class, with `placement` among its options and those of `add`. */
type PQueue<
  QueueType extends Queue<RunFunction, EnqueueOptionsType> = OriginalPriorityQueue,
  EnqueueOptionsType extends OriginalAddOptions = QueueAddOptions,
> = OriginalQueue<QueueType, EnqueueOptionsType>
const PQueue: PQueueConstructor = shim.default
export default PQueue

export const PriorityQueue: OriginalModule['PriorityQueue'] = shim.PriorityQueue
export type PriorityQueue = OriginalPriorityQueue
export const TimeoutError: OriginalModule['TimeoutError'] = shim.TimeoutError
export type TimeoutError = OriginalTimeoutError
