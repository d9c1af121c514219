/**
 * How the captured variables of a call are written: modules that have to be there first, then the function as a value.
 *
 *     u32 length | modules as JSON | compact value
 *
 * Before the user's arguments come two of ours: `[flags, part, ...texts]` by the numbers of parts, and the bytes above
 * where they are too large for a part (`part` is 0 then).
 */
import { ProtocolError } from '../base/errors.ts'
import type { NeededModule } from '../code/captures/loaded-modules.ts'

export interface CaptureFacts {
  /** A worker may keep the function for the next call with the same captures. */
  readonly isReusable: boolean
  /** Changes of captures are to be reported. */
  readonly isChecked: boolean
}

export function captureFlags({ isReusable, isChecked }: CaptureFacts): number {
  return (isReusable ? 1 : 0) | (isChecked ? 2 : 0)
}

export function readFlags(flags: number): CaptureFacts {
  return { isReusable: (flags & 1) !== 0, isChecked: (flags & 2) !== 0 }
}

const lengthBytes = 4

export function packCaptures(modules: readonly NeededModule[], value: Uint8Array): Uint8Array {
  const head = Buffer.from(modules.length === 0 ? '' : JSON.stringify(modules))
  const bytes = new Uint8Array(lengthBytes + head.length + value.length)
  new DataView(bytes.buffer).setUint32(0, head.length, true)
  bytes.set(head, lengthBytes)
  bytes.set(value, lengthBytes + head.length)
  return bytes
}

export interface Captures {
  readonly modules: readonly NeededModule[]
  readonly value: Uint8Array
}

/** Throws ProtocolError for bytes that are none. */
export function unpackCaptures(bytes: Uint8Array): Captures {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = view.length < lengthBytes ? Infinity : lengthBytes + view.readUInt32LE(0)
  if (end > view.length) throw new ProtocolError('the captures of a call are cut short')
  const head = view.toString('utf8', lengthBytes, end)
  return { modules: head === '' ? [] : parseModules(head), value: view.subarray(end) }
}

function parseModules(text: string): readonly NeededModule[] {
  try {
    const modules: unknown = JSON.parse(text)
    if (Array.isArray(modules) && modules.every((one) => typeof (one as NeededModule | null)?.url === 'string'))
      return modules as readonly NeededModule[]
  } catch {
    // As below.
  }
  throw new ProtocolError('the captures of a call name modules in a way that is not known here')
}
