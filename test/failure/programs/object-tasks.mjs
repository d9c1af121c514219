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

/** The content of an object, in place: it is copied once, into the store. */
export function contentOf(id, size) {
  const { buffer, byteOffset } = lies(id, size)
  return new Uint8Array(buffer, byteOffset, size)
}

/** Whether every byte is right. Told of a value that a reader may have written into: of that reader's copy alone. */
export function isRight(value, id, size) {
  return value.length === size && Buffer.compare(value, lies(id, size)) === 0
}

/** Of a value that is written into. */
const spoiledBytes = 100_000
const cell = new Int32Array(new SharedArrayBuffer(4))
const kept = []

export function makeOne([id], [size]) {
  return contentOf(id, size)
}

export function make(ids, sizes) {
  return ids.map((id, i) => contentOf(id, sizes[i]))
}

/** What is held and was not written into is right when it is let go, too: nobody has got its memory meanwhile. */
function letGo({ value, id, size }) {
  return id % 3 === 0 || id % 4 !== 1 || isRight(value, id, size)
}

function useOne(value, id, size) {
  const right = isRight(value, id, size)
  if (id % 3 === 0) value.fill(0xee, id % size, (id % size) + spoiledBytes)
  kept.push({ value, id, size })
  return (kept.length <= 2 || letGo(kept.shift())) && right
}

/**
 * Checks values, often writes into a part of them, and keeps them: the last few of a worker stay mapped. Sometimes it
 * holds its worker meanwhile, so that this one answers nobody. Returns how many were wrong.
 */
export function use(busyMs, ids, sizes, ...values) {
  const wrong = values.filter((value, i) => !useOne(value, ids[i], sizes[i])).length
  if (busyMs > 0) Atomics.wait(cell, 0, 0, busyMs)
  return wrong
}
