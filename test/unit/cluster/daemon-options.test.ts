import { expect } from 'chai'
import { networkInterfaces } from 'node:os'
import { advertisedHost, isLoopback, clearTextWarning } from '../../../runtime/cluster/daemon-options.ts'

describe('advertisedHost', () => {
  const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address))

  it('is the host itself, unless that is every network', async () => {
    expect(await advertisedHost('10.1.2.3', '')).to.equal('10.1.2.3')
    expect(await advertisedHost('node.example', 'ignored.example')).to.equal('node.example')
  })

  it('is an address of this machine, for every network', async () => {
    for (const towards of ['', '127.0.0.1', ...own.filter((address) => !address.includes(':')), 'no such host'])
      expect(['127.0.0.1', ...own]).to.include(await advertisedHost('0.0.0.0', towards))
  })
})

describe('isLoopback', () => {
  for (const [host, loopback] of [
    ['localhost', true],
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['[::1]', true],
    ['10.0.0.1', false],
    ['127.example.com', false],
  ] as const)
    it(`says ${loopback} of ${host}`, () => expect(isLoopback(host)).to.equal(loopback))
})

describe('clearTextWarning', () => {
  it('warns of a port that others reach without TLS, and of no other', () => {
    for (const host of ['0.0.0.0', '10.0.0.7', '::'])
      expect(clearTextWarning({ host })).to.match(/^warning: .* without TLS/)
    for (const host of ['127.0.0.1', '::1', 'localhost']) expect(clearTextWarning({ host })).equal('')
    expect(clearTextWarning({})).equal('')
    expect(clearTextWarning({ host: '0.0.0.0', tls: { cert: 'a', key: 'b' } })).equal('')
  })
})
