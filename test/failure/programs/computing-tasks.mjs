/** Tasks that hold their worker, as long computations do, before they make a value or read one of somebody else. */

/** Keeps its process from everything else, as a computation does, without a CPU. */
export function hold(ms) {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

const fill = (size) => size % 251

/** Of `size` bytes; `whole` says whether a value is that. */
export const valueOf = (size) => new Uint8Array(size).fill(fill(size))
export const whole = (value, size) => value.length === size && (size === 0 || value.at(-1) === fill(size))

export function make(size, ms) {
  hold(ms)
  return valueOf(size)
}

export function sizeOf(value, ms) {
  hold(ms)
  return value.length
}

/** What its worker owns, which computes when it has answered. */
export async function own(size, ms) {
  const { put } = await import('outpool')
  const ref = await put(valueOf(size))
  setTimeout(hold, 5, ms)
  return { ref, size }
}

/** Whether what it was given is whole; it asks for it when it has computed. */
export async function read({ ref, size }, ms) {
  const { get } = await import('outpool')
  hold(ms)
  return whole(await get(ref), size)
}

/** Has a task of its own read it, and then reads it itself. */
export async function readTwice(box, ms, innerMs, inner) {
  const { get, remote } = await import('outpool')
  await new Promise((resolve) => setTimeout(resolve, 200))
  hold(ms)
  const isWhole = await get(remote(import.meta.url, 'read', inner).remote(box, innerMs))
  return isWhole && whole(await get(box.ref), box.size)
}

export async function* items(count, size, ms) {
  for (let i = 0; i < count; i++) {
    if (i === 2) hold(ms)
    yield valueOf(size + i)
  }
}
