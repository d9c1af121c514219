import { expect } from 'chai'
import { type AnswerRing, answerRing, answerRingBytes } from '../../../runtime/objects/answer-ring.ts'
import { AnswerLooks } from '../../../runtime/owner/answer-looks.ts'
import { ManualClock } from '../manual-clock.ts'

const noBytes = new Uint8Array()

function looking(): { clock: ManualClock; looks: AnswerLooks; heard: string[]; ring: AnswerRing } {
  const clock = new ManualClock()
  const heard: string[] = []
  const looks = new AnswerLooks(
    clock,
    (lease, { sequence }) => void heard.push(`${lease}: ${sequence}`),
    (lease, error) => void heard.push(`${lease}: ${error.message}`),
  )
  return { clock, looks, heard, ring: answerRing(new SharedArrayBuffer(answerRingBytes), 0) }
}

describe('answer-looks', () => {
  it('tells what was left together, within the time that was said', () => {
    const { clock, looks, heard, ring } = looking()
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

  it('lets no answer overtake the one that is being told, when a worker is to send its answers again by that', async () => {
    const clock = new ManualClock()
    const ring = answerRing(new SharedArrayBuffer(answerRingBytes), 0)
    const heard: string[] = []
    const looks: AnswerLooks = new AnswerLooks(
      clock,
      (lease, { sequence }) => {
        heard.push(`${sequence} begins`)
        if (sequence === 1) looks.wake(lease)
        heard.push(`${sequence} ends`)
      },
      () => expect.fail('nothing is damaged'),
    )
    looks.rest(1, { ring, epoch: 7 }, 10)
    for (let sequence = 0; sequence < 3; sequence++) ring.leave(7, sequence, 5, noBytes)
    looks.before(1)
    expect(heard).to.deep.equal(['0 begins', '0 ends', '1 begins', '1 ends', '2 begins', '2 ends'])
    expect(ring.leave(7, 3, 5, noBytes)).to.equal(true)
    await Promise.resolve()
    expect(heard.slice(6)).to.deep.equal(['3 begins', '3 ends'])
    expect(ring.leave(7, 4, 5, noBytes)).to.equal(false)
  })

  it('goes on looking at a lease that rests again before its worker was told', async () => {
    const { looks, ring } = looking()
    looks.rest(1, { ring, epoch: 7 }, 10)
    looks.wake(1)
    looks.rest(1, { ring, epoch: 7 }, 10)
    await Promise.resolve()
    expect(ring.leave(7, 0, 5, noBytes)).to.equal(true)
  })
})
