import { expect } from 'chai'
import fc from 'fast-check'
import { TimeoutError } from '../../../compat/shared/python-errors.ts'
import type { Entry } from '../../../compat/multiprocessing/imap-buffer.ts'
import { IMapIterator, type ImapHost } from '../../../compat/multiprocessing/imap-iterator.ts'
import type { OpenInput } from '../../../compat/multiprocessing/inputs.ts'

interface Submitted {
  readonly items: readonly number[]
  settle(entries: readonly Entry<number>[]): void
  abandoned: boolean
}

/** A pool that answers when the test says so. Its function doubles. */
class Host implements ImapHost<number, number> {
  readonly chunks: Submitted[] = []
  readonly size: number
  open = 0
  input: OpenInput | undefined
  constructor(size: number) {
    this.size = size
  }
  submit(items: readonly number[], settle: Submitted['settle']): () => void {
    const chunk: Submitted = { items, settle, abandoned: false }
    this.chunks.push(chunk)
    return () => {
      chunk.abandoned = true
    }
  }
  window(): number {
    return this.size
  }
  opened(input: OpenInput): () => void {
    this.input = input
    this.open++
    return () => {
      this.open--
    }
  }
  answer(index: number): void {
    const chunk = this.chunks[index]
    chunk?.settle(chunk.items.map((item) => (item < 0 ? { ok: false, error: item } : { ok: true, value: item * 2 })))
  }
}

const ordered = { ordered: true, chunkSize: 1 }

/** All that the iterator gives, errors in brackets; it goes on behind an error. */
async function readAll(iterator: IMapIterator<number, number>): Promise<unknown[]> {
  const seen: unknown[] = []
  for (;;) {
    try {
      const step = await iterator.next()
      if (step.done === true) return seen
      seen.push(step.value)
    } catch (error) {
      seen.push([error])
    }
  }
}

