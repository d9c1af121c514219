import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { AuthenticationError } from '../../../runtime/base/errors.ts'
import { environmentTls, tlsRequired } from '../../../runtime/transport/tls-environment.ts'

describe('OUTPOOL_TLS_CA', () => {
  let folder: string
  before(() => (folder = mkdtempSync(join(tmpdir(), 'tls-'))))
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('leaves everything open where it is not set', () => {
    for (const environment of [{}, { OUTPOOL_TLS_CA: '' }]) {
      expect(tlsRequired(environment)).equal(false)
      expect(environmentTls('ws://head:7420', environment)).deep.equal({})
      expect(environmentTls('wss://head:7420', environment)).deep.equal({})
    }
  })

  it('refuses an address in the clear where it is set, before anything is sent there', () => {
    for (const url of ['ws://head:7420', 'http://head:7420/metrics'])
      expect(() => environmentTls(url, { OUTPOOL_TLS_CA: 'system' })).to.throw(AuthenticationError, 'not encrypted')
  })

  it('names a file that is read anew for each connection, or what Node trusts', () => {
    const path = join(folder, 'ca.pem')
    const environment = { OUTPOOL_TLS_CA: path }
    expect(() => environmentTls('wss://head', environment)).to.throw(AuthenticationError, path)
    writeFileSync(path, 'one')
    expect(environmentTls('wss://head', environment)).deep.equal({ ca: Buffer.from('one') })
    writeFileSync(path, 'another')
    expect(environmentTls('https://head', environment)).deep.equal({ ca: Buffer.from('another') })
    expect(environmentTls('wss://head', { OUTPOOL_TLS_CA: 'system' })).deep.equal({})
  })
})
