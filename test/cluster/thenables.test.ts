import { expect } from 'chai'
import { init, remote, shutdown } from 'outpool'
import { usePlainWorkers } from './support.ts'
import { rejection } from '../tools/rejection.ts'

type Then = (resolve: (value: unknown) => void, reject: (error: Error) => void) => void

// oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
const having = (then: Then, target: object = {}): object => Object.assign(target, { then })

describe('a task that returns a thenable', () => {
  usePlainWorkers()
  before(() => init({ numCpus: 1 }))
  after(shutdown)

  const pid = remote(() => process.pid)

  it('has its first answer alone, and its worker lives, when that calls back twice', async () => {
    const twice = remote(() =>
      having((resolve) => {
        resolve('first')
        resolve('second')
      }),
    )
    const worker = await pid.run()
    expect(await Promise.all([twice.run(), twice.run(), pid.run()])).to.deep.equal(['first', 'first', worker])
    expect(await pid.run()).to.equal(worker)
  })

  it('keeps the other tasks of its worker, when that calls back again later', async () => {
    const later = remote(() =>
      having((resolve) => {
        resolve('first')
        setTimeout(() => resolve('second'), 5)
      }),
    )
    const slow = remote(async (value: string) => {
      await new Promise((done) => setTimeout(done, 50))
      return value
    })
    const worker = await pid.run()
    expect(await Promise.all([later.run(), slow.run('a'), slow.run('b')])).to.deep.equal(['first', 'a', 'b'])
    expect(await pid.run()).to.equal(worker)
  })

  it('ignores what is thrown, or rejected, after it has called back', async () => {
    const throwing = remote(() =>
      having((resolve) => {
        resolve('settled')
        throw new Error('too late')
      }),
    )
    const rejecting = remote(() =>
      having((resolve, reject) => {
        resolve('settled')
        reject(new Error('too late'))
      }),
    )
    const worker = await pid.run()
    expect(await Promise.all([throwing.run(), rejecting.run()])).to.deep.equal(['settled', 'settled'])
    expect(await pid.run()).to.equal(worker)
  })

  it('resolves to what is in it, however deep, and fails with what it throws', async () => {
    const nested = remote(() => having((resolve) => resolve(Promise.resolve(having((settle) => settle('deep'))))))
    const broken = remote(() =>
      having(() => {
        throw new RangeError('no answer')
      }),
    )
    expect(await nested.run()).to.equal('deep')
    expect(await rejection(broken.run())).to.be.instanceOf(RangeError)
  })

  it('settles once for a promise with a then of its own', async () => {
    const own = remote(() =>
      having((resolve) => {
        resolve('first')
        resolve('second')
      }, Promise.resolve('third')),
    )
    const worker = await pid.run()
    expect(await own.run()).to.equal('first')
    expect(await pid.run()).to.equal(worker)
  })
})
