import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { expect } from 'chai'
import {
  AuthenticationError,
  ConnectionLostError,
  ProtocolError,
  ProtocolVersionError,
} from '../../../runtime/base/errors.ts'
import { routesPath, subprotocol } from '../../../runtime/protocol/version.ts'
import { dial, openBulk } from '../../../runtime/transport/dial.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import { Bench, Ear, failure, hello, Inbox, token } from './support.ts'
import type { Site } from './support.ts'
import type { WebSocketListener } from '../../../runtime/transport/listen.ts'

const from = hello('driver')

interface Ask {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | undefined>>
}

describe("the handshake on a node's port", () => {
  let bench: Bench
  let site: Site & { listener: WebSocketListener }
  beforeEach(async () => {
    bench = new Bench()
    site = await bench.port({ limits: { helloTimeoutMs: 5_000 } })
  })
  afterEach(() => bench.close())

  const goodHeaders: Readonly<Record<string, string>> = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.alloc(16).toString('base64'),
    'sec-websocket-protocol': subprotocol,
    authorization: `Bearer ${token}`,
    'outpool-hello': Buffer.from(JSON.stringify({ from: peerHello(from), to: 'any', channel: 'control' })).toString(
      'base64url',
    ),
  }

  /** The status and body of what the port answers; 101 for an upgrade. Headers of undefined are left out. */
  async function ask({
    path = `${routesPath}/process/any`,
    headers = {},
  }: Ask): Promise<{ status: number; body: string }> {
    const kept: Record<string, string> = {}
    for (const [name, value] of Object.entries({ ...goodHeaders, ...headers }))
      if (value !== undefined) kept[name] = value
    const outgoing = request({ host: '127.0.0.1', port: site.listener.port, path, headers: kept, agent: false })
    outgoing.end()
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.on('upgrade', (response, socket) => {
        bench.later(() => socket.destroy())
        resolve(response)
      })
      outgoing.on('response', resolve)
      outgoing.on('error', reject)
    })
    let body = ''
    if (answer.statusCode !== 101) for await (const chunk of answer) body += String(chunk)
    return { status: answer.statusCode ?? 0, body }
  }

  it('lets a right request in', async () => {
    expect((await ask({})).status).to.equal(101)
    expect((await site.links.take()).peer.process).to.equal(from.process)
  })

  for (const [what, changed, status, code] of [
    ['a wrong token', { headers: { authorization: 'Bearer wrong' } }, 401, 'authentication'],
    ['no token', { headers: { authorization: undefined } }, 401, 'authentication'],
    ['a token in another scheme', { headers: { authorization: `Basic ${token}` } }, 401, 'authentication'],
    ['an Origin, even with the token', { headers: { origin: 'http://evil.example' } }, 403, 'origin'],
    ['an Origin of the node itself', { headers: { origin: 'http://localhost' } }, 403, 'origin'],
    ['a foreign Host', { headers: { host: 'evil.example:7420' } }, 421, 'host'],
    ['another subprotocol', { headers: { 'sec-websocket-protocol': 'outpool.v99' } }, 426, 'protocol-version'],
    ['no subprotocol', { headers: { 'sec-websocket-protocol': undefined } }, 426, 'protocol-version'],
    ['a path of another version', { path: '/v99/process/any' }, 426, 'protocol-version'],
    ['an unknown path', { path: `${routesPath}/elsewhere/any` }, 404, 'not-found'],
    ['a path that is no process', { path: `${routesPath}/process/../../etc` }, 404, 'not-found'],
    ['a process that is not there', { path: `${routesPath}/process/${'a'.repeat(16)}/${'b'.repeat(16)}` }, 404, 'gone'],
    [
      'a ticket that nobody gave',
      { path: `${routesPath}/back/abc`, headers: { upgrade: 'outpool-back' } },
      404,
      'not-found',
    ],
    ['an unknown upgrade', { headers: { upgrade: 'h2c' } }, 400, 'malformed'],
    ['no hello', { headers: { 'outpool-hello': undefined } }, 400, 'malformed'],
    ['a hello that is none', { headers: { 'outpool-hello': 'e30' } }, 400, 'malformed'],
    ['a large hello', { headers: { 'outpool-hello': 'A'.repeat(8_000) } }, 431, 'too-large'],
    ['too many headers', { headers: { 'x-long': 'A'.repeat(40_000) } }, 431, 'too-large'],
    ['a bad WebSocket key', { headers: { 'sec-websocket-key': 'x' } }, 400, 'malformed'],
  ] as const)
    it(`refuses ${what} with ${status}`, async () => {
      const { status: seen, body } = await ask(changed)
      expect(seen).to.equal(status)
      expect(JSON.parse(body)).to.include({ code })
      expect((await site.refusals.take()).code).to.equal(code)
      expect(site.links.items).to.deep.equal([])
    })

  for (const host of ['localhost', '127.0.0.1:9', 'LOCALHOST:7420'])
    it(`takes ${host} for a Host`, async () => {
      expect((await ask({ headers: { host } })).status).to.equal(101)
    })

  it('takes the advertised host for a Host, and every address of the machine when it listens on all', async () => {
    site = await bench.port({ host: '0.0.0.0', allowedHosts: ['node-1.example'] })
    expect((await ask({ headers: { host: 'node-1.example:80' } })).status).to.equal(101)
    expect((await ask({ headers: { host: '127.0.0.1' } })).status).to.equal(101)
    expect((await ask({ headers: { host: 'node-2.example' } })).status).to.equal(421)
  })

  for (const [what, frame, said] of [
    ['a text message', '81820000000068693a', /a text message came on a binary protocol/],
    ['a message that is not masked', '820100', /MASK must be set/],
    ['a message that is no frame of ours', '828400000000deadbeef', /./],
  ] as const)
    it(`ends a link by which ${what} comes, and tells who it was`, async () => {
      const faults = new Inbox<[Error, string]>()
      site = await bench.port({ onFault: (error, address) => faults.put([error, address]) })
      const socket = connect(site.listener.port, '127.0.0.1')
      bench.later(() => socket.destroy())
      const headers = { host: 'localhost', ...goodHeaders }
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`GET ${routesPath}/process/any HTTP/1.1\r\n${lines.join('')}\r\n`)
      const ear = new Ear(await site.links.take())
      socket.write(Buffer.from(frame, 'hex'))
      const [error, address] = await faults.take()
      expect(error).to.be.instanceOf(ProtocolError)
      expect(error.message).to.match(said).and.contain(from.process)
      expect(address).to.match(/^(::ffff:)?127\.0\.0\.1/)
      expect(await ear.closed.take()).to.equal(error)
    })

  it('answers a plain request with 404, and lets a callback serve it', async () => {
    const plain = { upgrade: undefined, connection: undefined }
    expect((await ask({ path: '/healthz', headers: plain })).status).to.equal(404)
    site = await bench.port({ onRequest: (_request, response) => void response.end('well') })
    expect(await ask({ path: '/healthz', headers: plain })).to.deep.equal({ status: 200, body: 'well' })
    expect((await ask({ path: '/healthz', headers: { ...plain, host: 'evil.example' } })).status).to.equal(421)
    expect((await ask({ path: '/healthz', headers: { ...plain, origin: 'http://evil.example' } })).status).to.equal(403)
  })

  it('refuses garbage', async () => {
    const socket = connect(site.listener.port, '127.0.0.1')
    bench.later(() => socket.destroy())
    socket.end('\0\0\0\0garbage\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).to.match(/^HTTP\/1.1 400 /)
    expect((await site.refusals.take()).code).to.equal('malformed')
  })

  it('cuts off a silent connection, and one that stops within its headers', async () => {
    site = await bench.port({ limits: { helloTimeoutMs: 40 } })
    for (const text of ['', `GET ${routesPath}/process/any HTTP/1.1\r\nHost: localhost\r\n`]) {
      const socket = connect(site.listener.port, '127.0.0.1')
      bench.later(() => socket.destroy())
      if (text !== '') socket.write(text)
      socket.resume()
      await once(socket, 'end')
      expect((await site.refusals.take()).code).to.equal('timeout')
      socket.destroy()
    }
  })

  it('holds a bounded number of connections that have not authenticated', async () => {
    site = await bench.port({ limits: { maxUnauthenticated: 2 } })
    const waiting = [1, 2].map(() => connect(site.listener.port, '127.0.0.1'))
    bench.later(() => waiting.forEach((socket) => socket.destroy()))
    while (site.listener.incoming.admission.size < 2) await new Promise((resolve) => setImmediate(resolve))
    const error = await failure(dial({ address: { url: site.listener.url }, to: 'any', from, token }))
    expect(error).to.be.instanceOf(ConnectionLostError)
    expect((await site.refusals.take()).code).to.equal('busy')
    waiting.forEach((socket) => socket.destroy())
    while (site.listener.incoming.admission.size > 0) await new Promise((resolve) => setImmediate(resolve))
    bench.keep(await dial({ address: { url: site.listener.url }, to: 'any', from, token }))
  })

  it('gives a dialler the error that fits, with the address', async () => {
    const address = { url: site.listener.url }
    const wrong = await failure(dial({ address, to: 'any', from, token: 'wrong' }))
    expect(wrong).to.be.instanceOf(AuthenticationError)
    expect(wrong.message).to.include(address.url).and.to.include('OUTPOOL_TOKEN')
    const absent = await failure(dial({ address, to: hello(), from, token }))
    expect(absent).to.be.instanceOf(ConnectionLostError)
    expect(absent.message).to.include('is not here')
    expect(await failure(openBulk({ address, to: 'any', from, token: 'wrong' }))).to.be.instanceOf(AuthenticationError)
  })

  it('gives a dialler ProtocolVersionError, when the node speaks another version', async () => {
    const { createServer } = await import('node:http')
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    bench.later(() => other.close())
    other.on(
      'upgrade',
      (_request, socket) =>
        void socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'),
    )
    const { port } = other.address() as { port: number }
    const error = await failure(dial({ address: { url: `ws://127.0.0.1:${port}` }, to: 'any', from, token }))
    expect(error).to.be.instanceOf(ProtocolVersionError)
  })

  it('says so, when another kind of server answers', async () => {
    const { createServer } = await import('node:http')
    const other = createServer((_request, response) => void response.writeHead(400).end('<html>')).listen(
      0,
      '127.0.0.1',
    )
    await once(other, 'listening')
    bench.later(() => other.close())
    const { port } = other.address() as { port: number }
    const error = await failure(dial({ address: { url: `ws://127.0.0.1:${port}` }, to: 'any', from, token }))
    expect(error).to.be.instanceOf(ProtocolError)
    expect(error.message).to.include(String(port))
    expect(error.message).to.include('an HTTP server answers there, which is no node of Outpool (status 400: "<html>")')
    expect(error.message).to.include('check host and port')
  })

  it('says so, when what answers speaks no HTTP, or is a WebSocket server of something else', async () => {
    const { createServer } = await import('node:net')
    const asked = async (answer: (text: string) => string): Promise<string> => {
      const other = createServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', (bytes) => void socket.write(answer(bytes.toString())))
      }).listen(0, '127.0.0.1')
      await once(other, 'listening')
      bench.later(() => other.close())
      const { port } = other.address() as { port: number }
      return (await failure(dial({ address: { url: `ws://127.0.0.1:${port}` }, to: 'any', from, token }))).message
    }
    expect(await asked(() => "-ERR unknown command 'GET'\r\n")).to.match(
      /^ws:\S+ what answers there speaks no HTTP, so it is no node of Outpool \(.*\); check host and port/,
    )
    const { createHash } = await import('node:crypto')
    const accept = (text: string): string => {
      const key = /^sec-websocket-key: (.*)$/im.exec(text)?.[1]?.trim() ?? ''
      const sum = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${sum}\r\n\r\n`
    }
    expect(await asked(accept)).to.match(/^ws:\S+ a WebSocket server answers there, which is no node of Outpool; check/)
  })

  it('says so, when the port is taken', async () => {
    const error = await failure(bench.port({ port: site.listener.port }))
    expect(error.message).to.include(String(site.listener.port)).and.to.include('in use')
  })
})
