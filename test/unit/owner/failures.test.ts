import { expect } from 'chai'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { failureError } from '../../../runtime/owner/failures.ts'
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
