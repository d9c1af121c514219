/** Tasks on large values whose every byte is known: object `id` of `size` bytes is a part of one long random text. */

/** Where objects begin in it is spread over so many bytes. */
const spreadBytes = 250_000
let words = new Uint32Array(0)

/** As much of the text as is needed: a worker that has just begun has no time for more. */
function textOf(bytes) {
  if (words.byteLength < bytes) {
    const longer = new Uint32Array(Math.ceil(bytes / 2))
    longer.set(words)
    let word = words.at(-1) ?? 1
    for (let i = words.length; i < longer.length; i++) {
      word ^= word << 13
      word ^= word >>> 17
      word ^= word << 5
      longer[i] = word
    }
    words = longer
  }
  return Buffer.from(words.buffer)
}

/** Where the content of an object lies; it is not to be written to. */
function lies(id, size) {
  const offset = (id * 4_999) % spreadBytes
  return textOf(spreadBytes + size).subarray(offset, offset + size)
}

export function contentOf(id, size) {
  return new Uint8Array(lies(id, size))
}

/** Whether every byte is right. Told of a value that a reader may have written into: of that reader's copy alone. */
export function isRight(value, id, size) {
  return value.length === size && Buffer.compare(value, lies(id, size)) === 0
}

const cell = new Int32Array(new SharedArrayBuffer(4))
const kept = []

export function make(id, size) {
  return contentOf(id, size)
}

/**
 * Checks a value, often writes into it, and keeps it: the last few of a worker stay mapped. Sometimes it holds its worker
 * meanwhile, so that this one answers nobody.
 */
export function use(value, id, size, busyMs) {
  const right = isRight(value, id, size)
  if (id % 3 === 0) value.fill(0xee)
  kept.push(value)
  if (kept.length > 2) kept.shift()
  if (busyMs > 0) Atomics.wait(cell, 0, 0, busyMs)
  return right
}
