/** One of several that claim a part of the same folder at the same moment, once for each of the folders. */
import { basename, join } from 'node:path'
import { workerData } from 'node:worker_threads'
import { claimCodeFolder } from '../../../runtime/cluster/code-folder.ts'

const { folder, own, sides, parts, progress } = workerData as {
  folder: string
  own: number
  sides: number
  parts: SharedArrayBuffer
  progress: SharedArrayBuffer
}
const claimed = new Int32Array(parts)
const arrived = new Int32Array(progress)
const rounds = claimed.length / sides
/** Waits for the others, and leaves them the CPU. */
function meet(at: number): void {
  let here = Atomics.add(arrived, at, 1) + 1
  if (here === sides) Atomics.notify(arrived, at)
  for (; here < sides; here = Atomics.load(arrived, at)) Atomics.wait(arrived, at, here)
}
for (let round = 0; round < rounds; round++) {
  meet(round)
  claimed[round * sides + own] = Number(basename(claimCodeFolder(join(folder, String(round))).path))
}
// With a thread its open files are closed, and what they lock is free.
meet(rounds)
