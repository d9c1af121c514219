import { expect } from 'chai'
import { init, remote, shutdown } from 'outpool'

describe('what was set on a function', () => {
  before(async () => {
    await init({ numCpus: 1 })
  })
  after(async () => {
    await shutdown()
  })

  it('is there where the function reads it, as it is at each call', async () => {
    function scale(x: number): number {
      return x * scale.rate
    }
    scale.rate = 3
    const run = remote(scale)
    expect(await run.run(2)).equal(6)
    scale.rate = 5
    expect(await run.run(2)).equal(10)
  })

  it('is that of its worker where the function changes it', async () => {
    function next(): number {
      next.last = (next.last ?? 0) + 1
      return next.last
    }
    next.last = 10 as number | undefined
    const run = remote(next)
    expect([await run.run(), await run.run(), next.last]).deep.equal([1, 2, 10])
  })

  it('is there on the prototype of a generator, as it is at each call', async () => {
    type Counting = Generator<number> & { first(): string; readonly kind: string }
    function* count(): Generator<number> {
      yield 1
    }
    async function* later(): AsyncGenerator<number> {
      yield 2
    }
    Object.defineProperty(count.prototype, 'kind', { get: () => 'counting' })
    Object.assign(count.prototype as object, { first: () => 'a' })
    Object.assign(later.prototype as object, { first: () => 'later' })
    const run = remote(() => {
      const all = count() as Counting
      return [all.first(), all.kind, ...all, (later() as unknown as Counting).first()]
    })
    expect(await run.run()).deep.equal(['a', 'counting', 1, 'later'])
    Object.assign(count.prototype as object, { first: () => 'b' })
    expect(await run.run()).deep.equal(['b', 'counting', 1, 'later'])
  })
})
