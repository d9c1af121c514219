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
for (let round = 0; round < claimed.length / sides; round++) {
  Atomics.add(arrived, round, 1)
  while (Atomics.load(arrived, round) < sides);
  claimed[round * sides + own] = Number(basename(claimCodeFolder(join(folder, String(round))).path))
}
