/**
 * SHA-256 (FIPS 180-4) and HMAC (RFC 2104) of what is short. Node's own are as good, but to load `node:crypto` takes a
 * process 3 to 8 ms and 1.6 MiB, and most workers would hash nothing but their token and a function or two.
 */
import { createHash } from 'node:crypto'

/** What is longer is worth loading Node's. */
const shortBytes = 2048
const blockBytes = 64

const constants = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
])

const words = new Int32Array(64)

/** 32 bytes. */
export function sha256(content: Uint8Array): Buffer {
  if (content.length > shortBytes) return createHash('sha256').update(content).digest()
  const state = new Int32Array([
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
  ])
  // A bit that is set, zeros, and the length in bits, up to the end of a block.
  const padded = Buffer.alloc(Math.ceil((content.length + 9) / blockBytes) * blockBytes)
  padded.set(content)
  padded[content.length] = 0x80
  padded.writeUInt32BE(content.length * 8, padded.length - 4)
  for (let at = 0; at < padded.length; at += blockBytes) addBlock(state, padded, at)
  const digest = Buffer.alloc(32)
  for (let i = 0; i < 8; i++) digest.writeInt32BE(state[i] as number, i * 4)
  return digest
}

function addBlock(state: Int32Array, bytes: Buffer, at: number): void {
  for (let i = 0; i < 16; i++) words[i] = bytes.readInt32BE(at + i * 4)
  for (let i = 16; i < 64; i++) {
    const before = words[i - 15] as number
    const last = words[i - 2] as number
    const small = turned(before, 7) ^ turned(before, 18) ^ (before >>> 3)
    const other = turned(last, 17) ^ turned(last, 19) ^ (last >>> 10)
    words[i] = (words[i - 16] as number) + small + (words[i - 7] as number) + other
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let i = 0; i < 64; i++) {
    const chosen = (e & f) ^ (~e & g)
    const one =
      (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + chosen + (constants[i] as number) + (words[i] as number)) |
      0
    const two = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + one) | 0
    d = c
    c = b
    b = a
    a = (one + two) | 0
  }
  // Int32Array cuts each sum to 32 bits.
  for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i] as number) + value
}

function turned(value: number, bits: number): number {
  return (value >>> bits) | (value << (32 - bits))
}

/** HMAC-SHA-256: 32 bytes. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Buffer {
  const block = Buffer.alloc(blockBytes)
  block.set(key.length > blockBytes ? sha256(key) : key)
  const inner = sha256(Buffer.concat([block.map((byte) => byte ^ 0x36), message]))
  return sha256(Buffer.concat([block.map((byte) => byte ^ 0x5c), inner]))
}

/** Whether two texts of bytes are the same, without telling by its duration how much of them is. */
export function sameDigest(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  let difference = 0
  for (let i = 0; i < one.length; i++) difference |= (one[i] as number) ^ (other[i] as number)
  return difference === 0
}
