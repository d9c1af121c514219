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
import { type FlatLayout, parseLayout } from './value-flatten.ts'
import type { StoredObject } from './store.ts'

/** Maps that one process may have for values at the same time. */
const mostMaps = 30_000

type Part = FlatLayout['buffers'][number]

interface Map {
  readonly native: NativeMemory
  readonly address: Address
  readonly length: number
  readonly hold: Hold
  /** ArrayBuffers over it that may still be in use. */
  left: number
}

/** Of all arenas of this process. */
let liveMaps = 0

const registry = new FinalizationRegistry<Map>((map) => {
  if (--map.left > 0) return
  map.native.unmap(map.address, map.length)
  liveMaps--
  map.hold.release()
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
  return new MappedObject(memory, { ...room, sizeBytes }, onReleased, limit)
}

/** What keeps an object of the store where it is. It outlives values, in the registry, and so refers to none. */
class Hold {
  readonly #onReleased: () => void
  #count = 1

  constructor(onReleased: () => void) {
    this.#onReleased = onReleased
  }

  add(): void {
    this.#count++
  }

  release(): void {
    if (--this.#count === 0) this.#onReleased()
  }
}

class MappedObject implements StoredObject {
  readonly sizeBytes: number
  readonly #memory: ArenaMemory
  readonly #room: Room
  readonly #limit: number
  readonly #bytes: Uint8Array
  readonly #layout: FlatLayout
  /** Of the caller until `release`, and of the map, if there is one. */
  readonly #hold: Hold
  #encoded: EncodedValue | undefined
  #isReleased = false

  constructor(memory: ArenaMemory, room: Room, onReleased: () => void, limit: number) {
    this.sizeBytes = room.sizeBytes
    this.#memory = memory
    this.#room = room
    this.#limit = limit
    this.#bytes = memory.bytes(room)
    this.#layout = parseLayout(this.#bytes, room.sizeBytes)
    this.#hold = new Hold(onReleased)
  }

  /** Mapped when it is asked for: who reads what is lent needs no map. */
  get encoded(): EncodedValue {
    return (this.#encoded ??= this.#own())
  }

  get lent(): EncodedValue | undefined {
    if (!this.#isLarge) return undefined
    const { buffers, refs } = this.#layout
    return { inband: this.#inband, buffers: buffers.map((part) => this.#part(part)), refs }
  }

  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#hold.release()
  }

  #own(): EncodedValue {
    const { buffers, refs } = this.#layout
    const map = this.#isLarge && liveMaps < this.#limit ? mapObject(this.#memory, this.#room, this.#hold) : undefined
    const own = (part: Part): Uint8Array =>
      map !== undefined && part.length >= outOfBandBytes
        ? viewOf(map, part.offset, part.length)
        : new Uint8Array(copyOf(this.#part(part)))
    return { inband: this.#inband, buffers: buffers.length === 0 ? emptyBuffers : buffers.map(own), refs }
  }

  get #isLarge(): boolean {
    return this.#layout.buffers.some(({ length }) => length >= outOfBandBytes)
  }

  get #inband(): Uint8Array {
    const { inbandOffset, inbandBytes } = this.#layout
    return this.#part({ offset: inbandOffset, length: inbandBytes })
  }

  #part({ offset, length }: Part): Uint8Array {
    return this.#bytes.subarray(offset, offset + length)
  }
}

function mapObject(memory: ArenaMemory, room: Room, hold: Hold): Map | undefined {
  const length = Math.ceil(room.sizeBytes / pageBytes) * pageBytes
  try {
    const address = memory.mapPrivate({ ...room, sizeBytes: length })
    liveMaps++
    hold.add()
    return { native: memory.native, address, length, hold, left: 0 }
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
