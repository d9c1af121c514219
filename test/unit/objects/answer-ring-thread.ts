/** The worker's side of a ring, which says of each answer whether it is to be sent. Behind the first it waits for a sign. */
import { workerData } from 'node:worker_threads'
import { answerRing } from '../../../runtime/objects/answer-ring.ts'

const { memory, sent, progress } = workerData as Record<'memory' | 'sent' | 'progress', SharedArrayBuffer>
const ring = answerRing(memory, 0)
const isSent = new Uint8Array(sent)
const done = new Int32Array(progress)
for (let sequence = 0; sequence < isSent.length; sequence++) {
  if (!ring.leave(1, sequence, 1, Uint8Array.of(sequence & 255))) isSent[sequence] = 1
  Atomics.store(done, 0, sequence + 1)
  if (sequence === 0) Atomics.wait(done, 1, 0)
}
