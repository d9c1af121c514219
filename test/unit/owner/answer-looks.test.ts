import { expect } from 'chai'
import { type AnswerRing, answerRing, answerRingBytes } from '../../../runtime/objects/answer-ring.ts'
import { AnswerLooks } from '../../../runtime/owner/answer-looks.ts'
import { ManualClock } from '../manual-clock.ts'

const noBytes = new Uint8Array()

interface Looking {
  readonly clock: ManualClock
  readonly looks: AnswerLooks
  readonly heard: string[]
  readonly ring: AnswerRing
  /** Of every lease: the task whose answer is the next one. Each that is told makes it one more. */
  readonly tasks: { first: number; next: number }
}

function looking(): Looking {
  const clock = new ManualClock()
  const heard: string[] = []
  const tasks = { first: 0, next: 1_000 }
  const looks = new AnswerLooks(clock, {
    tasksOf: () => tasks,
    together: (tell) => tell(),
    answered(lease, [, , sequence]) {
      heard.push(`${lease}: ${sequence}`)
      tasks.first = Math.max(tasks.first, sequence + 1)
    },
    damaged: (lease, error) => void heard.push(`${lease}: ${error.message}`),
  })
  return { clock, looks, heard, ring: answerRing(new SharedArrayBuffer(answerRingBytes), 0), tasks }
}

