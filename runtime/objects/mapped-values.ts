/**
 * Stored bytes as values see them. A buffer of 64 KiB or more is not copied: it is a view of a private map of its object
 * (copy-on-write), made for this one read. The map goes when the last ArrayBuffer over it is collected, and only then is
 * the object's place told free: `onReleased` is called once.
 *
 * - One ArrayBuffer per buffer, of exactly its length: programs use `view.buffer`, and cloning a small view over a large
 *   ArrayBuffer copies the large one.
 * - What is registered for finalization is the ArrayBuffer: a typed array may be gone while its memory is in use.
 * - An ArrayBuffer that is moved (`transfer`, on Node 21 and later) would leave its memory to another, unregistered one:
 *   those methods copy here. In a list of things to transfer Node 20 clones these buffers, and later ones refuse them.
 * - A process may have 65,530 maps; from 30,000 on buffers are copied.
 */
import { pageBytes, type Room } from './arena-space.ts'
import type { ArenaMemory } from './arena-memory.ts'
import type { Address, NativeMemory } from './native-memory.ts'
import { emptyBuffers, outOfBandBytes, type EncodedValue } from './value-format.ts'
import { copyOf } from './value-buffers.ts'
import { parseLayout } from './value-flatten.ts'
import type { StoredObject } from './store.ts'

/** Maps that one process may have for values at the same time. */
const mostMaps = 30_000

interface Map {
  readonly native: NativeMemory
  readonly address: Address
  readonly length: number
  readonly onReleased: () => void
  /** ArrayBuffers over it that may still be in use. */
  left: number
}

/** Of all arenas of this process. */
let liveMaps = 0

const registry = new FinalizationRegistry<Map>((map) => {
  if (--map.left > 0) return
  map.native.unmap(map.address, map.length)
  liveMaps--
  map.onReleased()
})

/** Maps that values of this process hold. */
export function mappedValues(): number {
  return liveMaps
}

/**
 * The value in a room. `onReleased` is called once, when `release` was called and no ArrayBuffer of the value is in use.
 * @throws ProtocolError where the bytes are not a value.
 */
export function mapValue(
  memory: ArenaMemory,
  room: Room,
  sizeBytes: number,
  onReleased: () => void,
  limit: number = mostMaps,
): StoredObject {
  const bytes = memory.bytes({ ...room, sizeBytes })
  const { inbandOffset, inbandBytes, buffers, refs } = parseLayout(bytes, sizeBytes)
  // Held by the caller until `release`, and by the map, if there is one.
  let holds = 1
  const letGo = (): void => {
    if (--holds === 0) onReleased()
  }
  const isMapped = buffers.some(({ length }) => length >= outOfBandBytes) && liveMaps < limit
  const map = isMapped ? mapObject(memory, { ...room, sizeBytes }, letGo) : undefined
  if (map !== undefined) holds++
  const encoded: EncodedValue = {
    inband: bytes.subarray(inbandOffset, inbandOffset + inbandBytes),
    buffers:
      buffers.length === 0
        ? emptyBuffers
        : buffers.map(({ offset, length }) =>
            map !== undefined && length >= outOfBandBytes
              ? viewOf(map, offset, length)
              : new Uint8Array(copyOf(bytes.subarray(offset, offset + length))),
          ),
    refs,
  }
  let released = false
  return {
    encoded,
    sizeBytes,
    release() {
      if (released) return
      released = true
      letGo()
    },
  }
}

function mapObject(memory: ArenaMemory, room: Room, onReleased: () => void): Map | undefined {
  const length = Math.ceil(room.sizeBytes / pageBytes) * pageBytes
  try {
    const address = memory.mapPrivate({ ...room, sizeBytes: length })
    liveMaps++
    return { native: memory.native, address, length, onReleased, left: 0 }
  } catch {
    // The system allows no more maps: other libraries make some, too. Then it is copied.
    return undefined
  }
}

function viewOf(map: Map, offset: number, length: number): Uint8Array {
  const buffer = map.native.view(map.address + BigInt(offset), length)
  map.left++
  registry.register(buffer, map)
  for (const [name, value] of Object.entries(copying))
    if (name in buffer) Object.defineProperty(buffer, name, { value, configurable: true, writable: true })
  return new Uint8Array(buffer)
}

/** In the place of the methods that would take the memory from under the registry. */
const copying = {
  transfer(this: ArrayBuffer, length: number = this.byteLength): ArrayBuffer {
    const copy = new ArrayBuffer(length)
    new Uint8Array(copy).set(new Uint8Array(this, 0, Math.min(length, this.byteLength)))
    return copy
  },
  transferToFixedLength(this: ArrayBuffer, length: number = this.byteLength): ArrayBuffer {
    return copying.transfer.call(this, length)
  },
}
