import { expect } from 'chai'
import { type AnswerRing, answerRing, answerRingBytes } from '../../../runtime/objects/answer-ring.ts'
import { type Message, MessageType } from '../../../runtime/protocol/messages.ts'
import { type AnsweredTask, TaskAnswers } from '../../../runtime/worker/task-answers.ts'

const epoch = 7
const bytes = Uint8Array.of(1, 2)

function answering(): { answers: TaskAnswers; ring: AnswerRing; sent: string[]; end: (sequence: number) => void } {
  const sent: string[] = []
  const link = {
    send: ([type, , sequence]: Message) => void sent.push(type === MessageType.done ? `done ${sequence}` : 'other'),
    flush: () => void sent.push('flush'),
  }
  const ring = answerRing(new SharedArrayBuffer(answerRingBytes), 0)
  const answers = new TaskAnswers(
    () => undefined,
    () => ring,
  )
  const end = (sequence: number): void =>
    answers.inline({ link, epoch, sequence, told: false, borrows: false } as unknown as AnsweredTask, 5, bytes)
  return { answers, ring, sent, end }
}

describe('task-answers', () => {
  it('sends answers for which nobody looks', () => {
    const { sent, end } = answering()
    end(0)
    expect(sent).to.deep.equal(['done 0'])
  })

  it('leaves them where the owner looks, and tells it when there is nothing more to do: once, by the last', () => {
    const { answers, ring, sent, end } = answering()
    ring.listen(epoch)
    end(0)
    end(1)
    expect(sent).to.deep.equal([])
    answers.idle()
    answers.idle()
    expect(sent).to.deep.equal(['done 1', 'flush'])
    expect([ring.take()?.sequence, ring.take()?.sequence]).to.deep.equal([0, 1])
  })

  it('tells nothing where the owner has looked meanwhile, and again after the next that is left', () => {
    const { answers, ring, sent, end } = answering()
    ring.listen(epoch)
    end(0)
    ring.take()
    answers.idle()
    expect(sent).to.deep.equal([])
    end(1)
    answers.idle()
    expect(sent).to.deep.equal(['done 1', 'flush'])
  })
})
