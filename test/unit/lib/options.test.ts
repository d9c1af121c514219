import { expect } from 'chai'
import { compileOptions, maxReturns } from '../../../lib/options.ts'

const compile = (options: object): ReturnType<typeof compileOptions> => compileOptions(options, 'f')

describe('the options of a task', () => {
  it('have defaults: one CPU, three retries of system failures, one value, no limit of time', () => {
    expect(compile({})).to.deep.equal({
      resources: [['CPU', 10_000]],
      maxRetries: 3,
      retryExceptions: false,
      priority: 0,
      timeoutMs: 0,
      signal: undefined,
      name: undefined,
      numReturns: 1,
      streaming: false,
    })
  })

  it('are compiled into units, integers and milliseconds', () => {
    const { signal } = new AbortController()
    const given = { numCpus: 0.5, numGpus: 1, memory: '1MiB', resources: { unicorn: 2 }, maxRetries: -1, priority: -5 }
    const compiled = compile({ ...given, timeout: 1.5, signal, name: 'n', numReturns: 2, retryExceptions: true })
    expect(compiled).to.include({ maxRetries: -1, priority: -5, timeoutMs: 1.5, signal, name: 'n', numReturns: 2 })
    expect(Object.fromEntries(compiled.resources)).to.deep.equal({
      ...{ CPU: 5_000, GPU: 10_000, memory: 10_000, unicorn: 20_000 },
    })
    expect(compile({ schedulingStrategy: 'DEFAULT', timeout: Infinity }).timeoutMs).to.equal(0)
  })

  for (const [options, what] of [
    [5, 'a number'],
    ['1s', 'a string'],
    [null, 'null'],
    [[1], 'an array'],
  ] as const) {
    it(`are an object, and not ${what}`, () => {
      expect(() => compile(options as never)).to.throw(
        TypeError,
        `f: the options are an object, such as { numCpus: ... }, not ${what}`,
      )
    })
  }

  const refused: readonly (readonly [object, RegExp])[] = [
    [{ maxRetries: -2 }, /f: maxRetries .*-2/],
    [{ maxRetries: 1.5 }, /maxRetries/],
    [{ maxRetries: 40_000 }, /maxRetries/],
    [{ maxRetries: '3' }, /maxRetries/],
    [{ priority: 0.5 }, /priority/],
    [{ priority: NaN }, /priority/],
    [{ timeout: 0 }, /timeout/],
    [{ timeout: -1 }, /timeout/],
    [{ timeout: NaN }, /timeout/],
    [{ timeout: '1s' }, /timeout/],
    [{ numReturns: 0 }, /numReturns/],
    [{ numReturns: maxReturns + 1 }, /numReturns/],
    [{ numCpus: -1 }, /numCpus/i],
    [{ numCpus: NaN }, /numCpus/i],
    [{ numCpus: 0.00001 }, /numCpus/i],
    [{ memory: 'much' }, /memory/],
    [{ resources: { unicorn: -1 } }, /unicorn/],
    [{ signal: {} }, /signal/],
    [{ name: 5 }, /name/],
    [{ retryExceptions: 1 }, /retryExceptions/],
    [{ schedulingStrategy: 'SPREAD' }, /SPREAD.*not supported yet/],
    [{ numCPUs: 1 }, /no option 'numCPUs' \(did you mean 'numCpus'\?\)/],
    [{ labels: {} }, /'labels' is not supported yet/],
    [{ xyzzy: 1 }, /no option 'xyzzy'$/],
  ]
  for (const [options, message] of refused) {
    it(`are refused by name: ${JSON.stringify(options, (_key, value: unknown) => (Number.isNaN(value) ? 'NaN' : value))}`, () => {
      expect(() => compile(options))
        .to.throw(Error, message)
        .and.satisfy((error: Error) => error instanceof TypeError || error instanceof RangeError)
    })
  }
})
