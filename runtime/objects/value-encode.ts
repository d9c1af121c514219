/** Writes a value: a number or a constant at once, any other by a walk, which is loaded with the first that needs one. */
import { numberBytes } from './encode-numbers.ts'
import { encodeWalking, type Care } from './encoder.ts'
import { emptyBuffers, emptyRefs, tag, type EncodedValue, type RefCodec } from './value-format.ts'

/** Values that need no walk are written once, a small integer when it is first met. */
const constants = {
  undefined: constant(tag.undefined),
  null: constant(tag.null),
  false: constant(tag.false),
  true: constant(tag.true),
}
const smallIntegers: EncodedValue[] = []
const smallIntegersBelow = 128

function constant(byte: number): EncodedValue {
  return Object.freeze({ inband: Uint8Array.of(byte), buffers: emptyBuffers, refs: emptyRefs })
}

/**
 * Serialises a value. `path` begins the path in a refusal: `args[0]`, `result`.
 * @throws SerializationError where something in the value cannot travel.
 */
export function encodeValue(
  value: unknown,
  path: string,
  refs?: RefCodec,
  care: Exclude<Care, 'lenient'> = 'data',
): EncodedValue {
  if (value === undefined) return constants.undefined
  if (value === null) return constants.null
  if (value === true) return constants.true
  if (value === false) return constants.false
  // Compared first: any other number would be looked up as a property by its text.
  if (typeof value === 'number' && value >>> 0 === value && value < smallIntegersBelow && !Object.is(value, -0))
    return (smallIntegers[value] ??= constant(value))
  if (typeof value === 'number') return { inband: numberBytes(value), buffers: emptyBuffers, refs: emptyRefs }
  return encodeWalking(value, path, refs, care)
}

/**
 * Serialises what user code threw, which must arrive in any case: what cannot travel with it is replaced by a text in
 * square brackets that says so.
 */
export function encodeThrown(value: unknown, path: string, refs?: RefCodec): EncodedValue {
  try {
    return encodeValue(value, path, refs)
  } catch (refusal) {
    try {
      return encodeWalking(value, path, refs, 'lenient')
    } catch {
      return encodeValue(refusal, path, refs)
    }
  }
}
