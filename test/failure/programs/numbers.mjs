/**
 * mulberry32: numbers in [0, 1) that a seed repeats.
 * @param {number} from
 * @returns {() => number}
 */
export function numbers(from) {
  let state = from | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
