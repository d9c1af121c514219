import { expect } from 'chai'
import { type Deferred, deferred } from '../../../runtime/base/deferred.ts'
import { Tickets } from '../../../runtime/owner/tickets.ts'
import type { Abandon } from '../../../runtime/transport/abandon.ts'

describe('runtime/owner/tickets', () => {
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

  function make(): { tickets: Tickets; begun: string[]; calls: Deferred<void>[]; abandons: Abandon[] } {
    const begun: string[] = []
    const calls: Deferred<void>[] = []
    const abandons: Abandon[] = []
    const tickets = new Tickets((ticket, abandon) => {
      begun.push(ticket)
      abandons.push(abandon)
      const call = deferred<void>()
      calls.push(call)
      return call.promise
    })
    return { tickets, begun, calls, abandons }
  }

  it('calls back once for a ticket, however often it is asked meanwhile, and again after a call that failed', async () => {
    const { tickets, begun, calls } = make()
    for (const ticket of ['a', 'b', 'a', 'a', 'b']) tickets.asked(ticket)
    expect(begun).to.deep.equal(['a', 'b'])
    calls[0]?.reject(new Error('too late'))
    await turn()
    expect(begun).to.have.length(2)
    tickets.asked('a')
    tickets.asked('b')
    expect(begun).to.deep.equal(['a', 'b', 'a'])
  })

  it('calls back for so many at a time, one after the other, until it is closed', async () => {
    const { tickets, begun, calls, abandons } = make()
    const all = Array.from({ length: 300 }, (_, i) => String(i))
    for (const ticket of [...all, ...all]) tickets.asked(ticket)
    const atOnce = begun.length
    expect(atOnce).to.be.within(2, 128)
    calls[0]?.resolve()
    calls[1]?.reject(new Error('no'))
    await turn()
    expect(begun).to.deep.equal(all.slice(0, atOnce + 2))
    tickets.close(new Error('it leaves'))
    expect(abandons[0]?.reason?.message).to.equal('it leaves')
    calls[2]?.resolve()
    await turn()
    tickets.asked('another')
    expect(begun).to.have.length(atOnce + 2)
  })
})
