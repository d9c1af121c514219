import { getEventListeners } from 'node:events'
import { expect } from 'chai'
import { onAbort } from '../../../runtime/base/on-abort.ts'

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
