/**
 * SHA-256 (FIPS 180-4) and HMAC (RFC 2104) of short texts: of tokens, and of functions that are named rather than sent.
 * Node's own is in a module that takes half a megabyte and some milliseconds to load, which most workers need for nothing
 * else. Who hashes more than a few of them uses that one all the same: V8 would compile what is here, which takes as much.
 */

/** So many bytes in all are hashed here. */
const mostBytes = 1024
const blockBytes = 64
const digestBytes = 32

/** Fractions of the square roots of the first primes. */
const start = Int32Array.of(
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
)
/** Fractions of the cube roots of the first primes. */
const rounds = Int32Array.of(
  0x428a2f98,
  0x71374491,
  0xb5c0fbcf,
  0xe9b5dba5,
  0x3956c25b,
  0x59f111f1,
  0x923f82a4,
  0xab1c5ed5,
  0xd807aa98,
  0x12835b01,
  0x243185be,
  0x550c7dc3,
  0x72be5d74,
  0x80deb1fe,
  0x9bdc06a7,
  0xc19bf174,
  0xe49b69c1,
  0xefbe4786,
  0x0fc19dc6,
  0x240ca1cc,
  0x2de92c6f,
  0x4a7484aa,
  0x5cb0a9dc,
  0x76f988da,
  0x983e5152,
  0xa831c66d,
  0xb00327c8,
  0xbf597fc7,
  0xc6e00bf3,
  0xd5a79147,
  0x06ca6351,
  0x14292967,
  0x27b70a85,
  0x2e1b2138,
  0x4d2c6dfc,
  0x53380d13,
  0x650a7354,
  0x766a0abb,
  0x81c2c92e,
  0x92722c85,
  0xa2bfe8a1,
  0xa81a664b,
  0xc24b8b70,
  0xc76c51a3,
  0xd192e819,
  0xd6990624,
  0xf40e3585,
  0x106aa070,
  0x19a4c116,
  0x1e376c08,
  0x2748774c,
  0x34b0bcb5,
  0x391c0cb3,
  0x4ed8aa4a,
  0x5b9cca4f,
  0x682e6ff3,
  0x748f82ee,
  0x78a5636f,
  0x84c87814,
  0x8cc70208,
  0x90befffa,
  0xa4506ceb,
  0xbef9a3f7,
  0xc67178f2,
)

let hashedBytes = 0

export function sha256(bytes: Uint8Array): Buffer {
  if ((hashedBytes += bytes.length) > mostBytes)
    return process.getBuiltinModule('node:crypto').createHash('sha256').update(bytes).digest()
  return plainSha256(bytes)
}

/** Without Node's. */
export function plainSha256(bytes: Uint8Array): Buffer {
  const view = padded(bytes)
  const state = start.slice()
  const schedule = new Int32Array(blockBytes)
  for (let offset = 0; offset < view.byteLength; offset += blockBytes) addBlock(state, schedule, view, offset)
  const digest = Buffer.alloc(digestBytes)
  state.forEach((word, index) => digest.writeInt32BE(word, 4 * index))
  return digest
}

export function hmacSha256(key: string, text: string): Buffer {
  const given = Buffer.from(key)
  const block = Buffer.alloc(blockBytes)
  block.set(given.length > blockBytes ? sha256(given) : given)
  const inner = sha256(Buffer.concat([block.map((byte) => byte ^ 0x36), Buffer.from(text)]))
  return sha256(Buffer.concat([block.map((byte) => byte ^ 0x5c), inner]))
}

/** Compares digests without telling by its duration how much of them is alike. */
export function digestsEqual(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  let difference = 0
  for (let i = 0; i < one.length; i++) difference |= (one[i] as number) ^ (other[i] as number)
  return difference === 0
}

/** The bytes, a one, zeros up to the end of a block, and the number of their bits in its last eight bytes. */
function padded(bytes: Uint8Array): DataView {
  const length = Math.ceil((bytes.length + 9) / blockBytes) * blockBytes
  const whole = new Uint8Array(length)
  whole.set(bytes)
  whole[bytes.length] = 0x80
  const view = new DataView(whole.buffer)
  view.setUint32(length - 4, bytes.length * 8)
  return view
}

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits))
}

function addBlock(state: Int32Array, schedule: Int32Array, view: DataView, offset: number): void {
  for (let i = 0; i < 16; i++) schedule[i] = view.getInt32(offset + 4 * i)
  for (let i = 16; i < blockBytes; i++) {
    const early = schedule[i - 15] as number
    const late = schedule[i - 2] as number
    const s0 = rotated(early, 7) ^ rotated(early, 18) ^ (early >>> 3)
    const s1 = rotated(late, 17) ^ rotated(late, 19) ^ (late >>> 10)
    schedule[i] = ((((schedule[i - 16] as number) + s0) | 0) + (schedule[i - 7] as number) + s1) | 0
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number]
  for (let i = 0; i < blockBytes; i++) {
    const s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
    const mixed = (((h + s1) | 0) + ((e & f) ^ (~e & g))) | 0
    const t1 = (((mixed + (rounds[i] as number)) | 0) + (schedule[i] as number)) | 0
    const s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  const after = [a, b, c, d, e, f, g, h]
  for (let i = 0; i < after.length; i++) state[i] = (state[i] as number) + (after[i] as number)
}
