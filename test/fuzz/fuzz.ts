/**
 * The fuzzer: feeds a decoder with inputs that depend on a seed and a number alone, and says which of them made it do
 * something else than return a value or throw an error of its documented class.
 *
 * Nothing is timed. What an input may cost is counted: the bytes that were allocated while it was decoded, and what
 * can be reached from the result. A hang is found by whoever runs this, who knows the input under way (`Progress`).
 */
import { getHeapStatistics } from 'node:v8'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Random } from '../../runtime/base/random.ts'
import { mutant } from './mutate.ts'

export interface Decoder {
  readonly name: string
  /** Valid inputs, the same at every call. */
  readonly samples: readonly Buffer[]
  /** A valid input that is not one of the samples. */
  readonly generate?: (random: Random) => Buffer
  /** Throws only errors for which `documented` holds. */
  readonly decode: (bytes: Buffer) => unknown
  readonly documented: (error: unknown) => boolean
}

/** What an input did wrong. */
export interface Finding {
  readonly decoder: string
  readonly seed: number
  readonly number: number
  readonly what: string
  readonly hex: string
}

export interface Tally {
  accepted: number
  refused: number
  readonly findings: Finding[]
}

/**
 * Bytes that one input may allocate: so many for each of its own, and a floor below which the engine's own habits (a
 * page of its heap more, a table that doubles) cannot be told from a decoder's.
 */
const bytesPerByte = 1024
const allocationFloor = 8 * 1024 * 1024
const shownBytes = 200

/** The input of that number. */
export function inputOf(decoder: Decoder, seed: number, number: number): Buffer {
  const random = seededRandom((seed ^ Math.imul(number + 1, 0x9e3779b1)) | 0)
  const fresh = decoder.generate !== undefined && random.next() < 0.3 ? [decoder.generate(random)] : []
  return mutant(fresh.length > 0 ? fresh : decoder.samples, random)
}

/** Decodes the inputs `from` to `to`; `onInput` is told each number before it is tried. */
export function fuzz(
  decoder: Decoder,
  seed: number,
  from: number,
  to: number,
  onInput: (number: number) => void = () => {},
): Tally {
  const tally: Tally = { accepted: 0, refused: 0, findings: [] }
  const before = fingerprint()
  for (let number = from; number < to; number++) {
    onInput(number)
    const bytes = inputOf(decoder, seed, number)
    const what = attempt(decoder, bytes, tally)
    if (what !== undefined) tally.findings.push(finding(decoder, seed, number, bytes, what))
  }
  if (fingerprint() !== before)
    tally.findings.push(finding(decoder, seed, from, Buffer.alloc(0), `changed a prototype, by input ${to} at last`))
  return tally
}

export function describeFinding({ decoder, seed, number, what, hex }: Finding): string {
  return `${decoder}: ${what}\n    again with: OUTPOOL_FUZZ=${JSON.stringify(`${decoder}:${seed}:${number}`)} npm test -- fuzz\n    bytes: ${hex}`
}

function finding(decoder: Decoder, seed: number, number: number, bytes: Buffer, what: string): Finding {
  const more = bytes.length > shownBytes ? `... ${bytes.length} bytes` : ''
  return { decoder: decoder.name, seed, number, what, hex: bytes.toString('hex', 0, shownBytes) + more }
}

function attempt(decoder: Decoder, bytes: Buffer, tally: Tally): string | undefined {
  const copy = Buffer.from(bytes)
  const allowed = allocationFloor + bytes.length * bytesPerByte
  const allocatedBefore = allocatedBytes()
  let value: unknown
  let failed = false
  let error: unknown
  try {
    value = decoder.decode(bytes)
  } catch (thrown) {
    failed = true
    error = thrown
  }
  // A collection in between makes this less than it was, never more.
  const allocated = allocatedBytes() - allocatedBefore
  if (failed) tally.refused++
  else tally.accepted++
  if (failed && !decoder.documented(error)) return `threw ${(error as Error)?.stack ?? String(error)}`
  if (allocated > allowed) return `allocated ${allocated} bytes for ${bytes.length}`
  const held = failed ? 0 : reachable(value, allowed)
  if (held > allowed) return `made a value of more than ${allowed} bytes of ${bytes.length}`
  if (!copy.equals(bytes)) return 'changed its input'
  return undefined
}

function allocatedBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  return heap + external
}

/** Roughly the bytes of what can be reached; stops above `most`. */
function reachable(value: unknown, most: number): number {
  const seen = new Set<unknown>()
  const left: unknown[] = [value]
  let bytes = 0
  while (left.length > 0 && bytes <= most) {
    const item = left.pop()
    if (typeof item === 'string') bytes += item.length * 2
    if (typeof item !== 'object' || item === null || seen.has(item)) continue
    seen.add(item)
    bytes += 64
    if (item instanceof ArrayBuffer) bytes += item.byteLength
    else if (ArrayBuffer.isView(item)) left.push(item.buffer)
    else if (item instanceof Map) for (const [key, of] of item) left.push(key, of)
    else if (item instanceof Set) left.push(...item)
    else for (const key of Reflect.ownKeys(item)) left.push(key, (item as Record<string | symbol, unknown>)[key])
  }
  return bytes
}

const watched: readonly object[] = [
  ...[Object, Array, Map, Set, Error, Function, Uint8Array, Buffer, RegExp, Date, String, Number].map(
    ({ prototype }) => prototype as object,
  ),
  globalThis,
  Object,
  Array,
]

/** Keys of what every program shares. */
function fingerprint(): string {
  return watched.map((object) => Reflect.ownKeys(object).map(String).join()).join(';')
}
