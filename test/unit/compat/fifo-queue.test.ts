import { expect } from 'chai'
import fc from 'fast-check'
import { FifoQueue } from '../../../compat/workerpool/fifo-queue.ts'
import type { QueuedTask } from '../../../compat/workerpool/original.ts'

const task = (method: string): QueuedTask =>
  ({ method, params: null, options: undefined, place: -1 }) as unknown as QueuedTask

describe('workerpool, fifo-queue', () => {
  it('counts and contains what was sent ahead, and gives it when it is chosen', () => {
    const queue = new FifoQueue()
    const tasks = ['a', 'b', 'c'].map(task)
    for (const each of tasks) queue.push(each)
    queue.sendFirst()
    expect([queue.size(), tasks.map((each) => queue.contains(each))]).to.deep.equal([3, [true, true, true]])
    expect(queue.first).to.equal(tasks[1])
    queue.choose(tasks[0]!)
    expect([queue.pop(), queue.pop(), queue.pop(), queue.pop()]).to.deep.equal([...tasks, undefined])
    expect(queue.size()).to.equal(0)
  })

  it('keeps the order in which tasks came, whatever is sent and comes back', () => {
    const step = fc.record({ what: fc.constantFrom('push', 'push', 'send', 'send', 'back', 'pop'), which: fc.nat() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new FifoQueue()
        let waiting: QueuedTask[] = []
        const sent: QueuedTask[] = []
        for (const { what, which } of steps) {
          if (what === 'push') {
            const pushed = task(String(which))
            queue.push(pushed)
            waiting.push(pushed)
          } else if (what === 'send') {
            const [first] = waiting.splice(0, 1)
            if (first !== undefined) sent.push(first)
            queue.sendFirst()
          } else if (what === 'back') {
            const back = sent.splice(which % (sent.length + 1))
            queue.putBack(back)
            waiting = [...waiting, ...back].sort((one, other) => one.place - other.place)
          } else if (which % 2 === 0 && sent.length > 0) {
            const [chosen] = sent.splice(which % sent.length, 1)
            queue.choose(chosen!)
            expect(queue.pop()).to.equal(chosen)
          } else expect(queue.pop()).to.equal(waiting.shift())
          expect([queue.size(), queue.first]).to.deep.equal([waiting.length + sent.length, waiting[0]])
        }
      }),
    )
  })
})
