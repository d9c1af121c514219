import { connect } from 'node:net'
import { once } from 'node:events'
import { expect } from 'chai'
import { dialPatiently } from '../../../runtime/transport/patient.ts'
import { Bench, failure, hello, token } from './support.ts'

describe('a patient dial', () => {
  let bench: Bench
  beforeEach(() => {
    bench = new Bench()
  })
  afterEach(() => bench.close())

  const from = hello('driver')

  it('tries again where too many others wait to be heard', async () => {
    const limits = { maxUnauthenticated: 1, helloTimeoutMs: 400 }
    const { listener, refusals } = await bench.unix({ limits })
    const silent = connect(listener.path)
    bench.later(() => silent.destroy())
    silent.on('error', () => {})
    await once(silent, 'connect')
    bench.keep(await dialPatiently({ address: { unix: listener.path }, to: 'any', from, token }))
    const { code } = await refusals.take()
    expect(code).equal('busy')
  })

  it('ends at once with what does not change by itself', async () => {
    const { listener, refusals } = await bench.unix()
    const error = await failure(dialPatiently({ address: { unix: listener.path }, to: 'any', from, token: 'wrong' }))
    expect(error).to.have.property('code', 'ERR_OUTPOOL_AUTHENTICATION')
    expect((await refusals.take()).code).equal('authentication')
    expect(refusals.items).to.deep.equal([])
  })
})
