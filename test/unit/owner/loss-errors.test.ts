import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { ObjectReconstructionFailedError } from '../../../runtime/base/errors.ts'
import { reconstructionFailed } from '../../../runtime/owner/loss-errors.ts'
import type { LossReason } from '../../../runtime/owner/recovery-state.ts'

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

  it('is told apart from a task where none made it', () => {
    const error = reconstructionFailed('put', { key: 'k1', how: '' })
    expect(error.message).to.match(/^object k1 is lost and cannot be made again: no task made it/)
    expect(error.details).to.deep.equal({ key: 'k1', reason: 'put', how: '' })
  })
})
