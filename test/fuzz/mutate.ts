/** Bytes that are almost right: valid samples with a few changes of the kinds that break decoders. */
import { pick, randomInteger } from '../../runtime/base/random.ts'
import type { Random } from '../../runtime/base/random.ts'

/** Lengths and counts at the edges of what decoders compute with. */
const edges: readonly number[] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff]
const mostChanges = 6
const mostGarbage = 64

type Change = (bytes: Buffer, random: Random, other: Buffer) => Buffer

const changes: readonly Change[] = [
  flipBit,
  setByte,
  setByte,
  setNumber,
  setNumber,
  cut,
  remove,
  insert,
  repeat,
  splice,
]

/** A valid sample, sometimes as it is, mostly with up to six changes; now and then bytes that never were valid. */
export function mutant(samples: readonly Buffer[], random: Random): Buffer {
  if (random.next() < 0.05) return garbage(random)
  let bytes: Buffer = Buffer.from(pick(random, samples))
  const count = randomInteger(random, mostChanges + 1)
  for (let i = 0; i < count; i++) bytes = pick(random, changes)(bytes, random, pick(random, samples))
  return bytes
}

export function garbage(random: Random, mostBytes: number = mostGarbage): Buffer {
  return Buffer.from(Array.from({ length: randomInteger(random, mostBytes + 1) }, () => randomInteger(random, 256)))
}

function flipBit(bytes: Buffer, random: Random): Buffer {
  if (bytes.length === 0) return bytes
  const at = randomInteger(random, bytes.length)
  bytes[at] = (bytes[at] as number) ^ (1 << randomInteger(random, 8))
  return bytes
}

function setByte(bytes: Buffer, random: Random): Buffer {
  if (bytes.length > 0) bytes[randomInteger(random, bytes.length)] = randomInteger(random, 256)
  return bytes
}

/** A number of 2, 4 or 6 bytes, either byte order; or one of seven bits a byte. */
function setNumber(bytes: Buffer, random: Random): Buffer {
  const size = pick(random, [2, 4, 6])
  if (bytes.length < size) return bytes
  const at = randomInteger(random, bytes.length - size + 1)
  const value = random.next() < 0.7 ? pick(random, edges) : randomInteger(random, bytes.length * 2)
  const fitting = size === 2 ? value % 0x10000 : value
  const how = random.next()
  if (how < 0.4) bytes.writeUIntLE(fitting, at, size)
  else if (how < 0.8) bytes.writeUIntBE(fitting, at, size)
  else for (let i = 0; i < size; i++) bytes[at + i] = i < size - 1 ? 0xff : 0x7f
  return bytes
}

function cut(bytes: Buffer, random: Random): Buffer {
  return bytes.subarray(0, randomInteger(random, bytes.length + 1))
}

function remove(bytes: Buffer, random: Random): Buffer {
  const { start, stop } = span(bytes, random)
  return Buffer.concat([bytes.subarray(0, start), bytes.subarray(stop)])
}

function insert(bytes: Buffer, random: Random): Buffer {
  const { start } = span(bytes, random)
  return Buffer.concat([bytes.subarray(0, start), garbage(random, 8), bytes.subarray(start)])
}

function repeat(bytes: Buffer, random: Random): Buffer {
  const { start, stop } = span(bytes, random)
  const times = 1 + randomInteger(random, 40)
  const piece = bytes.subarray(start, Math.min(stop, start + 100))
  return Buffer.concat([bytes.subarray(0, start), ...Array.from({ length: times }, () => piece), bytes.subarray(start)])
}

function splice(bytes: Buffer, random: Random, other: Buffer): Buffer {
  const mine = span(bytes, random)
  const theirs = span(other, random)
  return Buffer.concat([
    bytes.subarray(0, mine.start),
    other.subarray(theirs.start, theirs.stop),
    bytes.subarray(mine.stop),
  ])
}

function span(bytes: Buffer, random: Random): { start: number; stop: number } {
  const a = randomInteger(random, bytes.length + 1)
  const b = randomInteger(random, bytes.length + 1)
  return { start: Math.min(a, b), stop: Math.max(a, b) }
}