describe('answer-looks', () => {
  it('tells what was left together, within the time that was said', () => {
    const { clock, looks, heard, ring, tasks } = looking()
    tasks.first = 5
    const second = answerRing(new SharedArrayBuffer(answerRingBytes), 0)
    looks.rest(1, { ring, epoch: 7 }, 12)
    looks.rest(2, { ring: second, epoch: 3 }, 8)
    expect([ring.leave(7, 0, 5, noBytes), ring.leave(7, 1, 5, noBytes), second.leave(3, 4, 5, noBytes)]).to.deep.equal([
      true,
      true,
      true,
    ])
    clock.advance(7)
    expect(heard).to.deep.equal([])
    clock.advance(1)
    expect(heard).to.deep.equal(['1: 0', '1: 1', '2: 4'])
  })

  it('does not look again for one whose answers could have been left by then, and were not, but with the others', () => {
    const { clock, looks, heard, ring } = looking()
    const second = answerRing(new SharedArrayBuffer(answerRingBytes), 0)
    const taken: number[] = []
    const counted = {
      ...second,
      listen: (epoch: number) => second.listen(epoch),
      get empty() {
        return second.empty
      },
      take: () => void taken.push(clock.now()),
    }
    looks.rest(1, { ring, epoch: 7 }, 10)
    looks.rest(2, { ring: counted, epoch: 3 }, 12)
    ring.leave(7, 0, 5, noBytes)
    clock.advance(10)
    looks.rest(1, { ring, epoch: 7 }, 12)
    clock.advance(12)
    expect([heard, taken]).to.deep.equal([['1: 0'], [10, 22]])
  })

  it('tells what is there at the end of a lease, and nothing is left from then on', () => {
    const { clock, looks, heard, ring } = looking()
    looks.rest(1, { ring, epoch: 7 }, 10)
    ring.leave(7, 0, 5, noBytes)
    looks.end(1)
    expect(heard).to.deep.equal(['1: 0'])
    expect(ring.leave(7, 1, 5, noBytes)).to.equal(false)
    clock.advance(100)
    expect([heard.length, clock.pending]).to.deep.equal([1, 0])
  })

  it('says what is no answer, where a worker has written over the memory', () => {
    const { clock, looks, heard } = looking()
    const memory = new SharedArrayBuffer(answerRingBytes)
    const ring = answerRing(memory, 0)
    looks.rest(1, { ring, epoch: 7 }, 10)
    ring.leave(7, 0, 5, noBytes)
    new Int32Array(memory).fill(-1, 3)
    clock.advance(10)
    expect(heard.join()).to.match(/^1: an answer of -1 bytes/)
  })

  it('looks in vain for a while, and no longer', () => {
    const { clock, looks, ring } = looking()
    looks.rest(1, { ring, epoch: 7 }, 10)
    clock.advance(90)
    expect(ring.leave(7, 0, 5, noBytes)).to.equal(true)
    clock.advance(200)
    expect(ring.leave(7, 1, 5, noBytes)).to.equal(false)
    expect(clock.pending).to.equal(0)
  })

  it('leaves what belongs to another lease alone, and looks nowhere where another owner does', () => {
    const { looks, heard, ring } = looking()
    ring.listen(2)
    looks.rest(1, { ring, epoch: 7 }, 10)
    expect(ring.leave(7, 0, 5, noBytes)).to.equal(false)
    ring.leave(2, 0, 5, noBytes)
    looks.end(1)
    expect(heard).to.deep.equal([])
    expect(ring.take()?.epoch).to.equal(2)
  })

  it('tells an answer that is left when those of the tasks before it, which were sent, have come', () => {
    const { clock, looks, heard, ring, tasks } = looking()
    looks.rest(1, { ring, epoch: 7 }, 10)
    ring.leave(7, 1, 5, noBytes)
    clock.advance(10)
    looks.before(1)
    expect(heard).to.deep.equal([])
    tasks.first = 1
    clock.advance(16)
    expect(heard).to.deep.equal(['1: 1'])
  })

  it('tells what is left too early in any case, when the lease ends or nothing comes for long', () => {
    for (const how of ['end', 'silence']) {
      const { clock, looks, heard, ring } = looking()
      looks.rest(1, { ring, epoch: 7 }, 10)
      ring.leave(7, 1, 5, noBytes)
      if (how === 'end') looks.end(1)
      else clock.advance(200)
      expect(heard, how).to.deep.equal(['1: 1'])
    }
  })

  it('tells nothing before an answer that was sent at the end of a long silence, and is still under way', () => {
    const { clock, looks, heard, ring, tasks } = looking()
    looks.rest(1, { ring, epoch: 7 }, 10)
    // Looks at 10, 26, ... 90 ms; the first task ends at 100, too large to be left, and the next takes no time.
    clock.advance(100)
    expect(ring.leave(7, 1, 5, noBytes)).to.equal(true)
    clock.advance(7)
    expect(heard).to.deep.equal([])
    looks.before(1)
    tasks.first = 1
    expect(ring.leave(7, 2, 5, noBytes)).to.equal(false)
    clock.advance(16)
    expect(heard).to.deep.equal(['1: 1'])
    clock.advance(16)
    expect([looks.size, clock.pending]).to.deep.equal([0, 0])
  })

  it('has a worker send its answers again, and tells those first that it has left', () => {
    const { clock, looks, heard, ring } = looking()
    looks.rest(1, { ring, epoch: 7 }, 10)
    for (let sequence = 0; sequence < 3; sequence++) ring.leave(7, sequence, 5, noBytes)
    looks.wake(1)
    expect(ring.leave(7, 3, 5, noBytes)).to.equal(false)
    expect(heard).to.deep.equal([])
    clock.advance(1)
    expect(heard).to.deep.equal(['1: 0', '1: 1', '1: 2'])
    expect([looks.size, clock.pending]).to.deep.equal([0, 0])
  })

  it('goes on looking at a lease that rests again before all was taken', () => {
    const { clock, looks, heard, ring } = looking()
    looks.rest(1, { ring, epoch: 7 }, 10)
    ring.leave(7, 0, 5, noBytes)
    looks.wake(1)
    looks.rest(1, { ring, epoch: 7 }, 10)
    expect(ring.leave(7, 1, 5, noBytes)).to.equal(true)
    clock.advance(10)
    expect(heard).to.deep.equal(['1: 0', '1: 1'])
    expect(looks.size).to.equal(1)
  })

  it('knows a task by its lowest 32 bits, wherever its lease has got to', () => {
    const { looks, heard, ring, tasks } = looking()
    const first = 2 ** 33 + 5
    Object.assign(tasks, { first, next: first + 3 })
    looks.rest(1, { ring, epoch: 7 }, 10)
    for (let i = 0; i < 3; i++) ring.leave(7, first + i, 5, noBytes)
    looks.before(1)
    expect(heard).to.deep.equal([0, 1, 2].map((i) => `1: ${first + i}`))
  })

  for (const how of ['a look', 'a last look', 'something else that comes'])
    it(`touches the memory no more when an answer that ${how} tells of is the last of its lease`, () => {
      const memory = answerRing(new SharedArrayBuffer(answerRingBytes), 0)
      let isThere = true
      const ring = new Proxy(memory, {
        get(target, name) {
          expect(isThere, `${String(name)} of memory that is not mapped any more`).to.equal(true)
          return Reflect.get(target, name) as unknown
        },
      })
      const clock = new ManualClock()
      const heard: number[] = []
      const tasks = { first: 0, next: 3 }
      const looks: AnswerLooks = new AnswerLooks(clock, {
        tasksOf: () => tasks,
        together: (tell) => tell(),
        answered(lease, [, , sequence]) {
          heard.push(sequence)
          tasks.first = sequence + 1
          if (sequence !== 0) return
          // As at a lease that is given back: its page is closed then.
          looks.end(lease)
          isThere = false
          looks.rest(lease, { ring: memory, epoch: 7 }, 10)
          looks.end(lease)
        },
        damaged: (_lease, error) => expect.fail(error.message),
      })
      looks.rest(1, { ring, epoch: 7 }, 10)
      for (let sequence = 0; sequence < 3; sequence++) memory.leave(7, sequence, 5, noBytes)
      if (how === 'a look') clock.advance(10)
      else if (how === 'a last look') looks.end(1)
      else looks.before(1)
      expect(heard).to.deep.equal([0, 1, 2])
      clock.advance(100)
      expect(looks.size).to.equal(0)
    })
})
