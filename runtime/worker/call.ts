/** Calling the user's function, in each of the ways in which it can meet its arguments. */
import type { LoadedFunction } from '../code/load.ts'
import type { RunningTask } from '../owner/current.ts'
import type { CallMode } from '../owner/template.ts'
import { portable } from './thrown.ts'

/** What `map` and `starmap` answer: the values so far, and where it stopped. */
export interface MapResult {
  readonly values: unknown[]
  /** The item that threw, or -1. */
  readonly failedAt: number
  readonly error?: unknown
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
  if (mode === 'call' || mode === 'generate') return fn(...args)
  if (mode === 'signal') return fn({ signal: args[0] === true ? task?.signal : undefined })
  const items = args[0] as readonly unknown[]
  if (mode === 'each') return settleEach(fn, items)
  return mapItems(mode === 'map' ? fn : (item) => fn(...(item as unknown[])), items)
}

/** Synchronous for as long as the function is: a chunk of a million numbers makes no promise. */
function mapItems(fn: LoadedFunction, items: readonly unknown[]): MapResult | Promise<MapResult> {
  const values: unknown[] = []
  for (let i = 0; i < items.length; i++) {
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

async function mapAsync(
  fn: LoadedFunction,
  items: readonly unknown[],
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

async function settleEach(fn: LoadedFunction, items: readonly unknown[]): Promise<ItemResult[]> {
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

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return typeof (value as PromiseLike<unknown>).then === 'function'
}
