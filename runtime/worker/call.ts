/** Calling the user's function, in each of the ways in which it can meet its arguments. */
import { isThenable } from '../base/is-thenable.ts'
import type { LoadedFunction } from '../code/load.ts'
import type { RunningTask } from '../owner/current.ts'
import type { CallMode } from '../owner/template.ts'
import { packedLength } from '../objects/value-format.ts'
import { portable } from './thrown.ts'

/** Of a chunk; numbers may come as words. */
type Items = readonly unknown[] | Int32Array | Float64Array

/** What `map` and `starmap` answer: the values so far, and where it stopped. */
export interface MapResult {
  readonly values: unknown[]
  /** The item that threw, or -1. */
  readonly failedAt: number
  readonly error?: unknown
}

/** The same where all went well and every value is a number, in their order; integers as in `packNumbers`. */
export interface MappedNumbers {
  readonly numbers: Int32Array | Float64Array
}

/** What `each` answers, item by item. */
export type ItemResult =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown }

export function callFunction(
  fn: LoadedFunction,
  mode: CallMode,
  args: readonly unknown[],
  task?: Pick<RunningTask, 'signal'>,
): unknown {
  if (mode === 'call' || mode === 'exact' || mode === 'turn' || mode === 'generate') return fn(...args)
  if (mode === 'signal' || mode === 'exactSignal') return fn({ signal: args[0] === true ? task?.signal : undefined })
  const items = args[0] as Items
  if (mode === 'each') return settleEach(fn, items)
  return mapItems(mode === 'map' ? fn : (item) => fn(...(item as unknown[])), items)
}

/** Synchronous for as long as the function is: a chunk of a million numbers makes no promise. */
function mapItems(fn: LoadedFunction, items: Items): MapResult | MappedNumbers | Promise<MapResult> {
  return items.length < packedLength ? mapToValues(fn, items, []) : mapToNumbers(fn, items)
}

/** Numbers go into words as they come, ten times faster than by an array; with the first other value that ends. */
function mapToNumbers(fn: LoadedFunction, items: Items): MapResult | MappedNumbers | Promise<MapResult> {
  const { length } = items
  const words = new Float64Array(length)
  let integers = true
  for (let i = 0; i < length; i++) {
    let value: unknown
    try {
      value = fn(items[i])
    } catch (error) {
      return { values: Array.from(words.subarray(0, i)), failedAt: i, error: portable(error) }
    }
    if (typeof value !== 'number') return mapFrom(fn, items, Array.from(words.subarray(0, i)), value)
    words[i] = value
    if (integers && ((value | 0) !== value || (value === 0 && Object.is(value, -0)))) integers = false
  }
  return { numbers: integers ? new Int32Array(words) : words }
}

function mapToValues(fn: LoadedFunction, items: Items, values: unknown[]): MapResult | Promise<MapResult> {
  for (let i = values.length; i < items.length; i++) {
    let value: unknown
    try {
      value = fn(items[i])
    } catch (error) {
      return { values, failedAt: i, error: portable(error) }
    }
    if (isThenable(value)) return mapAsync(fn, items, values, value)
    values.push(value)
  }
  return { values, failedAt: -1 }
}

/** Goes on behind `value`, which is not in `values` yet. */
function mapFrom(fn: LoadedFunction, items: Items, values: unknown[], value: unknown): MapResult | Promise<MapResult> {
  if (isThenable(value)) return mapAsync(fn, items, values, value)
  values.push(value)
  return mapToValues(fn, items, values)
}

async function mapAsync(
  fn: LoadedFunction,
  items: Items,
  values: unknown[],
  pending: PromiseLike<unknown>,
): Promise<MapResult> {
  let next: unknown = pending
  for (;;) {
    try {
      values.push(await next)
      if (values.length === items.length) return { values, failedAt: -1 }
      next = fn(items[values.length])
    } catch (error) {
      return { values, failedAt: values.length, error: portable(error) }
    }
  }
}

async function settleEach(fn: LoadedFunction, items: Items): Promise<ItemResult[]> {
  const results: ItemResult[] = []
  for (const item of items) {
    try {
      const value: unknown = await fn(item)
      results.push({ ok: true, value })
    } catch (error) {
      results.push({ ok: false, error: portable(error) })
    }
  }
  return results
}
