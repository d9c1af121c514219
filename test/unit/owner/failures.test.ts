import { expect } from 'chai'
import { AuthenticationError, ConnectionLostError, ProtocolVersionError } from '../../../runtime/base/errors.ts'
import type { NodeId } from '../../../runtime/base/ids.ts'
import type { ExitReport } from '../../../runtime/protocol/messages.ts'
import { afterRuns, failureError } from '../../../runtime/owner/failures.ts'
import type { Failure } from '../../../runtime/owner/submit-types.ts'

const node = '0000000000000001' as NodeId
const deaths: readonly ((attempt: number) => Failure)[] = [
  (attempt) => ({ kind: 'worker-crashed', exit: [9, null, 4711, ''], node, attempt }),
  (attempt) => ({ kind: 'node-died', node, reason: 'killed', attempt }),
]

describe('what a task ends with whose worker or node died', () => {
  for (const death of deaths) {
    it(`says how often it has run where maxRetries is spent, and else that this runs it again: ${death(0).kind}`, () => {
      const spent = failureError(death(3), { name: 'resize' }, ['retried', 'retried', 'retried'])
      expect(spent.message).to.include('resize').and.include('has run 4 times').and.include('raise `maxRetries`')
      const first = failureError(death(0), { name: 'resize' }, [])
      expect(first.message).to.match(/only tasks with `maxRetries` above 0 run again$/)
    })
  }
})

describe('what a call of a pool ends with that ran again by itself', () => {
  for (const death of deaths) {
    it(`says how often it has run, and nothing of maxRetries, which pools do not have: ${death(0).kind}`, () => {
      const told = (runs: number): string => {
        const error = failureError(death(0), { name: 'resize' }, [])
        const after = afterRuns(error, runs)
        expect(after).to.be.instanceOf(error.constructor)
        expect(after.details).to.deep.equal(error.details)
        return after.message
      }
      expect(told(4)).to.include('it has run 4 times, and does not run again').and.not.include('maxRetries')
      expect(told(1)).to.match(/; it starts once$/)
    })
  }
})

describe('what a task ends with whose worker was ended by a signal', () => {
  const messageOf = (...exit: ExitReport): string =>
    failureError({ kind: 'worker-crashed', exit, node, attempt: 0 }, { name: 'resize' }, []).message

  it('says why its node ended it, or that memory may have run out', () => {
    const killed = messageOf(null, 'SIGKILL', 4711, '', 'the link broke')
    expect(killed).to.include('signal SIGKILL (its node ended it: the link broke) before').and.not.include('dmesg')
    expect(messageOf(null, 'SIGKILL', 4711, '')).to.include('memory runs out, see dmesg')
    const full = 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'
    expect(messageOf(null, 'SIGABRT', 4711, full)).to.include('--max-old-space-size')
    expect(messageOf(null, 'SIGABRT', 4711, 'abort')).to.include('ended with signal SIGABRT before it answered')
  })
})

describe('what a task ends with whose program was refused, or lost its home', () => {
  for (const Of of [AuthenticationError, ProtocolVersionError, ConnectionLostError])
    it(`is of the class that init would throw: ${Of.name}`, () => {
      const by = new Of('ws://head:7420: no')
      const error = failureError({ kind: 'class-closed', reason: by.message, by }, { name: 'resize' }, [])
      expect(error).to.be.instanceOf(Of)
      expect(error.code).to.equal(Of.code)
      expect(error.message).to.equal('task resize was not run to its end: ws://head:7420: no')
    })

  it('is a lost connection where it is anything else', () => {
    const by = new TypeError('no')
    const failure: Failure = { kind: 'class-closed', reason: by.message, by }
    expect(failureError(failure, { name: 'resize' }, [])).to.be.instanceOf(ConnectionLostError)
  })
})

describe('what the start of a worker ends with that a pool asked for', () => {
  const whose = { name: 'worker start', startOf: "the Pool 'images'" }
  const failures: readonly Failure[] = [
    ...deaths.map((death) => death(0)),
    { kind: 'unschedulable', text: 'no node has a scanner' },
    { kind: 'setup', text: 'it has no package' },
    { kind: 'class-closed', reason: 'nothing listens there' },
  ]

  for (const failure of failures) {
    it(`says whose worker it was, and names no task that nobody wrote: ${failure.kind}`, () => {
      const { message } = failureError(failure, whose, [])
      expect(message).to.include("the Pool 'images'").and.not.include('task').and.not.include('worker start')
    })
  }
})
