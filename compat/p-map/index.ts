/**
 * p-map, whose mappers run on workers where that is provably the same: the map is that of the p-map that the program has
 * installed, and a mapper that does I/O or changes what it captured runs in this process as before.
 */
import type * as original from 'p-map'
import { originalFile } from '../shared/original-package.ts'
import { shimOver, type OriginalModule, type PlacedMap } from './shim.ts'

export type { KeyedMapper, Mapper } from 'p-map'
export type { PlacedFunction, Placement } from '../shared/placer.ts'
export type { MapReport, PlacedMap } from './shim.ts'
export type Options = original.Options & PlacedMap
export type SettledOptions = original.SettledOptions & PlacedMap
export type IterableOptions = original.IterableOptions & PlacedMap

const shim: OriginalModule = shimOver(originalFile('p-map', import.meta.url))
type Input<Element> = AsyncIterable<Element | Promise<Element>> | Iterable<Element | Promise<Element>>

const pMap: <Element, NewElement>(
  input: Input<Element>,
  mapper: original.Mapper<Element, NewElement>,
  options?: Options,
) => ReturnType<typeof original.default<Element, NewElement>> = shim.default
export default pMap
export const pMapIterable: <Element, NewElement>(
  input: Input<Element>,
  mapper: original.Mapper<Element, NewElement>,
  options?: IterableOptions,
) => ReturnType<typeof original.pMapIterable<Element, NewElement>> = shim.pMapIterable
export const pMapSettled: <Element, NewElement>(
  input: Input<Element>,
  mapper: original.Mapper<Element, NewElement>,
  options?: SettledOptions,
) => ReturnType<typeof original.pMapSettled<Element, NewElement>> = shim.pMapSettled
// Their signatures need types that the original keeps to itself: they are taken out of its functions.
type AnyResult = {} | null | undefined | typeof original.pMapSkip | typeof original.pMapStop
type Keyed<Input extends object, NewValue extends AnyResult> = typeof original.pMapKeyed<Input, NewValue>
type SettledKeyed<Input extends object, NewValue extends AnyResult> = typeof original.pMapSettledKeyed<Input, NewValue>
export const pMapKeyed: <Input extends object, NewValue extends AnyResult>(
  input: Parameters<Keyed<Input, NewValue>>[0],
  mapper: Parameters<Keyed<Input, NewValue>>[1],
  options?: Options,
) => ReturnType<Keyed<Input, NewValue>> = shim.pMapKeyed
export const pMapSettledKeyed: <Input extends object, NewValue extends AnyResult>(
  input: Parameters<SettledKeyed<Input, NewValue>>[0],
  mapper: Parameters<SettledKeyed<Input, NewValue>>[1],
  options?: SettledOptions,
) => ReturnType<SettledKeyed<Input, NewValue>> = shim.pMapSettledKeyed
export const pMapSkip: typeof original.pMapSkip = shim.pMapSkip
export const pMapStop: typeof original.pMapStop = shim.pMapStop
