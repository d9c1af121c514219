/** Values on their way between processes: what the rest of the runtime uses of the envelope. */
export { decodeLent, type LentWords } from './lent-words.ts'
export { decodeValue } from './value-decode.ts'
export { encodeThrown, encodeValue } from './value-encode.ts'
export { registerErrorClass } from './error-classes.ts'
export { encodedBytes, flatten, flattenInto, parse } from './value-flatten.ts'
export type { EncodedValue, RefCodec, RefDescriptor } from './value-format.ts'
