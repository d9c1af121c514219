import { expect } from 'chai'
import { describeStore } from './store-contract.ts'
import { canShareMemory, openArena, type TestArena } from './arena-fixture.ts'

const describeHere = canShareMemory ? describe : describe.skip

describeHere('ArenaStore', () => {
  let arena: TestArena
  afterEach(() => arena.close())

  describeStore('in the process of the node manager', async () => {
    arena = await openArena()
    return arena.host.openStore('1234567812345678' as never)
  })

  describeStore('in another process', async () => {
    arena = await openArena()
    return arena.join().store
  })

  it('x', async () => {
    arena = await openArena()
    expect(arena.host.report().objects).to.have.length(0)
  })
})
