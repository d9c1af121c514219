/**
 * p-map, whose mappers run on workers where that is provably the same: the map is that of the p-map that the program has
 * installed, and a mapper that does I/O or changes what it captured runs in this process as before.
 */
import type * as original from 'p-map'
import { originalFile } from '../shared/original-package.ts'
import { shimOver, type OriginalModule } from './shim.ts'

export type { IterableOptions, KeyedMapper, Mapper, Options, SettledOptions } from 'p-map'
export type { PlacedFunction, Placement } from '../shared/placer.ts'
export type { MapReport, PlacedMap } from './shim.ts'

const shim: OriginalModule = shimOver(originalFile('p-map', import.meta.url))

const pMap: typeof original.default = shim.default
export default pMap
export const pMapIterable: typeof original.pMapIterable = shim.pMapIterable
export const pMapSettled: typeof original.pMapSettled = shim.pMapSettled
export const pMapKeyed: typeof original.pMapKeyed = shim.pMapKeyed
export const pMapSettledKeyed: typeof original.pMapSettledKeyed = shim.pMapSettledKeyed
export const pMapSkip: typeof original.pMapSkip = shim.pMapSkip
export const pMapStop: typeof original.pMapStop = shim.pMapStop
