/** Values that mean something in the program's own process alone: a call with one is for a thread of that. */
import { types } from 'node:util'
import { MessagePort } from 'node:worker_threads'
import { pathOf } from '../../lib/call-failures.ts'

/** How far into the parameters it is looked before they are encoded, which finds the rest. */
const maxDepth = 4
const maxValues = 10_000

/** What binds the call, in words; undefined when nothing does, as far as a quick look tells. */
export function boundTo(params: unknown, transfer: unknown): string | undefined {
  const moved: unknown = Array.isArray(transfer) ? transfer.find((one) => !types.isArrayBuffer(one)) : undefined
  if (typeof moved === 'object' && moved !== null) return `transfer holds a ${moved.constructor.name}`
  let left = maxValues
  const find = (value: unknown, depth: number): string | undefined => {
    if (typeof value !== 'object' || value === null || depth > maxDepth || left-- <= 0) return undefined
    if (types.isSharedArrayBuffer(value)) return 'a parameter is a SharedArrayBuffer'
    if (value instanceof MessagePort) return 'a parameter is a MessagePort'
    if (ArrayBuffer.isView(value))
      return types.isSharedArrayBuffer(value.buffer) ? 'a parameter is a view of a SharedArrayBuffer' : undefined
    if (types.isArrayBuffer(value) || types.isDate(value)) return undefined
    const below: Iterable<unknown> = Array.isArray(value)
      ? value
      : value instanceof Map || value instanceof Set
        ? value.values()
        : Object.values(value)
    for (const one of below) {
      const found = find(one, depth + 1)
      if (found !== undefined) return found
    }
    return undefined
  }
  return find(params, 0)
}

/** The same of parameters that were refused for another process: a thread of this one takes what structured clone does. */
export function boundBy(refusal: unknown, params: unknown): string | undefined {
  if (pathOf(refusal) === undefined) return undefined
  try {
    structuredClone(params)
  } catch {
    return undefined
  }
  // What could be sent instead is for whoever is refused.
  return (refusal as Error).message.split('; ', 1)[0]
}

/** A thread has the text of a function alone. */
export function boundAndCapturing(name: string, reason: string): TypeError {
  return new TypeError(
    `exec(${name || 'anonymous function'}): ${reason}; with that it would run in a thread of this process, where the ` +
      'variables that it captures are not defined. Give them to it as parameters, or make it a method of a worker script',
  )
}
