import dns from 'node:dns'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { expect } from 'chai'
import { connectTo } from '../../../runtime/transport/splice.ts'

describe('a connection to a name that takes its time to be looked up', () => {
  const { lookup } = dns
  let server: Server
  beforeEach(async () => {
    server = createServer((socket) => socket.resume().on('end', () => socket.end())).listen(0, '127.0.0.1')
    await once(server, 'listening')
    // What the system says, later: as where its first name server is gone.
    const later = (...args: Parameters<typeof lookup>): void => void setTimeout(() => lookup(...args), 300)
    Object.assign(dns, { lookup: later })
  })
  afterEach(async () => {
    Object.assign(dns, { lookup })
    server.close()
    await once(server, 'close')
  })

  it('is made, also where that took longer than the connection itself may', async () => {
    const { port } = server.address() as AddressInfo
    const socket = await connectTo({ url: `ws://localhost:${port}` }, { timeoutMs: 200 })
    socket.end()
    await once(socket.resume(), 'close')
    expect(socket.destroyed).to.equal(true)
  })
})
