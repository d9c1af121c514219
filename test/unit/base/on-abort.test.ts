import { getEventListeners } from 'node:events'
import { expect } from 'chai'
import { deferred } from '../../../runtime/base/deferred.ts'
import { onAbort, unlessAborted } from '../../../runtime/base/on-abort.ts'

describe('onAbort', () => {
  it('calls everybody who listens, once, over a single listener', () => {
    const controller = new AbortController()
    const called: number[] = []
    for (let i = 0; i < 20; i++) onAbort(controller.signal, () => void called.push(i))
    expect(getEventListeners(controller.signal, 'abort')).to.have.length(1)
    controller.abort()
    expect(called).to.deep.equal(Array.from({ length: 20 }, (_, i) => i))
    expect(getEventListeners(controller.signal, 'abort')).to.have.length(0)
  })

  it('takes back one of two that are the same function, and its listener with the last', () => {
    const controller = new AbortController()
    let called = 0
    const action = (): void => void called++
    const [first, second] = [onAbort(controller.signal, action), onAbort(controller.signal, action)]
    first()
    first()
    expect(getEventListeners(controller.signal, 'abort')).to.have.length(1)
    second()
    expect(getEventListeners(controller.signal, 'abort')).to.have.length(0)
    onAbort(controller.signal, action)
    controller.abort()
    first()
    expect(called).to.equal(1)
  })

  it('leaves out what is taken back by another while it is raised', () => {
    const controller = new AbortController()
    const called: string[] = []
    const stops: (() => void)[] = []
    onAbort(controller.signal, () => {
      called.push('first')
      for (const stop of stops) stop()
    })
    stops.push(onAbort(controller.signal, () => void called.push('second')))
    controller.abort()
    expect(called).to.deep.equal(['first'])
  })
})

describe('unlessAborted', () => {
  it('settles with what is awaited, and listens no more then', async () => {
    const { signal } = new AbortController()
    expect(await unlessAborted(Promise.resolve(1), signal)).to.equal(1)
    expect(
      await unlessAborted(Promise.reject(new Error('no')), signal).catch((error: Error) => error.message),
    ).to.equal('no')
    expect(await unlessAborted(Promise.resolve(2), undefined)).to.equal(2)
    expect(getEventListeners(signal, 'abort')).to.have.length(0)
  })

  it('rejects with the reason of a signal that is raised before, or was', async () => {
    const controller = new AbortController()
    const never = new Promise<void>(() => {})
    const first = unlessAborted(never, controller.signal).catch((error: unknown) => error)
    const reason = new Error('nobody waits')
    controller.abort(reason)
    expect(await first).to.equal(reason)
    expect(await unlessAborted(never, controller.signal).catch((error: unknown) => error)).to.equal(reason)
  })

  it('leaves nothing unhandled of what fails after that', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    const controller = new AbortController()
    const late = deferred<void>()
    const given = unlessAborted(late.promise, controller.signal).catch((error: Error) => error.message)
    controller.abort(new Error('first'))
    expect(await given).to.equal('first')
    late.reject(new Error('late'))
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(unhandled).to.deep.equal([])
  })
})
