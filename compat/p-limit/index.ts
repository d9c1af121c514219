/**
 * p-limit, whose functions run on workers where that is provably the same: the limit is that of the p-limit that the
 * program has installed, and a function that does I/O or changes what it captured runs in this process as before.
 */
import type { LimitFunction, Options as OriginalOptions } from 'p-limit'
import { originalFile } from '../shared/original-package.ts'
import { shimOver, type OriginalModule, type PlacedLimit } from './shim.ts'

export type { LimitFunction } from 'p-limit'
export type { PlacedFunction, Placement } from '../shared/placer.ts'
export type { LimitReport, PlacedLimit } from './shim.ts'
export type Options = OriginalOptions & PlacedLimit

const shim: OriginalModule = shimOver(originalFile('p-limit', import.meta.url))

const pLimit: (concurrency: number | Options) => LimitFunction = shim.default
export default pLimit
export const limitFunction: <Arguments extends unknown[], Result>(
  fn: (...args: Arguments) => PromiseLike<Result>,
  options: Options,
) => ((...args: Arguments) => Promise<Result>) & Pick<LimitFunction, 'clearQueue'> = shim.limitFunction
