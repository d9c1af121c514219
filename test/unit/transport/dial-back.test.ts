import { Duplex } from 'node:stream'
import { expect } from 'chai'
import { ConnectionLostError } from '../../../runtime/base/errors.ts'
import { DialBackTable } from '../../../runtime/transport/dial-back.ts'
import { failure } from './support.ts'
import { ManualClock } from '../manual-clock.ts'

describe('DialBackTable', () => {
  function make(): { table: DialBackTable; clock: ManualClock } {
    const clock = new ManualClock()
    return { table: new DialBackTable(clock), clock }
  }

  it('hands the connection to whoever waits for its ticket, once', async () => {
    const { table, clock } = make()
    const first = table.issue('driver')
    const second = table.issue('driver')
    expect(first.ticket).to.match(/^[0-9a-f]{32}$/)
    const socket = new Duplex()
    expect(table.complete(second.ticket, socket)).to.equal(true)
    expect(await second.socket).to.equal(socket)
    expect(table.complete(second.ticket, socket)).to.equal(false)
    expect(table.complete('unknown', socket)).to.equal(false)
    expect(table.size).to.equal(1)
    table.cancel(first.ticket, 'the link closed')
    expect((await failure(first.socket)).message).to.include('the link closed')
    expect(clock.pending).to.equal(0)
  })

  it('waits for who computes, for as long as they are there', async () => {
    const { table, clock } = make()
    const [first, second] = [table.issue('driver'), table.issue('another')]
    clock.advance(3_600_000)
    expect(table.size).to.equal(2)
    table.gone('driver', 'its link is lost')
    const error = await failure(first.socket)
    expect(error).to.be.instanceOf(ConnectionLostError)
    expect(error.message).to.include('its link is lost')
    expect(table.complete(second.ticket, new Duplex())).to.equal(true)
  })

  it('gives up after the time that was given', async () => {
    const { table, clock } = make()
    const { ticket, socket } = table.issue('node', { timeoutMs: 5_000 })
    clock.advance(4_999)
    expect(table.size).to.equal(1)
    clock.advance(1)
    expect(await failure(socket)).to.be.instanceOf(ConnectionLostError)
    expect(table.complete(ticket, new Duplex())).to.equal(false)
  })

  it('asks again with the same ticket until somebody comes with it, and at once when who was asked is back', async () => {
    const { table, clock } = make()
    const asked: string[] = []
    const again = (ticket: string): void => void asked.push(ticket)
    const [a, b, c] = ['driver', 'driver', 'another'].map((who) => table.issue(who, { again }).ticket)
    expect(asked).to.deep.equal([])
    clock.advance(5_000)
    expect(asked.splice(0)).to.deep.equal([a, b, c])
    table.complete(a ?? '', new Duplex())
    clock.advance(5_000)
    expect(asked.splice(0)).to.deep.equal([b, c])
    table.back('driver')
    expect(asked.splice(0)).to.deep.equal([b])
    table.gone('driver', 'its link is lost')
    table.cancel(c ?? '', 'nobody waits')
    expect(clock.pending).to.equal(0)
    clock.advance(60_000)
    table.back('driver')
    expect(asked).to.deep.equal([])
  })

  it('cancels everything when the node stops', async () => {
    const { table, clock } = make()
    const { socket } = table.issue('driver', { again: () => {} })
    table.closeAll('the node is stopping')
    expect((await failure(socket)).message).to.include('stopping')
    expect(clock.pending).to.equal(0)
  })
})
