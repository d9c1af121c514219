import { expect } from 'chai'
import { parseClusterAddress } from '../../../runtime/cluster/node-address.ts'

describe('parseClusterAddress', () => {
  const good: [string, string][] = [
    ['ws://head:7420', 'ws://head:7420'],
    [' ws://head:7420/ ', 'ws://head:7420'],
    ['ws://head', 'ws://head:7420'],
    ['head', 'ws://head:7420'],
    ['10.0.0.1:8000', 'ws://10.0.0.1:8000'],
    ['ws://[::1]:7420', 'ws://[::1]:7420'],
    ['ws://head:80', 'ws://head:80'],
    ['wss://head', 'wss://head:7420'],
    ['wss://head:443/', 'wss://head:443'],
  ]
  for (const [text, url] of good)
    it(`reads ${JSON.stringify(text)} as ${url}`, () => expect(parseClusterAddress(text, false)).to.equal(url))

  it('means TLS by a name alone, where TLS is required', () =>
    expect(parseClusterAddress('head:80', true)).to.equal('wss://head:80'))

  const bad: [string, RegExp][] = [
    ['http://head:7420', /begins with ws:/],
    ['redis://head', /begins with ws:/],
    ['ws://head:7420/path', /nothing more/],
    ['ws://user:secret@head', /nothing more/],
    ['ws://head:7420?token=x', /token comes from OUTPOOL_TOKEN/],
    ['', /not an address/],
    ['ws://head:99999', /not an address/],
  ]
  for (const [text, message] of bad)
    it(`refuses ${JSON.stringify(text)}`, () => expect(() => parseClusterAddress(text)).to.throw(message))
})
