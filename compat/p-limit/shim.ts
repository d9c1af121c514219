/** p-limit with another way to run its functions; when each may run is decided by the p-limit that is extended. */
import type * as pLimit from 'p-limit'
import { explainSymbol } from '../../lib/explain-symbol.ts'
import { madeOver } from '../shared/original-package.ts'
import { checkPlacement, Placer, type Placement, type PlacerReport } from '../shared/placer.ts'

export type OriginalModule = typeof pLimit

/** What Outpool adds to the options of a limit. */
export interface PlacedLimit {
  /**
   * `'auto'` (default): a call that is provably the same there runs on a worker, any other in this process. `'worker'`,
   * `'caller'`: all of them there.
   */
  readonly placement?: Placement | undefined
}

/** What `explain(limit)` tells. */
export interface LimitReport extends PlacerReport {
  readonly kind: 'p-limit'
}

type AnyFunction = (...args: unknown[]) => unknown
type Limit = ((fn: AnyFunction, ...args: unknown[]) => Promise<unknown>) & {
  map(iterable: Iterable<unknown>, fn: AnyFunction): Promise<unknown[]>
}
type AnyOptions = number | ({ readonly concurrency: number } & PlacedLimit)
type Limited = AnyFunction & { clearQueue: () => void }

/** The exports of p-limit, with limits that may run their functions on workers. */
function shimOf(original: OriginalModule): OriginalModule {
  const makeLimit = original.default as unknown as (options: AnyOptions) => Limit
  const makeLimited = original.limitFunction as unknown as (fn: AnyFunction, options: AnyOptions) => Limited
  function pLimit(options: AnyOptions): Limit {
    const placement = placementOf(options, 'pLimit')
    return placed(makeLimit(options), placement)
  }
  const shim = {
    ...original,
    default: pLimit,
    limitFunction(fn: AnyFunction, options: AnyOptions): Limited {
      const placement = placementOf(options, 'limitFunction')
      const placer = new Placer(placement)
      return explained(makeLimited(through(placer, placement, fn), options), placer)
    },
  }
  return shim as unknown as OriginalModule
}

/** The same over the original in this file: one for each. */
export function shimOver(file: string): OriginalModule {
  return madeOver(import.meta.url, file, shimOf)
}

function placementOf(options: AnyOptions, caller: string): Placement {
  return checkPlacement(typeof options === 'object' ? options?.placement : undefined, 'auto', caller)
}

function placed(original: Limit, placement: Placement): Limit {
  const placer = new Placer(placement)
  const isAuto = placement === 'auto'
  const functionFor = (fn: AnyFunction): AnyFunction =>
    isAuto && typeof fn === 'function' && placer.stays(fn) ? fn : through(placer, placement, fn)
  const limit = (fn: AnyFunction, ...args: unknown[]): Promise<unknown> =>
    original(placer.atOnce(fn) ?? functionFor(fn), ...args)
  Object.defineProperties(limit, {
    ...Object.getOwnPropertyDescriptors(original),
    map: {
      value: (iterable: Iterable<unknown>, fn: AnyFunction) => original.map(iterable, through(placer, placement, fn)),
    },
  })
  return explained(limit as Limit, placer)
}

/** What is no function is the original's to complain of. */
function through(placer: Placer, placement: Placement, fn: AnyFunction): AnyFunction {
  if (typeof fn !== 'function') return fn
  return placement === 'auto' ? placer.placed(fn) : placer.placedBy(fn, { placement })
}

function explained<T extends object>(target: T, placer: Placer): T {
  const value = (): LimitReport => ({ kind: 'p-limit', ...placer.report() })
  return Object.defineProperty(target, explainSymbol, { value })
}
