import { inspect } from 'node:util'
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
    ['ws://head:7420#x', /nothing more/],
    ['', /not an address/],
    ['ws://head:99999', /not an address/],
  ]
  for (const [text, message] of bad)
    it(`refuses ${JSON.stringify(text)}`, () => expect(() => parseClusterAddress(text)).to.throw(message))

  const secret = [
    'ws://user:secret@head:7420',
    'ws://secret@head:7420',
    'user:secret@head:7420',
    'ws://user:se@cret@head:7420',
    'ws://user:x/secret@head:99999',
    'ws://head:7420?token=secret',
    'head:7420/path?token=secret#secret',
    'ws://head:7420?token=se@cret',
    'ws://user:secret?cret@head',
    'ws://head:7420#secret',
    'redis://:secret@head:6379/0?x=secret',
    'ws://:secret@',
    ' ws://a:secret@head:99999',
    'ws://a:\nsecret@head:99999',
  ]
  for (const text of secret)
    it(`does not repeat what is secret in ${JSON.stringify(text)}`, () => {
      let error: unknown
      try {
        parseClusterAddress(text)
      } catch (thrown) {
        error = thrown
      }
      expect(error).to.be.an('error')
      expect(inspect(error, { depth: 5 }).split('\n    at')[0])
        .to.match(/address/)
        .and.not.match(/secret|cret/)
    })

  it('says what was written where that has no secret', () => {
    expect(() => parseClusterAddress('ws://head:7420/some/path')).to.throw('ws://head:7420/some/path: an address is')
    expect(() => parseClusterAddress('ws://user:secret@head:99999')).to.throw('"ws://***@head:99999" is not an address')
    expect(() => parseClusterAddress('ws://head?token=secret')).to.throw('ws://head?***: an address is')
  })
})
