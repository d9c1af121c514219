import { expect } from 'chai'
import { again, inAll } from '../../../runtime/owner/generator-state.ts'
import { ItemWindowState } from '../../../runtime/worker/item-window-state.ts'

/** Makes what may be made, each of that size; returns the numbers that it sent. */
function makeAll(window: ItemWindowState, sizeBytes = 1): number[] {
  const sent: number[] = []
  while (window.mayMake) {
    const number = window.make()
    if (number === undefined) continue
    sent.push(number)
    window.sent(sizeBytes)
  }
  return sent
}

describe('runtime/worker/item-window-state', () => {
  it('makes nothing before it is told where to begin', () => {
    const window = new ItemWindowState(100)
    expect(window.mayMake).to.equal(false)
    window.allow(0, 10, 2, 0)
    expect(makeAll(window)).to.deep.equal([10, 11])
  })

  it('goes on with the numbers of each allowance in turn', () => {
    const window = new ItemWindowState(100)
    window.allow(0, 10, 2, 0)
    window.allow(2, 50, 1, 0)
    expect(makeAll(window)).to.deep.equal([10, 11, 50])
    window.allow(3, 60, 2, 2)
    expect(makeAll(window)).to.deep.equal([60, 61])
  })

  it('hears an allowance that comes twice once', () => {
    const window = new ItemWindowState(100)
    for (let i = 0; i < 2; i++) window.allow(0, 10, 2, 0)
    expect(makeAll(window)).to.deep.equal([10, 11])
    for (let i = 0; i < 2; i++) window.allow(2, 12, 1, 1)
    expect(makeAll(window)).to.deep.equal([12])
  })

  it('makes what earlier attempts delivered and does not send it', () => {
    const window = new ItemWindowState(100)
    window.allow(3, 20, 2, 1)
    expect(makeAll(window)).to.deep.equal([20, 21])
    expect([window.made, window.from]).to.deep.equal([5, 3])
  })

  it('waits for its consumer at a number of bytes, and may always be one item ahead', () => {
    const window = new ItemWindowState(100)
    window.allow(0, 10, 8, 0)
    expect(makeAll(window, 40)).to.deep.equal([10, 11, 12])
    window.allow(8, 18, 1, 1)
    expect(makeAll(window, 500)).to.deep.equal([13])
    window.allow(9, 19, 2, 3)
    expect(makeAll(window)).to.deep.equal([])
    window.allow(11, 21, 1, 4)
    expect(makeAll(window, 500)).to.deep.equal([14])
  })

  it('sends once more what was lost of what it makes again, and does not count it', () => {
    const window = new ItemWindowState(100)
    for (const [index, number] of [[1, 71], [4, 74], [4, 74]] as const) window.allow(index, number, 1, again) // prettier-ignore
    expect(window.mayMake).to.equal(false)
    window.allow(5, 20, 2, 5)
    expect(makeAll(window, 90)).to.deep.equal([71, 74, 20, 21])
  })

  it('knows when as many were made as there were before, and goes on to see that it ends', () => {
    const window = new ItemWindowState(100)
    window.allow(1, 71, 1, again)
    window.allow(3, 0, inAll, 3)
    const sent: (number | undefined)[] = []
    while (!window.isWhole) {
      expect(window.mayMake).to.equal(true)
      sent.push(window.make())
    }
    expect(sent).to.deep.equal([undefined, 71, undefined])
    expect(window.mayMake).to.equal(true)
  })

  it('does not count what its consumer has of earlier attempts', () => {
    const window = new ItemWindowState(100)
    window.allow(3, 20, 5, 1)
    expect(makeAll(window, 60)).to.deep.equal([20, 21])
    window.allow(8, 25, 1, 3)
    expect(makeAll(window, 60), 'it took what was before').to.deep.equal([])
    window.allow(9, 26, 1, 4)
    expect(makeAll(window, 60)).to.deep.equal([22])
  })
})
