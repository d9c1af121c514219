import { expect } from 'chai'
import { AsyncResult, type ResultSettler } from '../../../compat/multiprocessing/async-result.ts'
import { TimeoutError, ValueError } from '../../../compat/shared/python-errors.ts'

function pending<R>(
  callback?: (value: R) => void,
  errorCallback?: (error: unknown) => void,
): { result: AsyncResult<R>; settle: ResultSettler<R> } {
  let settle!: ResultSettler<R>
  const result = new AsyncResult<R>((given) => (settle = given), callback, errorCallback)
  return { result, settle }
}

const reasonOf = (promise: PromiseLike<unknown>): PromiseLike<unknown> =>
  promise.then(
    () => 'it resolved',
    (error: unknown) => error,
  )

describe('AsyncResult', () => {
  it('is not ready until its call has completed, and then tells how', async () => {
    const { result, settle } = pending<number>()
    expect(result.ready()).to.equal(false)
    expect(() => result.successful()).to.throw(ValueError, 'not ready')
    settle.resolve(3)
    expect(result.ready()).to.equal(true)
    expect(result.successful()).to.equal(true)
    expect(await result.get()).to.equal(3)
    expect(await result).to.equal(3)
  })

  it('rejects with what the call threw, as it is', async () => {
    const { result, settle } = pending<number>()
    const error = new RangeError('no')
    settle.reject(error)
    expect(result.successful()).to.equal(false)
    expect(await reasonOf(result.get())).to.equal(error)
    expect(await reasonOf(result)).to.equal(error)
  })

  it('rejects get with TimeoutError after so many seconds, and has the value later', async () => {
    const { result, settle } = pending<number>()
    expect(await reasonOf(result.get(0.002))).to.be.instanceOf(TimeoutError)
    settle.resolve(1)
    expect(await result.get(0)).to.equal(1)
  })

  it('lets wait end without an error, in time or not, failed or not', async () => {
    const { result, settle } = pending<number>()
    await result.wait(0.002)
    expect(result.ready()).to.equal(false)
    settle.reject(new Error('no'))
    await result.wait(60)
    await result.wait()
    expect(result.ready()).to.equal(true)
  })

  it('calls the callback with the value, and the other one with the error', async () => {
    const seen: unknown[] = []
    const good = pending<number>((value) => seen.push(value))
    const bad = pending<number>(undefined, (error) => seen.push((error as Error).message))
    good.settle.resolve(1)
    bad.settle.reject(new Error('no'))
    await good.result
    await reasonOf(bad.result)
    expect(seen).to.deep.equal([1, 'no'])
  })

  it('fails, and is ready, where its call could not be started', async () => {
    const error = new Error('nothing to start it with')
    const seen: unknown[] = []
    const result = new AsyncResult(
      () => {
        throw error
      },
      null,
      (reason) => seen.push(reason),
    )
    expect([result.ready(), result.successful()]).to.deep.equal([true, false])
    expect(await reasonOf(result)).to.equal(error)
    expect(seen).to.deep.equal([error])
  })

  it('settles once', async () => {
    const seen: number[] = []
    const { result, settle } = pending<number>((value) => seen.push(value))
    settle.resolve(1)
    settle.resolve(2)
    settle.reject(new Error('late'))
    expect(await result).to.equal(1)
    expect(seen).to.deep.equal([1])
  })

  it('refuses a timeout that is not a number', async () => {
    const { result } = pending<number>()
    expect(await reasonOf(result.get('soon' as never))).to.be.instanceOf(TypeError)
  })
})
