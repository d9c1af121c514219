import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { ObjectReconstructionFailedError } from '../../../runtime/base/errors.ts'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { reconstructionFailed } from '../../../runtime/owner/loss-errors.ts'
import { lossReasonOf } from '../../../runtime/owner/recovery.ts'
import type { LossReason } from '../../../runtime/owner/recovery-state.ts'
import type { Failure } from '../../../runtime/owner/submit-types.ts'

/** A part of the next step that each message names; complete by its type. */
const remedies: Readonly<Record<LossReason, string>> = {
  put: 'replicas: 2',
  'generator ended': 'read items before',
  'retries disabled': 'set `maxRetries`',
  'attempts exceeded': 'raise `maxRetries`',
  'lineage evicted': 'keep fewer refs',
  'pinned worker': 'replicas: 2',
  'owner died': 'lives longer',
  cancelled: 'submit the task anew',
  'task failed': 'see `cause`',
  unschedulable: 'what the task asks for',
}
const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')

describe('an object that cannot be made again', () => {
  for (const [reason, remedy] of Object.entries(remedies) as [LossReason, string][]) {
    it(`says so with the object, the task, how it was lost, why (${reason}) and what helps, and is in the README`, () => {
      const cause = new RangeError('too much')
      const task = { name: 'resize', maxRetries: 7 }
      const error = reconstructionFailed(reason, { key: 'k1', how: 'node n1 is dead', task, cause })
      expect(error).to.be.an.instanceOf(ObjectReconstructionFailedError)
      expect(error).to.include({ reason, cause, code: 'ERR_OUTPOOL_OBJECT_RECONSTRUCTION_FAILED' })
      for (const part of ['k1', 'resize', 'node n1 is dead', remedy]) expect(error.message).to.include(part)
      expect(error.details).to.deep.equal({ key: 'k1', reason, how: 'node n1 is dead', task: 'resize', maxRetries: 7 })
      expect(readme).to.include(`| \`'${reason}'\``)
    })
  }

  it('is why the task ended when it ran again, and no answer of its own came', () => {
    const exit = [null, 'SIGKILL', 1, ''] as const
    const node = '0000000000000001' as NodeId
    const cases: readonly (readonly [Failure, string | undefined])[] = [
      [{ kind: 'cancelled', reason: 'a whim' }, 'cancelled'],
      [{ kind: 'timeout', timeoutMs: 5 }, 'task failed'],
      [{ kind: 'worker-crashed', exit, node, attempt: 3 }, 'attempts exceeded'],
      [{ kind: 'node-died', node, reason: 'killed', attempt: 3 }, 'attempts exceeded'],
      [{ kind: 'unschedulable', text: 'no node has a gpu' }, 'unschedulable'],
      [{ kind: 'setup', text: 'no such module' }, 'unschedulable'],
      // With everything else of this process.
      [{ kind: 'class-closed', reason: 'it leaves' }, undefined],
    ]
    for (const [failure, reason] of cases) expect(lossReasonOf(failure), failure.kind).to.equal(reason)
  })

  it('is told apart from a task where none made it', () => {
    const error = reconstructionFailed('put', { key: 'k1', how: '' })
    expect(error.message).to.match(/^object k1 is lost and cannot be made again: no task made it/)
    expect(error.details).to.deep.equal({ key: 'k1', reason: 'put', how: '' })
  })
})
