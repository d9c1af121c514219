import { expect } from 'chai'
import { again, type Allowance, GeneratorState } from '../../../runtime/owner/generator-state.ts'

type Said = readonly ['allow', index: number, number: number, count: number, taken: number] | readonly string[]

/** A generator that may be 4 items or 100 bytes ahead, always; its objects are numbered from 100. */
function generator(items = 4, bytes = 100, mostItems = items): { state: GeneratorState; said: () => readonly Said[] } {
  let next = 100
  let said: Said[] = []
  const state = new GeneratorState(
    {
      allocate(count) {
        next += count
        return next - count
      },
      giveUp: (number, count, stored) => said.push(['give up', `${number}+${count}`, stored ? 'stored' : 'never']),
      allow: ({ index, number, count, taken }: Allowance) => said.push(['allow', index, number, count, taken]),
    },
    { items, mostItems, bytes },
  )
  return {
    state,
    said() {
      const all = said
      said = []
      return all
    },
  }
}

describe('runtime/owner/generator-state', () => {
  it('allows as many items as fit ahead of the consumer, and more when half of them were taken', () => {
    const { state, said } = generator()
    state.pushed(0)
    expect(said()).to.deep.equal([['allow', 0, 100, 4, 0]])
    for (const number of [100, 101, 102, 103]) expect(state.item(number, 1)).to.equal(true)
    expect(state.take()).to.equal(100)
    expect(said()).to.deep.equal([])
    expect(state.take()).to.equal(101)
    expect(said()).to.deep.equal([['allow', 4, 104, 2, 2]])
    expect([state.take(), state.take(), state.take()]).to.deep.equal([102, 103, undefined])
    expect(said()).to.deep.equal([['allow', 6, 106, 2, 4]])
  })

  it('tells what was taken when that was half of the bytes, however few items', () => {
    const { state, said } = generator(100, 100)
    state.pushed(0)
    said()
    state.item(100, 49)
    state.item(101, 1)
    state.take()
    expect(said()).to.deep.equal([])
    state.take()
    expect(said()).to.deep.equal([['allow', 100, 200, 2, 2]])
  })

  it('allows twice as many items, up to a limit, where the consumer has taken all that might be made, and finds nothing', () => {
    const { state, said } = generator(4, 100, 10)
    const find = (from: number, count: number): void => {
      for (let i = 0; i < count; i++) state.item(from + i, 1)
      for (let i = 0; i < count; i++) expect(state.take()).to.equal(from + i)
      expect(state.take()).to.equal(undefined)
    }
    expect(state.take(), 'it has not begun').to.equal(undefined)
    state.pushed(0)
    find(100, 4)
    said()
    find(104, 4)
    expect(said().at(-1)).to.deep.equal(['allow', 12, 112, 4, 8])
    find(108, 8)
    expect(said().at(-1)).to.deep.equal(['allow', 24, 124, 2, 16])
    find(116, 10)
    expect(said().at(-1)).to.deep.equal(['allow', 31, 131, 5, 26])
  })

  it('allows no more to a generator that makes its items slower than they are taken', () => {
    const { state, said } = generator(4, 100, 16)
    state.pushed(0)
    for (let number = 100; number < 120; number++) {
      expect(state.take()).to.equal(undefined)
      state.item(number, 1)
      expect(state.take()).to.equal(number)
    }
    expect(said().at(-1)).to.deep.equal(['allow', 22, 122, 2, 20])
  })

  it('allows no more for a consumer that finds something each time', () => {
    const { state, said } = generator(4, 100, 16)
    state.pushed(0)
    let next = 100
    for (let number = 100; number < 120; number++) {
      while (state.item(next, 1)) next++
      expect(state.take()).to.equal(number)
    }
    expect(said().at(-1)).to.deep.equal(['allow', 22, 122, 2, 20])
  })

  it('refuses an item that is not the next, or comes after the end', () => {
    const { state } = generator()
    state.pushed(0)
    expect(state.item(101, 1), 'one is missing').to.equal(false)
    expect(state.item(100, 1)).to.equal(true)
    expect(state.item(100, 1), 'it came before').to.equal(false)
    state.end(true)
    expect(state.item(101, 1), 'it has ended').to.equal(false)
    expect(state.take()).to.equal(100)
    expect(state.take()).to.equal(undefined)
  })

  it('refuses an item beyond what is allowed', () => {
    const { state } = generator(2)
    state.pushed(0)
    expect([state.item(100, 1), state.item(101, 1), state.item(102, 1)]).to.deep.equal([true, true, false])
  })

  it('begins the next attempt where items stopped to arrive, under numbers that the dead worker never had', () => {
    const { state, said } = generator()
    state.pushed(0)
    state.item(100, 1)
    state.take()
    state.item(101, 1)
    said()
    state.pushed(1)
    expect(said()).to.deep.equal([
      ['give up', '102+2', 'stored'],
      ['allow', 2, 104, 3, 1],
    ])
    expect(state.item(102, 1), 'a late one of the first attempt').to.equal(false)
    expect(state.item(104, 1)).to.equal(true)
    expect([state.take(), state.take()]).to.deep.equal([101, 104])
  })

  it('asks the next attempt for lost items first', () => {
    const { state, said } = generator()
    state.pushed(0)
    state.item(100, 1)
    said()
    state.pushed(1, [{ index: 0, number: 100 }])
    expect(said()).to.deep.equal([
      ['allow', 0, 100, 1, again],
      ['give up', '101+3', 'stored'],
      ['allow', 1, 104, 3, 0],
    ])
  })

  it('keeps its numbers where the task moves without having started', () => {
    const { state, said } = generator()
    state.pushed(0)
    said()
    state.pushed(0)
    expect(said()).to.deep.equal([['allow', 0, 100, 4, 0]])
  })

  it('says where to begin when all that may be made has arrived', () => {
    const { state, said } = generator(2)
    state.pushed(0)
    state.item(100, 1)
    state.item(101, 1)
    said()
    state.pushed(1)
    expect(said()).to.deep.equal([['allow', 2, 0, 0, 0]])
    state.take()
    expect(said()).to.deep.equal([['allow', 2, 102, 1, 1]])
  })

  it('gives up what never came, and says whether it may be stored somewhere', () => {
    for (const [answered, word] of [
      [true, 'never'],
      [false, 'stored'],
    ] as const) {
      const { state, said } = generator()
      state.pushed(0)
      state.item(100, 1)
      said()
      state.end(answered)
      state.end(answered)
      expect(said()).to.deep.equal([['give up', '101+3', word]])
      expect(state.take()).to.equal(100)
      expect(said()).to.deep.equal([])
      expect(state.numbers).to.equal(0)
    }
  })

  it('has nothing to give up where it was never pushed', () => {
    const { state, said } = generator()
    state.end(false)
    expect(said()).to.deep.equal([])
    state.pushed(0)
    expect(said()).to.deep.equal([])
  })
})
