import { expect } from 'chai'
import fc from 'fast-check'
import { ChunkQueue } from '../../../compat/shared/chunk-queue.ts'
import { cpuShare } from '../../../compat/shared/cpu-share.ts'
import { chunksOf, defaultChunkSize } from '../../../compat/shared/chunks.ts'

describe('chunks', () => {
  it('has about four chunks for each worker, as Python', () => {
    expect(defaultChunkSize(16, 4)).to.equal(1)
    expect(defaultChunkSize(17, 4)).to.equal(2)
    expect(defaultChunkSize(100, 4)).to.equal(7)
    expect(defaultChunkSize(1, 8)).to.equal(1)
  })

  it('cuts an input into parts that make it up again', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 10 }), (items, size) => {
        const chunks = [...chunksOf(items, size)]
        expect(chunks.flat()).to.deep.equal(items)
        for (const chunk of chunks.slice(0, -1)) expect(chunk.length).to.equal(size)
      }),
    )
  })
})

describe('ChunkQueue', () => {
  it('does what an array does, and takes back at its front', () => {
    const operation = fc.oneof(fc.constant('push'), fc.constant('pushFront'), fc.constant('shift'))
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const queue = new ChunkQueue()
        const model: number[] = []
        let next = 0
        for (const name of operations) {
          if (name === 'shift') expect(queue.shift()).to.equal(model.shift())
          else if (name === 'push') (model.push(next), queue.push(next++))
          else (model.unshift(next), queue.pushFront(next++))
          expect(queue.size).to.equal(model.length)
        }
        expect(queue.clear()).to.deep.equal(model)
        expect(queue.size).to.equal(0)
      }),
    )
  })

  it('keeps its order when it lets go of memory', () => {
    const queue = new ChunkQueue()
    for (let n = 0; n < 5000; n++) queue.push(n)
    for (let n = 0; n < 5000; n++) expect(queue.shift()).to.equal(n)
    expect(queue.shift()).to.equal(undefined)
  })
})

describe('cpuShare', () => {
  it('is a whole CPU where there are enough, else an equal part of them', () => {
    expect(cpuShare(3, 4, false)).to.equal(1)
    expect(cpuShare(4, 4, false)).to.equal(1)
    expect(cpuShare(8, 4, false)).to.equal(0.5)
    expect(cpuShare(3, 1, false)).to.equal(0.3333)
    expect(cpuShare(1_000_000, 1, false)).to.equal(0.0001)
  })

  it('is nothing on one machine, where pools share the CPUs as processes do', () => {
    expect(cpuShare(3, 4, true)).to.equal(0)
    expect(cpuShare(8, 4, true)).to.equal(0)
  })
})
