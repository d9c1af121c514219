/**
 * The arguments of a call as bytes, taken as they are at the call:
 *
 *     u16 count | for each: u32 length, then a compact value        length 0: a ref, whose value is attached to the push
 *
 * An argument that is too large (`inline.ts`) does not stay among them: it goes into the store as an object of its own, and
 * the call gets a ref to it.
 */
import { ProtocolError } from '../base/errors.ts'
import { goesToStore } from '../objects/inline.ts'
import type { NodeId } from '../base/ids.ts'
import type { ArgumentBytes, Attachment, RefTuple } from '../protocol/messages.ts'
import { compactBytes, compactInto, decodeSmallCompact } from '../objects/compact.ts'
import { notSmall } from '../objects/value-decode.ts'
import { encodeValue, type EncodedValue, type RefCodec } from '../objects/value.ts'
import { refTupleOf } from './refs.ts'

/** Encoded arguments, and what they refer to. */
export interface EncodedArguments {
  readonly bytes: Uint8Array
  /** The arguments that are refs themselves, in order: the task waits for their values. */
  readonly awaited: readonly RefTuple[]
  /** Refs inside values: they travel as refs. */
  readonly contained: readonly RefTuple[]
}

const headerBytes = 2
const lengthBytes = 4
const maxArguments = 0xffff
const none: readonly RefTuple[] = []
const noParts: readonly (Uint8Array | Attachment)[] = []
/** Of a call without any; one for all. */
export const noArguments: EncodedArguments = { bytes: new Uint8Array(headerBytes), awaited: none, contained: none }

/** `large` stores a value that is too big to travel inline and returns the ref to it. */
export function encodeArguments(
  args: readonly unknown[],
  refs: RefCodec,
  large: (value: EncodedValue) => RefTuple,
): EncodedArguments {
  if (args.length === 0) return noArguments
  if (args.length > maxArguments)
    throw new RangeError(`a call takes at most ${maxArguments} arguments, not ${args.length}`)
  const values: (EncodedValue | undefined)[] = []
  let awaited: RefTuple[] | undefined
  let contained: RefTuple[] | undefined
  let total = headerBytes
  for (let i = 0; i < args.length; i++) {
    const argument = args[i]
    let ref = isRef(argument, refs) ? refTupleOf(refs.describe(argument)) : undefined
    let value: EncodedValue | undefined
    if (ref === undefined) {
      value = encodeValue(argument, `args[${i}]`, refs)
      if (goesToStore(compactBytes(value), total)) {
        ref = large(value)
        value = undefined
      }
    }
    if (ref !== undefined) (awaited ??= []).push(ref)
    else if (value !== undefined && value.refs.length > 0) (contained ??= []).push(...value.refs.map(refTupleOf))
    values.push(value)
    total += lengthBytes + (value === undefined ? 0 : compactBytes(value))
  }
  return { bytes: write(values, total), awaited: awaited ?? none, contained: contained ?? none }
}

/** The compact value of each argument, or of the first `atMost`; `attachments` replace those that were refs. */
export function splitArguments(
  bytes: Uint8Array,
  attachments: readonly Attachment[] | null,
  atMost: number = maxArguments,
): readonly (Uint8Array | Attachment)[] {
  if (bytes.length < headerBytes) throw new ProtocolError('the arguments of a task are cut short')
  const count = (bytes[0] as number) | ((bytes[1] as number) << 8)
  if (count === 0) return noParts
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const parts: (Uint8Array | Attachment)[] = []
  let at = headerBytes
  let attached = 0
  for (let i = 0; i < count && i < atMost; i++) {
    if (at + lengthBytes > bytes.length) throw new ProtocolError('the arguments of a task are cut short')
    const length = view.readUInt32LE(at)
    at += lengthBytes
    if (at + length > bytes.length) throw new ProtocolError('the arguments of a task are cut short')
    const attachment = length === 0 ? attachments?.[attached++] : undefined
    if (length === 0 && attachment === undefined)
      throw new ProtocolError(`argument ${i} is a ref and its value is not attached`)
    parts.push(attachment ?? view.subarray(at, at + length))
    at += length
  }
  return parts
}

/** The arguments, where each is a number, a short text or a constant: read in place. Otherwise undefined. */
export function smallArguments(bytes: Uint8Array): unknown[] | undefined {
  if (bytes.length < headerBytes) return undefined
  const count = (bytes[0] as number) | ((bytes[1] as number) << 8)
  const args: unknown[] = []
  let at = headerBytes
  for (let i = 0; i < count; i++) {
    const start = at + lengthBytes
    // Of a longer one the other three bytes are not 0.
    at = start + (bytes[start - lengthBytes] as number)
    const isShort = bytes[start - 3] === 0 && bytes[start - 2] === 0 && bytes[start - 1] === 0
    const value = isShort && at <= bytes.length ? decodeSmallCompact(bytes, start, at) : notSmall
    if (value === notSmall) return undefined
    args.push(value)
  }
  return args
}

/** The compact value of the first argument, which is none that is attached. */
export function firstArgument(bytes: Uint8Array): Uint8Array {
  const [first] = splitArguments(bytes, null, 1)
  return first as Uint8Array
}

/** How many bytes of a task's large arguments lie in the stores of which nodes; null where there are none. */
export function argumentBytesOf(attachments: readonly Attachment[]): ArgumentBytes | null {
  let sums: Map<NodeId, number> | undefined
  for (const [, value] of attachments) {
    if (value[0] !== 'stored') continue
    for (const [node, process] of value[2])
      if (node === process) (sums ??= new Map()).set(node, (sums.get(node) ?? 0) + value[1])
  }
  return sums === undefined ? null : [...sums]
}

function isRef(argument: unknown, refs: RefCodec): argument is object {
  return typeof argument === 'object' && argument !== null && refs.isRef(argument)
}

function write(values: readonly (EncodedValue | undefined)[], total: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(total)
  bytes.writeUInt16LE(values.length, 0)
  let at = headerBytes
  for (const value of values) {
    const start = at + lengthBytes
    const end = value === undefined ? start : compactInto(value, bytes, start)
    bytes.writeUInt32LE(end - start, at)
    at = end
  }
  return bytes
}
