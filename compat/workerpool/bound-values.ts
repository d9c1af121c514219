/** Values that mean something in the program's own process alone: a call with one stays with a thread of that. Pure. */
import { types } from 'node:util'
import { MessagePort } from 'node:worker_threads'

/** How far into the parameters it is looked. */
const maxDepth = 4
const maxValues = 10_000

/** What binds the call, in words; undefined when nothing does. */
export function boundTo(params: unknown, transfer: unknown): string | undefined {
  if (Array.isArray(transfer) && transfer.some((one) => one instanceof MessagePort))
    return 'transfer holds a MessagePort'
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
