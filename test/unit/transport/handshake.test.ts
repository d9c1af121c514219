import { readFileSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { once } from 'node:events'
import { expect } from 'chai'
import {
  AuthenticationError,
  ConnectionLostError,
  ProtocolError,
  ProtocolVersionError,
} from '../../../runtime/base/errors.ts'
import { maxHelloBytes } from '../../../runtime/base/limits.ts'
import { protocolVersion } from '../../../runtime/protocol/version.ts'
import { isNotConnected } from '../../../runtime/transport/address-error.ts'
import { dial, openBulk } from '../../../runtime/transport/dial.ts'
import { decodeAnswer, encodeHello, packageVersion, peerHello } from '../../../runtime/transport/hello.ts'
import type { Hello } from '../../../runtime/transport/hello.ts'
import { readHead } from '../../../runtime/transport/read-head.ts'
import { Bench, Ear, failure, hello, Inbox, token } from './support.ts'

const from = hello('driver')
const goodHello: Hello = { from: peerHello(from), to: 'any', channel: 'control' }

describe('the handshake on a unix socket', () => {
  let bench: Bench
  beforeEach(() => {
    bench = new Bench()
  })
  afterEach(() => bench.close())

  function open(path: string): Socket {
    const socket = connect(path)
    socket.on('error', () => {})
    bench.later(() => socket.destroy())
    return socket
  }

  /** What a dialler that sent these bytes would get for an answer. */
  async function answerTo(path: string, bytes: Buffer): Promise<Error> {
    const socket = open(path)
    socket.write(bytes)
    return failure(readHead(socket, decodeAnswer))
  }

  it('tells the version of this package', () => {
    const file = join(import.meta.dirname, '../../../package.json')
    expect(packageVersion).to.equal((JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version)
  })

  it('lives in a folder that other users cannot enter, and leaves no file behind', async () => {
    const { listener } = await bench.unix()
    expect(statSync(dirname(listener.path)).mode & 0o777).to.equal(0o700)
    await listener.close()
    expect(() => statSync(listener.path)).to.throw(/ENOENT/)
  })

  it('replaces the socket file of a process that was killed', async () => {
    const dead = createServer().listen(join(bench.folder, '0.sock'))
    await once(dead, 'listening')
    bench.later(() => dead.close())
    const { listener } = await bench.unix()
    bench.keep(await dial({ address: { unix: listener.path }, to: 'any', from, token }))
  })

  it('refuses a wrong token and tells both sides', async () => {
    const { listener, refusals } = await bench.unix()
    const error = await failure(dial({ address: { unix: listener.path }, to: 'any', from, token: 'wrong' }))
    expect(error).to.be.instanceOf(AuthenticationError)
    expect(error.message).to.include('OUTPOOL_TOKEN').and.to.include(listener.path)
    expect((await refusals.take()).code).to.equal('authentication')
  })

  it('refuses to dial without a token', async () => {
    const { listener } = await bench.unix()
    const error = await failure(dial({ address: { unix: listener.path }, to: 'any', from, token: '' }))
    expect(error).to.be.instanceOf(AuthenticationError)
  })

  it('admits nobody where the own token is empty', async () => {
    const { listener } = await bench.unix({ token: '' })
    expect(await answerTo(listener.path, encodeHello(goodHello, ''))).to.be.instanceOf(AuthenticationError)
  })

  it('judges the token before it looks at anything behind it', async () => {
    const { listener, refusals } = await bench.unix()
    // Head alone, wrong token, and a body that never comes.
    const bytes = encodeHello(goodHello, 'wrong').subarray(0, 46)
    expect(await answerTo(listener.path, bytes)).to.be.instanceOf(AuthenticationError)
    expect((await refusals.take()).code).to.equal('authentication')
  })

  it('refuses another protocol version, naming both', async () => {
    const { listener, refusals } = await bench.unix()
    const bytes = encodeHello(goodHello, token)
    bytes.writeUInt16BE(99, 8)
    const error = await answerTo(listener.path, bytes)
    expect(error).to.be.instanceOf(ProtocolVersionError)
    expect(error.message)
      .to.include(`it came with protocol 99, where protocol ${protocolVersion} is spoken (outpool `)
      .and.to.include('(here is outpool ')
    expect((await refusals.take()).code).to.equal('protocol-version')
  })

  it('refuses garbage', async () => {
    const { listener, refusals } = await bench.unix()
    expect(await answerTo(listener.path, Buffer.from('GARBAGE\r\n\r\n'))).to.be.instanceOf(ProtocolError)
    expect((await refusals.take()).code).to.equal('malformed')
  })

  it('refuses an oversized hello by its announced length', async () => {
    const { listener, refusals } = await bench.unix()
    const bytes = encodeHello(goodHello, token).subarray(0, 46)
    bytes.writeUInt32BE(maxHelloBytes, 42)
    expect(await answerTo(listener.path, bytes)).to.be.instanceOf(ProtocolError)
    expect((await refusals.take()).code).to.equal('too-large')
  })

  it('fails at the dialler, when its own info makes the hello too large', async () => {
    const { listener } = await bench.unix()
    const info = { text: 'x'.repeat(maxHelloBytes) }
    const error = await failure(dial({ address: { unix: listener.path }, to: 'any', from: { ...from, info }, token }))
    expect(error).to.be.instanceOf(ProtocolError)
  })

  for (const [what, text] of [
    ['no JSON', '{'],
    ['an array', '[]'],
    ['no sender', '{"to":"any","channel":"control"}'],
    ['a foreign kind', JSON.stringify({ ...goodHello, from: { ...goodHello.from, kind: 'x' } })],
    ['an id that is none', JSON.stringify({ ...goodHello, to: { node: 'a', process: '../../x' } })],
    ['hops that never end', JSON.stringify({ ...goodHello, hops: -1e9 })],
    ['a key for a prototype', JSON.stringify(goodHello).replace('"test"', '"__proto__"')],
  ] as const)
    it(`refuses a hello that holds ${what}`, async () => {
      const { listener, refusals } = await bench.unix()
      const head = encodeHello(goodHello, token).subarray(0, 46)
      head.writeUInt32BE(text.length, 42)
      const error = await answerTo(listener.path, Buffer.concat([head, Buffer.from(text)]))
      expect(error).to.be.instanceOf(ProtocolError)
      expect((await refusals.take()).code).to.equal('malformed')
    })

  it('cuts off a silent connection', async () => {
    const { listener, refusals } = await bench.unix({ limits: { helloTimeoutMs: 40 } })
    const socket = open(listener.path)
    expect((await failure(readHead(socket, decodeAnswer))).message).to.match(/within 40 ms/)
    expect((await refusals.take()).code).to.equal('timeout')
    socket.destroy()
    while (listener.incoming.admission.size > 0) await new Promise((resolve) => setImmediate(resolve))
  })

  it('cuts off one that dribbles', async () => {
    const { listener, refusals } = await bench.unix({ limits: { helloTimeoutMs: 60 } })
    const socket = open(listener.path)
    const bytes = encodeHello(goodHello, token)
    let at = 0
    const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 10)
    bench.later(() => clearInterval(timer))
    expect((await refusals.take()).code).to.equal('timeout')
  })

  it('accepts a hello that comes byte by byte, and a message right behind it', async () => {
    const { listener, links } = await bench.unix()
    const socket = open(listener.path)
    const bytes = encodeHello(goodHello, token)
    for (let i = 0; i < 60; i++) {
      socket.write(bytes.subarray(i, i + 1))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const frame = Buffer.from([0, 0, 0, 7, 0xdd, 0, 0, 0, 1, 0x91, 42])
    socket.write(Buffer.concat([bytes.subarray(60), frame]))
    const ear = new Ear(await links.take())
    expect(await ear.messages.take()).to.deep.equal([42])
  })

  it('holds a bounded number of connections that have not authenticated', async () => {
    const { listener, refusals, links } = await bench.unix({
      limits: { maxUnauthenticated: 3, helloTimeoutMs: 60_000 },
    })
    const waiting = [open(listener.path), open(listener.path), open(listener.path)]
    await Promise.all(waiting.map((socket) => once(socket, 'connect')))
    while (listener.incoming.admission.size < 3) await new Promise((resolve) => setImmediate(resolve))
    const error = await failure(dial({ address: { unix: listener.path }, to: 'any', from, token }))
    expect(error).to.be.instanceOf(ConnectionLostError)
    expect(error.message).to.include('try again later')
    expect((await refusals.take()).code).to.equal('busy')
    waiting[0]?.destroy()
    while (listener.incoming.admission.size > 2) await new Promise((resolve) => setImmediate(resolve))
    bench.keep(await dial({ address: { unix: listener.path }, to: 'any', from, token }))
    await links.take()
  })

  it('names a process that is not there', async () => {
    const { listener, refusals } = await bench.unix()
    const error = await failure(dial({ address: { unix: listener.path }, to: hello(), from, token }))
    expect(error).to.be.instanceOf(ConnectionLostError)
    expect(error.message).to.include('is not here')
    expect((await refusals.take()).code).to.equal('gone')
  })

  it('turns away whom the process does not admit, with its reason', async () => {
    const { listener } = await bench.unix({ admit: () => ({ code: 'rejected', reason: 'another job' }) })
    const error = await failure(dial({ address: { unix: listener.path }, to: 'any', from, token }))
    expect(error.message).to.include('another job')
  })

  it('serves no bulk channel where none is wanted', async () => {
    const site = bench.site()
    const { onBulk: _, ...options } = site.options
    const { listenUnix } = await import('../../../runtime/transport/listen.ts')
    const listener = await listenUnix({ ...options, path: join(bench.folder, 'b.sock') })
    bench.later(() => listener.close())
    const error = await failure(openBulk({ address: { unix: listener.path }, to: 'any', from, token }))
    expect(error.message).to.include('no bulk channel')
  })

  it('says what to do, when nothing listens at a path or a port', async () => {
    const gone = join(bench.folder, 'gone.sock')
    const atPath = await failure(dial({ address: { unix: gone }, to: 'any', from, token }))
    expect(atPath).to.be.instanceOf(ConnectionLostError)
    expect(atPath.message).to.include(gone).and.to.include('the process has ended')
    const { listener } = await bench.port()
    const { url } = listener
    await listener.close()
    const atPort = await failure(dial({ address: { url }, to: 'any', from, token }))
    expect(atPort.message).to.include(url).and.to.include('outpool start')
    const bulk = await failure(openBulk({ address: { url }, to: 'any', from, token }))
    expect([atPath, atPort, bulk].map(isNotConnected)).to.deep.equal([true, true, true])
  })

  it('gives up on a listener that never answers', async () => {
    const sockets: Socket[] = []
    const mutes = [join(bench.folder, 'mute.sock'), 0].map((where) =>
      createServer((socket) => void sockets.push(socket)).listen(where),
    )
    await Promise.all(mutes.map((mute) => once(mute, 'listening')))
    bench.later(() => {
      sockets.forEach((socket) => socket.destroy())
      for (const mute of mutes) mute.close()
    })
    const unix = { unix: join(bench.folder, 'mute.sock') }
    const { port } = (mutes[1] as Server).address() as AddressInfo
    const url = { url: `ws://127.0.0.1:${port}` }
    for (const [open, address] of [
      [dial, unix],
      [dial, url],
      [openBulk, url],
    ] as const) {
      const error = await failure(open({ address, to: 'any', from, token, timeoutMs: 40 }))
      expect(error).to.be.instanceOf(ConnectionLostError)
      expect(error.message).to.match(/within 40 ms/)
      // Somebody took the connection.
      expect(isNotConnected(error)).to.equal(false)
    }
  })

  it('says so, when what listens is no Outpool process', async () => {
    const other = createServer((socket) => void socket.end('220 smtp.example.org ready\r\n')).listen(
      join(bench.folder, 'o.sock'),
    )
    await once(other, 'listening')
    bench.later(() => other.close())
    const error = await failure(dial({ address: { unix: join(bench.folder, 'o.sock') }, to: 'any', from, token }))
    expect(error).to.be.instanceOf(ProtocolError)
    expect(error.message).to.include('not an Outpool process')
  })

  it('closes a link with ProtocolError, when a frame is malformed or over the limit', async () => {
    const faults = new Inbox<Error>()
    const { listener, links } = await bench.unix({ limits: { maxFrameBytes: 1000 }, onFault: faults.put })
    for (const frame of ['00000004deadbeef', '000003e9', '00000007dd0000000192a0ff', '00000007dd0000000191a0ff']) {
      const socket = open(listener.path)
      socket.write(Buffer.concat([encodeHello(goodHello, token), Buffer.from(frame, 'hex')]))
      const ear = new Ear(await links.take())
      const reason = await ear.closed.take()
      expect(reason, frame).to.be.instanceOf(ProtocolError)
      expect(ear.messages.items).to.deep.equal([])
      // Once, whatever else comes.
      expect(faults.items.splice(0)).to.deep.equal([reason])
    }
  })

  it('tells of a bulk channel by which came what is no chunk, and of no link that only ended', async () => {
    const faults = new Inbox<Error>()
    const { listener, links } = await bench.unix({ onFault: faults.put })
    const ended = open(listener.path)
    ended.end(encodeHello(goodHello, token))
    await new Ear(await links.take()).closed.take()
    open(listener.path).write(
      Buffer.concat([encodeHello({ ...goodHello, channel: 'bulk' }, token), Buffer.from('ffffffff', 'hex')]),
    )
    await faults.has(1)
    expect(faults.items).to.have.length(1)
    expect(faults.items[0]?.message).to.match(/^driver \w+ of node \w+: a frame of 4294967295 bytes was announced/)
  })

  it('tells of a link that its user ends for what came by it, and of none that is ended for anything else', async () => {
    const faults = new Inbox<Error>()
    const { listener, links } = await bench.unix({ onFault: faults.put })
    for (const reason of [new ConnectionLostError('it is over'), new ProtocolError('it may not say that')]) {
      open(listener.path).write(encodeHello(goodHello, token))
      ;(await links.take()).close(reason)
    }
    expect(faults.items.map(({ message }) => message)).to.deep.equal(['it may not say that'])
  })
})
