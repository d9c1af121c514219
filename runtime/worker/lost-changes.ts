/**
 * `OUTPOOL_CHECK=1`: what a function captured is compared before and after a call. A difference is a change that its
 * caller will not see.
 */
import { isThenable } from '../base/is-thenable.ts'
import { codeCodec } from '../code/captures/send-code.ts'
import { takeApart } from '../code/captures/function-parts.ts'
import { compact } from '../objects/compact.ts'
import { encodeValue, type RefCodec } from '../objects/value.ts'

export interface CheckPorts {
  readonly refCodec: RefCodec
  warn(text: string): void
}

/** Calls, and reports what it changed of the captures of `fn` when it is over. */
export function watchCaptures(fn: Function, ports: CheckPorts, call: () => unknown): unknown {
  const before = snapshot(fn, ports.refCodec)
  const compare = (): void => {
    const after = snapshot(fn, ports.refCodec)
    for (const [name, bytes] of before) {
      const now = after.get(name)
      if (now === undefined || Buffer.compare(bytes, now) === 0) continue
      ports.warn(
        `OUTPOOL_CHECK: ${fn.name || 'a function'} changed '${name}', which it captured; the change is lost when the call ends. ` +
          'Return the new value instead.',
      )
    }
  }
  let value: unknown
  try {
    value = call()
  } catch (error) {
    compare()
    throw error
  }
  if (!isThenable(value)) {
    compare()
    return value
  }
  return Promise.resolve(value).finally(compare)
}

/** Each captured variable as bytes, functions with what they captured. */
function snapshot(fn: Function, refCodec: RefCodec): ReadonlyMap<string, Uint8Array> {
  const parts = takeApart(fn)
  const found = new Map<string, Uint8Array>()
  if (typeof parts === 'string') return found
  const codec = { ...refCodec, code: codeCodec(undefined, undefined, true) }
  for (const { name, value } of parts.variables) {
    try {
      found.set(name, compact(encodeValue(value, name, codec)))
    } catch {
      // It came here and has become something that cannot be compared.
      found.set(name, new Uint8Array())
    }
  }
  return found
}
