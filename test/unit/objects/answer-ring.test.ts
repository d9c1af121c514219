import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import fc from 'fast-check'
import { type AnswerRing, answerRing, answerRingBytes } from '../../../runtime/objects/answer-ring.ts'

const newRing = (): AnswerRing => answerRing(new SharedArrayBuffer(answerRingBytes), 0)
const bytesOf = (seed: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (seed * 31 + i) & 255)

describe('answer-ring', () => {
  it('takes nothing for which nobody listens', () => {
    const ring = newRing()
    expect(ring.leave(7, 1, 20, bytesOf(1, 6))).to.equal(false)
    expect(ring.listen(7)).to.equal(true)
    expect(ring.leave(8, 1, 20, bytesOf(1, 6))).to.equal(false)
    expect(ring.leave(7, 1, 20, bytesOf(1, 6))).to.equal(true)
    expect(ring.take()).to.deep.equal({ epoch: 7, sequence: 1, micros: 20, bytes: bytesOf(1, 6) })
    expect(ring.take()).to.equal(undefined)
  })

  it('has one listener, until that has taken what was left for it', () => {
    const ring = newRing()
    ring.listen(0)
    expect(ring.listen(0)).to.equal(true)
    expect(ring.listen(1)).to.equal(false)
    ring.leave(0, 5, 1, bytesOf(0, 3))
    ring.ignore(0)
    expect(ring.leave(0, 6, 1, bytesOf(0, 3))).to.equal(false)
    expect(ring.listen(1)).to.equal(false)
    expect(ring.take()?.sequence).to.equal(5)
    ring.ignored(0)
    expect(ring.listen(1)).to.equal(true)
  })

  it('is free for the next lease when a worker learns that the last one is over, whose owner died', () => {
    const ring = newRing()
    ring.listen(3)
    ring.leave(3, 0, 1, bytesOf(0, 3))
    ring.over(2)
    expect(ring.listen(4)).to.equal(false)
    ring.over(3)
    expect(ring.listen(4)).to.equal(true)
    expect(ring.take()).to.equal(undefined)
    ring.ignore(4)
    ring.over(4)
    expect(ring.listen(5)).to.equal(true)
  })

  it('refuses what is too large or too long, and tells of what is no entry', () => {
    const memory = new SharedArrayBuffer(answerRingBytes)
    const ring = answerRing(memory, 0)
    ring.listen(1)
    expect(ring.leave(1, 0, 1, new Uint8Array(1_025))).to.equal(false)
    expect(ring.leave(1, 0, 2 ** 31, bytesOf(0, 1))).to.equal(false)
    expect(ring.leave(1, 0, 1, bytesOf(0, 9))).to.equal(true)
    new Int32Array(memory)[16 + 3] = -5
    expect(() => ring.take()).to.throw('shared memory')
    expect(ring.take()).to.equal(undefined)
  })

  it('gives each answer once, in order and whole, however it is filled and emptied', () => {
    const operation = fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 1_024 }) },
      { weight: 1, arbitrary: fc.constant(-1) },
    )
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const ring = newRing()
        ring.listen(9)
        const left: { sequence: number; bytes: Uint8Array }[] = []
        // Over the end of 32 bits.
        let sequence = 2 ** 32 - 20
        let refused = 0
        for (const length of operations) {
          if (length < 0) {
            for (const { sequence: expected, bytes } of left.splice(0)) {
              const taken = ring.take()
              expect([taken?.sequence, taken?.bytes]).to.deep.equal([expected >>> 0, bytes])
            }
            expect(ring.take()).to.equal(undefined)
          } else {
            const bytes = bytesOf(sequence, length)
            if (ring.leave(9, sequence, 1, bytes)) left.push({ sequence, bytes })
            else refused++
            sequence++
          }
        }
        // There is room for sixteen of the largest.
        if (operations.length <= 15) expect(refused).to.equal(0)
      }),
      { numRuns: 200 },
    )
  })

  it('loses no answer while its owner begins and ends to look: what it may not see is sent', async () => {
    const count = 200_000
    const [memory, sent, progress] = [answerRingBytes, count, 8].map((bytes) => new SharedArrayBuffer(bytes)) as [
      SharedArrayBuffer,
      SharedArrayBuffer,
      SharedArrayBuffer,
    ]
    const entry = new URL('./answer-ring-thread.ts', import.meta.url).href
    const thread = new Worker(`import('tsx/esm/api').then(({ tsImport }) => tsImport('${entry}', '${entry}'))`, {
      eval: true,
      workerData: { memory, sent, progress },
    })
    const exited = once(thread, 'exit')
    const ring = answerRing(memory, 0)
    const taken = new Uint8Array(count)
    let newest = -1
    const takeAll = (): void => {
      for (let answer = ring.take(); answer !== undefined; answer = ring.take()) {
        expect(answer.sequence).to.be.greaterThan(newest)
        expect([...answer.bytes]).to.deep.equal([answer.sequence & 255])
        newest = answer.sequence
        taken[newest] = 1
      }
    }
    const done = new Int32Array(progress)
    const until = async (holds: () => boolean): Promise<void> => {
      while (!holds()) await new Promise(setImmediate)
    }
    await until(() => Atomics.load(done, 0) === 1)
    ring.listen(1)
    Atomics.store(done, 1, 1)
    Atomics.notify(done, 1)
    await until(() => !ring.empty)
    for (let turn = 0; Atomics.load(done, 0) < count; turn++) {
      if (turn % 3 === 0) expect(ring.listen(1)).to.equal(true)
      takeAll()
      if (turn % 3 === 2) {
        ring.ignore(1)
        takeAll()
        ring.ignored(1)
      }
      if (turn % 50 === 0) await new Promise(setImmediate)
    }
    takeAll()
    await exited
    const isSent = new Uint8Array(sent)
    expect(isSent.findIndex((value, i) => value === 0 && taken[i] === 0)).to.equal(-1)
    expect([isSent[0], taken[0], taken[1]]).to.deep.equal([1, 0, 1])
  })
})
