/**
 * What user code threw, on its way back. An error of a class that came here with a function goes back with its class, and
 * is of the original there: who catches it by `instanceof` does so wherever it was thrown. Of any other class it is known
 * by its name (`value-errors.ts`).
 */
import { SerializationError } from '../base/errors.ts'
import { maxErrorBytes } from '../base/limits.ts'
import { workingFolder } from '../base/working-folder.ts'
import { isCopy } from '../code/captures/origins.ts'
import { compactBytes } from '../objects/compact.ts'
import { decodeValue, encodeThrown, encodeValue, type EncodedValue, type RefCodec } from '../objects/value.ts'
import { objectRefCodec } from '../owner/object-ref.ts'
import { isExact, type CallMode } from '../owner/template.ts'
import type { Failed } from '../protocol/messages.ts'

const noRefs = (): never => {
  throw new TypeError('nobody counts the refs of an error')
}
const codec: RefCodec = { ...objectRefCodec, describe: noRefs, revive: noRefs }
/** So many errors are looked at: one, what caused it, those that it holds, and theirs. */
const mostLookedAt = 64

/** What is shown of the message, and of the stack, of an error that is too large to travel: so many characters. */
const shownOfLarge = 10_000

/** `mode`: of the call that failed. */
export function encodeFailure(error: unknown, origin: Failed[5] = 'user', mode: CallMode = 'call'): EncodedValue {
  if (origin === 'user' && isExact(mode)) return encodeExact(error)
  const encoded = encodeWhole(error)
  const sizeBytes = compactBytes(encoded)
  return sizeBytes <= maxErrorBytes ? encoded : encodeThrown(shortened(error, sizeBytes), 'error')
}

/** As it was; where it cannot be that, it fails as such a result does. */
function encodeExact(error: unknown): EncodedValue {
  try {
    const encoded = encodeValue(error, 'error', isOfACopy(error) ? codec : undefined, 'exact')
    const sizeBytes = compactBytes(encoded)
    if (sizeBytes <= maxErrorBytes) return encoded
    throw new SerializationError(`error: takes ${sizeBytes} bytes, of which at most ${maxErrorBytes} travel`)
  } catch (refusal) {
    return encodeThrown(refusal, 'error')
  }
}

function encodeWhole(error: unknown): EncodedValue {
  try {
    explainImport(error)
    if (isOfACopy(error)) return encodeValue(error, 'error', codec)
  } catch {
    // Something in it cannot travel: it arrives without that, and as what is known by name.
  }
  return encodeThrown(error, 'error')
}

/** An error of the same class, with the beginning of its message and without what hangs on it. */
function shortened(error: unknown, sizeBytes: number): Error {
  const text = `what was thrown takes ${sizeBytes} bytes, of which at most ${maxErrorBytes} travel; return large data, or put it`
  if (!(error instanceof Error)) return new Error(text)
  const { message, stack } = error
  const short = new Error(`${String(message).slice(0, shownOfLarge)} (${text})`)
  short.stack = String(stack).slice(0, shownOfLarge)
  return Object.setPrototypeOf(short, Object.getPrototypeOf(error) as object) as Error
}

/** Of an `import()` in the text of a function, whose place is not that of its module. */
function explainImport(error: unknown): void {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') return
  const [, what] = /^(Cannot find .*) imported from .*\[outpool\]$/.exec(error.message) ?? []
  if (what === undefined) return
  error.message =
    `${what}: what the text of a function imports is looked for from the working folder of its worker, ${workingFolder()}. ` +
    'Import it at the top of the module, and use that in the function: then it goes along; or install it on every node'
}

/** An error that is to be a value among others, as it would arrive if it were thrown. */
export function portable(error: unknown): unknown {
  return decodeValue(encodeFailure(error), codec)
}

/** Whether its class, or that of an error within it, is a copy of another process's. */
function isOfACopy(error: unknown): boolean {
  const found = new Set([error])
  for (const at of found) {
    if (!(at instanceof Error)) continue
    if (typeof at.constructor === 'function' && isCopy(at.constructor)) return true
    for (const inner of within(at)) if (found.size < mostLookedAt) found.add(inner)
  }
  return false
}

function within(error: Error): readonly unknown[] {
  const isMany = error instanceof AggregateError && Array.isArray(error.errors)
  return isMany ? [error.cause, ...(error.errors as unknown[])] : [error.cause]
}
