/** Keeps its process from everything else, as a computation does, without a CPU. */
export function hold(ms) {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
