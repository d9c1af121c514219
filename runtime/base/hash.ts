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
  const bits = content.length * 8
  padded[padded.length - 2] = bits >>> 8
  padded[padded.length - 1] = bits
  for (let at = 0; at < padded.length; at += blockBytes) addBlock(state, padded, at)
  const digest = Buffer.alloc(32)
  for (let i = 0; i < 32; i++) digest[i] = (state[i >> 2] as number) >>> (24 - (i & 3) * 8)
  return digest
}

/** Written out, and cut to 32 bits at each step: it runs a few times in a process, and is never compiled further. */
function addBlock(state: Int32Array, bytes: Buffer, at: number): void {
  for (let i = 0, from = at; i < 16; i++, from += 4)
    words[i] =
      ((bytes[from] as number) << 24) |
      ((bytes[from + 1] as number) << 16) |
      ((bytes[from + 2] as number) << 8) |
      (bytes[from + 3] as number)
  for (let i = 16; i < 64; i++) {
    const before = words[i - 15] as number
    const last = words[i - 2] as number
    const small = ((before >>> 7) | (before << 25)) ^ ((before >>> 18) | (before << 14)) ^ (before >>> 3)
    const other = ((last >>> 17) | (last << 15)) ^ ((last >>> 19) | (last << 13)) ^ (last >>> 10)
    words[i] = ((((words[i - 16] as number) + small) | 0) + (((words[i - 7] as number) + other) | 0)) | 0
  }
  let a = state[0] as number
  let b = state[1] as number
  let c = state[2] as number
  let d = state[3] as number
  let e = state[4] as number
  let f = state[5] as number
  let g = state[6] as number
  let h = state[7] as number
  for (let i = 0; i < 64; i++) {
    const added = ((constants[i] as number) + (words[i] as number)) | 0
    const turned = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const one = (((h + turned) | 0) + (((g ^ (e & (f ^ g))) + added) | 0)) | 0
    const other = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    h = g
    g = f
    f = e
    e = (d + one) | 0
    d = c
    const most = (a & b) ^ (a & c) ^ (b & c)
    c = b
    b = a
    a = (one + ((other + most) | 0)) | 0
  }
  // Int32Array cuts each sum to 32 bits.
  state[0] = (state[0] as number) + a
  state[1] = (state[1] as number) + b
  state[2] = (state[2] as number) + c
  state[3] = (state[3] as number) + d
  state[4] = (state[4] as number) + e
  state[5] = (state[5] as number) + f
  state[6] = (state[6] as number) + g
  state[7] = (state[7] as number) + h
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
