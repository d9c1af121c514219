/** What the workers of every pool run: the same file for all of them. */
import { threadId } from 'node:worker_threads'

export function noop() {}

/** CPU work that neither allocates nor can be left out: `iterations` steps of an xorshift generator. */
export function burn(iterations) {
  let x = 0x9e3779b9
  for (let i = 0; i < iterations; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
  }
  return x
}

/** Milliseconds by a clock that all processes of the machine share. */
export function machineMs() {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

/** `burn`: by which worker, from when to when. */
export function timedBurn(iterations) {
  const begin = machineMs()
  burn(iterations)
  return [`${process.pid}/${threadId}`, begin, machineMs()]
}

/** Proves that an array arrived whole, without reading all of it. */
export function ends(array) {
  return array[0] + array[array.length - 1] + array.length
}

export function square(x) {
  return x * x
}

export function sum(...values) {
  let total = 0
  for (const value of values) total += value
  return total
}

export function range(count) {
  return Array.from({ length: count }, (_, i) => i)
}

export function* items(count) {
  for (let i = 0; i < count; i++) yield i
}
