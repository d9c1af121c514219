import { expect } from 'chai'
import { RequestTimeoutError } from '../../../runtime/base/errors.ts'
import { TableWatches } from '../../../runtime/owner/table-watches.ts'
import { MessageType, type TableEvent, type TableOperation } from '../../../runtime/protocol/messages.ts'

describe('watches of tables', () => {
  function made(answer: () => Promise<{ error: string }> = async () => ({ error: '' })): {
    asked: TableOperation[]
    watches: TableWatches
  } {
    const asked: TableOperation[] = []
    const table = async (_: string, operation: TableOperation): Promise<{ error: string; rows: [] }> => {
      asked.push(operation)
      return { ...(await answer()), rows: [] }
    }
    return { asked, watches: new TableWatches({ table }) }
  }
  const event = (id: number): TableEvent => [MessageType.tableEvent, id, [], []]

  it('tell of changes until they are ended, each of its own', async () => {
    const { asked, watches } = made()
    const told: string[] = []
    const stop = await watches.watch('kv', 'a/', () => told.push('a'))
    await watches.watch('kv', 'b/', () => told.push('b'))
    watches.received(event(1))
    watches.received(event(2))
    watches.received(event(7))
    stop()
    stop()
    watches.received(event(1))
    expect(told).to.deep.equal(['a', 'b'])
    expect(asked).to.deep.equal([
      ['watch', 'a/', 1],
      ['watch', 'b/', 2],
      ['unwatch', 1],
    ])
    expect(watches.size).to.equal(1)
  })

  it('are renewed over a new link, and say that something may have changed', async () => {
    const { asked, watches } = made()
    let told = 0
    await watches.watch('kv', 'a/', () => told++)
    watches.renew()
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).to.equal(1)
    expect(asked).to.deep.equal([
      ['watch', 'a/', 1],
      ['watch', 'a/', 1],
    ])
  })

  it('are renewed until a head is there, over the newest link only', async () => {
    let answer = async (): Promise<{ error: string }> => ({ error: '' })
    const { asked, watches } = made(() => answer())
    let told = 0
    await watches.watch('kv', 'a/', () => told++)
    const left: (() => void)[] = []
    answer = () => new Promise((_, reject) => left.push(() => reject(new RequestTimeoutError('no head'))))
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    watches.renew()
    watches.renew()
    await turn()
    expect(left).to.have.length(2)
    for (const reject of left.splice(0)) reject()
    await turn()
    expect([told, left.length]).to.deep.equal([0, 1])
    answer = async () => ({ error: '' })
    left[0]?.()
    await turn()
    expect([told, asked.length]).to.deep.equal([1, 5])
  })

  it('are not kept where the head does not take them', async () => {
    for (const answer of [async () => ({ error: 'too many' }), () => Promise.reject(new Error('it is away'))]) {
      const { watches } = made(answer)
      const error = await watches.watch('kv', 'a/', () => undefined).catch((reason: unknown) => reason)
      expect(error).to.be.instanceOf(Error)
      expect(watches.size).to.equal(0)
    }
  })
})
