import { expect } from 'chai'
import { someAtOnce } from '../../../runtime/base/some-at-once.ts'

describe('someAtOnce', () => {
  it('uses each item once, no more than so many at a time, and gives the results in the order of the items', async () => {
    let now = 0
    let most = 0
    const doubled = await someAtOnce([5, 1, 3, 2, 4], 2, async (item) => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setTimeout(resolve, item))
      now--
      return 2 * item
    })
    expect(doubled).to.deep.equal([10, 2, 6, 4, 8])
    expect(most).to.equal(2)
  })

  it('rejects when one of them does, and has no result where there is no item', async () => {
    const failure = await someAtOnce([1, 2], 4, (item) => Promise.reject(new Error(String(item)))).catch(String)
    expect(failure).to.equal('Error: 1')
    expect(await someAtOnce([], 4, () => Promise.resolve(1))).to.deep.equal([])
  })
})