describe('IMapIterator', () => {
  it('gives results in the order of the input, whatever comes first', async () => {
    const host = new Host(10)
    const iterator = new IMapIterator([1, 2, 3], host, ordered)
    for (const index of [2, 0, 1]) host.answer(index)
    expect(await readAll(iterator)).to.deep.equal([2, 4, 6])
  })

  it('gives results in the order in which they come, unordered', async () => {
    const host = new Host(10)
    const iterator = new IMapIterator([1, 2, 3], host, { ordered: false, chunkSize: 1 })
    for (const index of [2, 0, 1]) host.answer(index)
    expect(await readAll(iterator)).to.deep.equal([6, 2, 4])
  })

  it('starts work at once, and reads the input no further than its window', () => {
    const host = new Host(3)
    let read = 0
    const input = (function* () {
      for (;;) yield ++read
    })()
    const iterator = new IMapIterator(input, host, ordered)
    expect(read).to.equal(3)
    host.answer(0)
    expect(read).to.equal(3)
    return iterator.next().then(() => expect(read).to.equal(4))
  })

  it('throws at the item that failed, and goes on behind it', async () => {
    const host = new Host(10)
    const iterator = new IMapIterator([1, -2, 3], host, { ordered: true, chunkSize: 3 })
    host.answer(0)
    expect(await readAll(iterator)).to.deep.equal([2, [-2], 6])
  })

  it('takes an asynchronous input', async () => {
    const host = new Host(2)
    const input = (async function* () {
      yield 1
      yield 2
      yield 3
    })()
    const iterator = new IMapIterator(input, host, ordered)
    const all = readAll(iterator)
    for (let index = 0; index < 3; index++) {
      while (host.chunks.length <= index) await new Promise((resolve) => setImmediate(resolve))
      host.answer(index)
    }
    expect(await all).to.deep.equal([2, 4, 6])
    expect(host.open).to.equal(0)
  })

  it('computes what came before an input failed, then throws its error, then ends', async () => {
    const host = new Host(10)
    const input = (function* () {
      yield 1
      yield 2
      throw new Error('no more')
    })()
    const iterator = new IMapIterator(input, host, { ordered: true, chunkSize: 2 })
    host.answer(0)
    const seen = await readAll(iterator)
    expect(seen.slice(0, 2)).to.deep.equal([2, 4])
    expect((seen[2] as Error[])[0]?.message).to.equal('no more')
    expect(seen.length).to.equal(3)
  })

  it('ends at once for an empty input', async () => {
    const host = new Host(1)
    expect(await readAll(new IMapIterator([], host, ordered))).to.deep.equal([])
    expect(host.open).to.equal(0)
  })

  it('keeps a result for later when next() times out', async () => {
    const host = new Host(1)
    const iterator = new IMapIterator([1], host, ordered)
    const error = await iterator.next(0.001).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).to.be.instanceOf(TimeoutError)
    host.answer(0)
    expect(await iterator.next(60)).to.deep.equal({ done: false, value: 2 })
  })

  it('passes over readers that did not wait, and ends those that still do when it is left', async () => {
    const host = new Host(4)
    const iterator = new IMapIterator([1, 2, 3], host, ordered)
    const late = [iterator.next(0.001), iterator.next(0.001)]
    const reads = [iterator.next(), iterator.next(), iterator.next()]
    expect((await Promise.allSettled(late)).map(({ status }) => status)).to.deep.equal(['rejected', 'rejected'])
    host.answer(0)
    expect(await reads[0]).to.deep.equal({ done: false, value: 2 })
    await iterator.return()
    const done = { done: true, value: undefined }
    expect(await Promise.all([...reads.slice(1), iterator.next()])).to.deep.equal([done, done, done])
  })

  it('takes no result for a timeout that is none', async () => {
    const host = new Host(2)
    const iterator = new IMapIterator([1, -2], host, ordered)
    const wrong = ['1', NaN, {}].map((timeout) => iterator.next(timeout as never))
    host.answer(0)
    host.answer(1)
    for (const read of await Promise.allSettled(wrong)) {
      expect(read.status).to.equal('rejected')
      expect((read as PromiseRejectedResult).reason).to.be.instanceOf(TypeError)
    }
    expect(await readAll(iterator)).to.deep.equal([2, [-2]])
  })

  it('serves readers in the order in which they asked', async () => {
    const host = new Host(3)
    const iterator = new IMapIterator([1, 2], host, ordered)
    const reads = [iterator.next(), iterator.next(), iterator.next()]
    host.answer(1)
    host.answer(0)
    expect(await Promise.all(reads)).to.deep.equal([
      { done: false, value: 2 },
      { done: false, value: 4 },
      { done: true, value: undefined },
    ])
  })

  it('abandons what was submitted, and closes its input, when its reader leaves', async () => {
    const host = new Host(2)
    let closed = false
    const input = (function* () {
      try {
        for (;;) yield 1
      } finally {
        closed = true
      }
    })()
    const iterator = new IMapIterator(input, host, ordered)
    await iterator.return()
    expect(closed).to.equal(true)
    expect(host.chunks.map((chunk) => chunk.abandoned)).to.deep.equal([true, true])
    expect(host.open).to.equal(0)
    expect(await iterator.next()).to.deep.equal({ done: true, value: undefined })
  })

  describe('when its pool is terminated', () => {
    const ended = new Error('the pool has ended')
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

    for (const inOrder of [true, false])
      it(`gives what is there, then the error once, then ends; ${inOrder ? 'in order' : 'unordered'}`, async () => {
        const host = new Host(2)
        const endless = (function* () {
          for (let n = 1; ; n++) yield n
        })()
        const iterator = new IMapIterator(endless, host, { ordered: inOrder, chunkSize: 2 })
        host.answer(0)
        host.answer(1)
        host.input?.terminated(ended)
        expect(await readAll(iterator)).to.deep.equal([2, 4, 6, 8, [ended]])
        expect([host.open, host.chunks.length]).to.deep.equal([0, 2])
      })

    it('reads an asynchronous input no further, and submits nothing that still comes of it', async () => {
      const host = new Host(2)
      let give: (step: IteratorResult<number>) => void = () => undefined
      const calls: string[] = []
      const source: AsyncIterator<number> = {
        next: () => new Promise((resolve) => (calls.push('next'), (give = resolve))),
        return: () => (calls.push('return'), Promise.reject(new Error('it does not close'))),
      }
      const input = { [Symbol.asyncIterator]: () => source }
      const iterator = new IMapIterator(input, host, { ordered: true, chunkSize: 2 })
      const all = readAll(iterator)
      give({ done: false, value: 1 })
      await turn()
      host.input?.terminated(ended)
      expect(await all).to.deep.equal([[ended]])
      give({ done: false, value: 2 })
      await turn()
      expect([calls, host.chunks, host.open]).to.deep.equal([['next', 'next', 'return'], [], 0])
      expect(await iterator.next()).to.deep.equal({ done: true, value: undefined })
    })

    it('closes a synchronous input that ends the pool itself', async () => {
      const host = new Host(3)
      let closed = false
      const input = (function* () {
        try {
          yield 1
          host.input?.terminated(ended)
          yield 2
        } finally {
          closed = true
        }
      })()
      const iterator = new IMapIterator(input, host, ordered)
      expect([closed, host.chunks.length, host.open]).to.deep.equal([true, 1, 0])
      host.answer(0)
      expect(await readAll(iterator)).to.deep.equal([2, [ended]])
    })
  })

  it('does not wait for an input that gives nothing when its reader leaves, and closes it', async () => {
    const host = new Host(2)
    let closed = false
    const input: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        return: () => ((closed = true), new Promise(() => undefined)),
      }),
    }
    expect(await new IMapIterator(input, host, ordered).return()).to.deep.equal({ done: true, value: undefined })
    expect([closed, host.open]).to.deep.equal([true, 0])
  })

  it('closes a synchronous input that has its reader leave', async () => {
    const host = new Host(2)
    let closed = false
    let leave = (): unknown => undefined
    const input = (function* () {
      try {
        yield 1
        yield 2
        leave()
        yield 3
      } finally {
        closed = true
      }
    })()
    const iterator = new IMapIterator(input, host, ordered)
    let left: Promise<unknown> | undefined
    leave = () => (left = iterator.return())
    host.answer(0)
    await iterator.next()
    await left
    expect([closed, host.chunks.length, host.open]).to.deep.equal([true, 2, 0])
  })

  it('gives every item once, for any sizes and any order of answers', async () => {
    const property = fc.asyncProperty(
      fc.array(fc.integer({ min: -3, max: 20 }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 6 }),
      fc.boolean(),
      fc.infiniteStream(fc.nat()),
      async (input, chunkSize, window, inOrder, choices) => {
        const host = new Host(window)
        const all = readAll(new IMapIterator(input, host, { ordered: inOrder, chunkSize }))
        const open = new Set<number>()
        for (let known = 0; ;) {
          for (; known < host.chunks.length; known++) open.add(known)
          if (open.size === 0) break
          const list = [...open]
          const index = list[choices.next().value % list.length] as number
          open.delete(index)
          host.answer(index)
          await new Promise((resolve) => setImmediate(resolve))
        }
        const expected = input.map((item) => (item < 0 ? [item] : item * 2))
        const seen = await all
        if (inOrder) expect(seen).to.deep.equal(expected)
        else expect(seen.map(String).sort()).to.deep.equal(expected.map(String).sort())
        expect(host.open).to.equal(0)
      },
    )
    await fc.assert(property, { numRuns: 60 })
  })
})
