import { expect } from 'chai'
import { closeSource, collect } from '../../../compat/multiprocessing/inputs.ts'

const never = new AbortController().signal

/** A source that gives an item when it is told to. */
function slow(): { input: AsyncIterable<number>; give: (step: IteratorResult<number>) => void; calls: string[] } {
  const calls: string[] = []
  let give: (step: IteratorResult<number>) => void = () => undefined
  const source: AsyncIterator<number> = {
    next: () => {
      calls.push('next')
      return new Promise((resolve) => (give = resolve))
    },
    return: () => {
      calls.push('return')
      return Promise.reject(new Error('it does not close'))
    },
  }
  return { input: { [Symbol.asyncIterator]: () => source }, give: (step) => give(step), calls }
}

describe('collect', () => {
  it('has all items at the end, and closes nothing that has ended', async () => {
    const { input, give, calls } = slow()
    const leaving = new AbortController()
    const items = collect(input, leaving.signal)
    for (const value of [1, 2]) {
      give({ done: false, value })
      await new Promise((resolve) => setImmediate(resolve))
    }
    give({ done: true, value: undefined })
    expect(await items).to.deep.equal([1, 2])
    leaving.abort()
    expect(calls).to.deep.equal(['next', 'next', 'next'])
  })

  it('closes its input at once when it is to leave it, and reads no more behind the item that was asked for', async () => {
    const { input, give, calls } = slow()
    const leaving = new AbortController()
    const items = collect(input, leaving.signal)
    const reason = new Error('enough')
    leaving.abort(reason)
    expect(calls).to.deep.equal(['next', 'return'])
    give({ done: false, value: 1 })
    expect(await items.catch((error: unknown) => error)).to.equal(reason)
    expect(calls).to.deep.equal(['next', 'return'])
  })

  it('rejects with what its input throws', async () => {
    const broken = (async function* () {
      yield 1
      throw new RangeError('no more')
    })()
    expect(await collect(broken, never).catch((error: unknown) => error)).to.be.instanceOf(RangeError)
  })
})

describe('closeSource', () => {
  it('does nothing where there is nothing to close, and keeps what is thrown to itself', async () => {
    await closeSource([1][Symbol.iterator]())
    await closeSource({
      next: () => ({ done: true, value: 1 }),
      return: () => {
        throw new Error('at once')
      },
    })
  })
})
