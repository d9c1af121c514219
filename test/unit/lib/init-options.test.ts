import { expect } from 'chai'
import { compileInit } from '../../../lib/init-options.ts'

const compile = (options: object, environment: NodeJS.ProcessEnv = {}): ReturnType<typeof compileInit> =>
  compileInit(options, environment)

describe('the options of init', () => {
  it('are a node of its own that shows what workers print, without any', () => {
    expect(compile({})).to.deep.include({ address: undefined, token: undefined, node: {}, logToDriver: true })
    expect(compile({}).limits).to.deep.equal({
      ...{ maxQueuedTasks: 2_000_000, maxQueuedBytes: 512 * 2 ** 20, maxLineageBytes: 256 * 2 ** 20 },
    })
    expect(compile({ maxLineageBytes: 0 }).limits.maxLineageBytes).to.equal(0)
  })

  it('take the address from the environment, unless one is given', () => {
    const environment = { OUTPOOL_ADDRESS: 'ws://far:1' }
    expect(compile({}, environment).address).to.equal('ws://far:1')
    expect(compile({ address: 'ws://near:1' }, environment).address).to.equal('ws://near:1')
    expect(compile({}, { OUTPOOL_ADDRESS: '' }).address).to.equal(undefined)
    expect(compile({}, { OUTPOOL_ADDRESS: ' \n' }).address).to.equal(undefined)
    expect(compile({}, { OUTPOOL_ADDRESS: 'ws://far:1\n' }).address).to.equal('ws://far:1')
  })

  it('describe a local node, and cannot where there is an address', () => {
    const node = { numCpus: 2, memory: '1GiB', resources: { a: 1 }, infeasibleTimeout: 5 }
    expect(compile(node).node).to.deep.equal({
      ...{ numCpus: 2, memory: '1GiB', resources: { a: 1 }, infeasibleTimeoutMs: 5 },
    })
    expect(() => compile({ address: 'ws://x:1', numCpus: 2, memory: 1 })).to.throw(TypeError, /numCpus, memory/)
  })

  it('are refused by name, in the words that were given', () => {
    expect(() => compile({ numCPUs: 2 })).to.throw(TypeError, /init: .*'numCPUs'.*'numCpus'/)
    expect(() => compile({ logsToDriver: true })).to.throw(TypeError, /'logToDriver'/)
    expect(() => compile({ address: 'ws://x:1', infeasibleTimeout: 5 })).to.throw(TypeError, /init: infeasibleTimeout /)
  })

  const refused: readonly (readonly [object, RegExp])[] = [
    [{ maxQueuedTasks: 0 }, /maxQueuedTasks/],
    [{ maxQueuedTasks: NaN }, /maxQueuedTasks/],
    [{ maxQueuedTasks: '5' }, /maxQueuedTasks/],
    [{ maxQueuedBytes: -1 }, /maxQueuedBytes/],
    [{ maxLineageBytes: -1 }, /maxLineageBytes/],
    [{ infeasibleTimeout: -1 }, /infeasibleTimeout/],
    [{ infeasibleTimeout: NaN }, /infeasibleTimeout/],
    [{ logToDriver: 'no' }, /logToDriver/],
    [{ address: 5 }, /address/],
    [{ token: 5 }, /token/],
  ]
  for (const [options, message] of refused) {
    it(`are refused when they mean nothing: ${JSON.stringify(options)}`, () => {
      expect(() => compile(options)).to.throw(Error, message)
    })
  }
})
