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
      const spent = failureError(death(3), 'resize', ['retried', 'retried', 'retried'])
      expect(spent.message).to.include('resize').and.include('has run 4 times').and.include('raise `maxRetries`')
      const first = failureError(death(0), 'resize', [])
      expect(first.message).to.match(/only tasks with `maxRetries` above 0 run again$/)
    })
  }
})
