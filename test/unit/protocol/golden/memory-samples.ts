/**
 * What processes of one machine write for each other into shared memory: the words that are not zero, by their places.
 * Both sides have joined one node, so that they speak one protocol.
 */
import { answerRing, answerRingBytes } from '../../../../runtime/objects/answer-ring.ts'
import { claimWords, leasesPerPage } from '../../../../runtime/objects/claim-page.ts'
import { leaseWindow } from '../../../../runtime/base/limits.ts'

function written(memory: ArrayBufferLike): string {
  const found: string[] = []
  new Int32Array(memory).forEach((word, place) => {
    if (word !== 0) found.push(`${place}:${(word >>> 0).toString(16).padStart(8, '0')}`)
  })
  return `${memory.byteLength} bytes ${found.join(' ')}`
}

/** Epochs and sequences around the places where they begin anew, each started and taken back. */
function claims(): string {
  const memory = new ArrayBuffer(leasesPerPage * leaseWindow * Int32Array.BYTES_PER_ELEMENT)
  const page = claimWords(new Int32Array(memory))
  for (const epoch of [1, leasesPerPage + 2, 2 ** 12 + 3])
    for (const sequence of [0, 1, leaseWindow + 2, 2 ** 18 + 3]) {
      page.start(epoch, sequence)
      page.recall(epoch, sequence + 10)
    }
  return written(memory)
}

/** A listener; an answer that was taken, and two that are left. */
function answers(): Record<string, string> {
  const memory = new ArrayBuffer(answerRingBytes)
  const ring = answerRing(memory, 0)
  ring.listen(5)
  ring.leave(5, 7, 1_000, Uint8Array.of(1, 2, 3, 4, 5))
  ring.leave(5, 2 ** 32 - 1, 2 ** 31 - 1, Uint8Array.of(255, 254, 253, 252))
  ring.leave(5, 9, 0, new Uint8Array())
  ring.take()
  const left = written(memory)
  ring.ignore(5)
  const ignored = written(memory)
  ring.ignored(5)
  return { 'answers left': left, 'answers ignored': ignored, 'answers without a listener': written(memory) }
}

/** By name. */
export function sharedMemory(): Record<string, string> {
  const found = { claims: claims(), ...answers() }
  return Object.fromEntries(Object.entries(found).map(([name, text]) => [`memory ${name}`, text]))
}
