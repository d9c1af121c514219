/** p-map with another way to run its mappers; when each may run is decided by the p-map that is extended. */
import type * as pMap from 'p-map'
import { explainSymbol } from '../../lib/explain-symbol.ts'
import { madeOver } from '../shared/original-package.ts'
import { checkPlacement, Placer, type Placement, type PlacerReport } from '../shared/placer.ts'

export type OriginalModule = typeof pMap

/** What Outpool adds to the options. */
export interface PlacedMap {
  /**
   * `'auto'` (default): a call of the mapper that is provably the same there runs on a worker, any other in this process.
   * `'worker'`, `'caller'`: all of them there.
   */
  readonly placement?: Placement | undefined
}

/** What `explain(pMap)` tells: of all calls of that function in this process. */
export interface MapReport extends PlacerReport {
  readonly kind: 'p-map'
}

type AnyOptions = { readonly signal?: AbortSignal | undefined } & PlacedMap
type AnyMapper = (...args: unknown[]) => unknown
type AnyMap = (input: unknown, mapper: AnyMapper, options?: AnyOptions | null) => unknown

/** The exports of p-map, with mappers that may run on workers. */
function shimOf(original: OriginalModule): OriginalModule {
  const shim = {
    ...original,
    default: placed(original.default as AnyMap),
    // It knows no signal.
    pMapIterable: placed(original.pMapIterable as AnyMap, false),
    pMapSettled: placed(original.pMapSettled as AnyMap),
    pMapKeyed: placed(original.pMapKeyed as AnyMap),
    pMapSettledKeyed: placed(original.pMapSettledKeyed as AnyMap),
  }
  return shim as unknown as OriginalModule
}

/** The same over the original in this file: one for each. */
export function shimOver(file: string): OriginalModule {
  return madeOver(import.meta.url, file, shimOf)
}

/** The mapper is called once. */
function isOne(input: unknown): boolean {
  return Array.isArray(input) && input.length === 1
}

function placed(original: AnyMap, takesSignal = true): AnyMap {
  const placer = new Placer('auto')
  const map: AnyMap = (input, mapper, options) => {
    const again = options === undefined ? placer.again(mapper) : undefined
    return again === undefined ? mapPlaced(input, mapper, options) : original(input, again)
  }
  const mapPlaced: AnyMap = (input, mapper, options) => {
    // What is no function, or no object, is the original's to complain of.
    if (typeof mapper !== 'function' || options === null) return original(input, mapper, options)
    if (options === undefined || (options.placement === undefined && options.signal === undefined))
      return original(input, (isOne(input) ? placer.atOnce(mapper) : undefined) ?? placer.placed(mapper), options)
    const placement = checkPlacement(options.placement, 'auto', original.name)
    const signal = takesSignal ? options.signal : undefined
    return original(input, placer.placedBy(mapper, { placement, signal }), options)
  }
  Object.defineProperties(map, {
    name: { value: original.name, configurable: true },
    length: { value: original.length, configurable: true },
    [explainSymbol]: { value: (): MapReport => ({ kind: 'p-map', ...placer.report() }) },
  })
  return map
}
