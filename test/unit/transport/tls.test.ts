import { expect } from 'chai'
import { ConnectionLostError } from '../../../runtime/base/errors.ts'
import type { ProcessAddress } from '../../../runtime/base/ids.ts'
import { dial, openBulk } from '../../../runtime/transport/dial.ts'
import { Bench, Ear, failure, hello, token } from './support.ts'

/** Self-signed, for localhost and 127.0.0.1, good until 2126; of no use anywhere else. */
const cert = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUJAXemx/VO04zzqVli3WTHfjZqK0wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTAwNTk1M1oYDzIxMjYxMDI4
MDA1OTUzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASUk7J9XJE+CRy7C1S3XHASgobjYrp8bVdc1PSuJhd8PSWDHLOkF41L
qkWLFr9/nS8ImczB0iYCpIe1UduOOmrgo28wbTAdBgNVHQ4EFgQU1BlQFoOyy5At
ptL/N67fT/xOmsMwHwYDVR0jBBgwFoAU1BlQFoOyy5AtptL/N67fT/xOmsMwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgLUCXaPR83FL79zhJ02X9jsz9KosXNmKtnReVfeprDvsCIQCa
jiPF/c4kvcwj1H5zks6OegnQDP5j8r8ach2V6KYgmQ==
-----END CERTIFICATE-----
`
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgFyqvitylSjrzqBh4
UrWhpE1+FmHNWOvn1WKeo/izVjahRANCAASUk7J9XJE+CRy7C1S3XHASgobjYrp8
bVdc1PSuJhd8PSWDHLOkF41LqkWLFr9/nS8ImczB0iYCpIe1UduOOmrg
-----END PRIVATE KEY-----
`

describe('a port with TLS', () => {
  let bench: Bench
  beforeEach(() => {
    bench = new Bench()
  })
  afterEach(() => bench.close())

  it('serves links and bulk channels to whoever trusts its certificate, and splices on in the clear', async () => {
    const worker = await bench.unix()
    const resolveTarget = (): { kind: 'unix'; path: string } => ({ kind: 'unix', path: worker.listener.path })
    const node = await bench.port({ tls: { cert, key }, resolveTarget })
    expect(node.listener.url).to.match(/^wss:/)
    const to: ProcessAddress = { node: worker.self.node, process: worker.self.process }
    const options = { address: { url: node.listener.url }, from: hello('driver'), token, tls: { ca: cert } }
    const direct = new Ear(bench.keep(await dial({ ...options, to: 'any' })))
    const far = new Ear(await node.links.take())
    far.link.send([1, new Uint8Array(200_000)])
    direct.link.send([2])
    expect((await direct.messages.take())[1]).to.have.length(200_000)
    expect(await far.messages.take()).to.deep.equal([2])
    const through = new Ear(bench.keep(await dial({ ...options, to })))
    ;(await worker.links.take()).send([3])
    expect(await through.messages.take()).to.deep.equal([3])
    const bulk = await openBulk({ ...options, to })
    const farBulk = await worker.bulks.take()
    const over = new Promise((resolve) => (farBulk.onClose = resolve))
    let received = 0
    farBulk.onChunk = (chunk) => void (received += chunk.length)
    for (let i = 0; i < 4; i++) await bulk.send(Buffer.alloc(1 << 20))
    bulk.close()
    expect([await over, received]).to.deep.equal([null, 4 << 20])
  })

  it('is not trusted without its certificate', async () => {
    const node = await bench.port({ tls: { cert, key } })
    const error = await failure(dial({ address: { url: node.listener.url }, to: 'any', from: hello('driver'), token }))
    expect(error).to.be.instanceOf(ConnectionLostError)
    expect(error.message).to.include('self-signed').and.include('OUTPOOL_TLS_CA')
  })

  it('is told from one without, and says which address begins how', async () => {
    const [secure, plain] = [await bench.port({ tls: { cert, key } }), await bench.port()]
    const dialled = (url: string): Promise<Error> =>
      failure(dial({ address: { url }, to: 'any', from: hello('driver'), token }))
    expect((await dialled(secure.listener.url.replace('wss:', 'ws:'))).message).to.match(/handshake failed.*wss:/)
    expect((await dialled(plain.listener.url.replace('ws:', 'wss:'))).message).to.match(/speaks no TLS; use ws:/)
  })

  it('relays to a node with TLS', async () => {
    const far = await bench.port({ tls: { cert, key } })
    const to: ProcessAddress = { node: far.self.node, process: far.self.process }
    const resolveTarget = (): { kind: 'relay'; url: string } => ({ kind: 'relay', url: far.listener.url })
    const port = await bench.port({ resolveTarget, relayTls: { ca: cert } })
    const unix = await bench.unix({ resolveTarget, relayTls: { ca: cert } })
    for (const address of [{ url: port.listener.url }, { unix: unix.listener.path }]) {
      const near = new Ear(bench.keep(await dial({ address, to, from: hello('driver'), token })))
      ;(await far.links.take()).send([7])
      expect(await near.messages.take()).to.deep.equal([7])
    }
  })
})
