/** Tasks on large values whose every byte is known: object `id` of `size` bytes is one text again and again. */

export function contentOf(id, size) {
  return Buffer.alloc(size, `object ${id}. `)
}

/** Whether every byte is right. Told of a value that a reader may have written into: of that reader's copy alone. */
export function isRight(value, id, size) {
  return value.length === size && Buffer.compare(value, contentOf(id, size)) === 0
}

const cell = new Int32Array(new SharedArrayBuffer(4))
const kept = []

export function make(id, size) {
  return new Uint8Array(contentOf(id, size))
}

/**
 * Checks a value, writes into it, and keeps it: the last few of a worker stay mapped. Sometimes it holds its worker
 * meanwhile, so that this one answers nobody.
 */
export function use(value, id, size, busyMs) {
  const right = isRight(value, id, size)
  value.fill(0xee)
  kept.push(value)
  if (kept.length > 2) kept.shift()
  if (busyMs > 0) Atomics.wait(cell, 0, 0, busyMs)
  return right
}
