/** Errors as the bytes that tables and messages hold. */
import { compact } from '../objects/compact.ts'
import { encodeThrown } from '../objects/value.ts'

export function compactError(error: unknown): Uint8Array {
  return compact(encodeThrown(error, 'error'))
}
