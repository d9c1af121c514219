import { expect } from 'chai'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { JobsState } from '../../../runtime/control/jobs-state.ts'
import type { JobRow } from '../../../runtime/control/jobs-state.ts'

const id = (number: number): ProcessId => number.toString(16).padStart(16, '0') as ProcessId
const job = (number: number, node: number): JobRow => ({ job: id(number), node: id(node), info: {} })

describe('JobsState', () => {
  it('saves a job that begins, and forgets one that ends, telling every node but the one that said so', () => {
    const state = new JobsState()
    expect(state.start(job(1, 10))).to.deep.equal([{ kind: 'save', row: job(1, 10) }])
    expect(state.end(id(1), 'done', id(10))).to.deep.equal([
      { kind: 'forget', job: id(1) },
      { kind: 'tellEnd', job: id(1), reason: 'done', except: id(10) },
    ])
    expect(state.size).to.equal(0)
  })

  it('tells the end of a job that it never knew: it may have begun while the head was away', () => {
    expect(new JobsState().end(id(1), 'done', id(10)).map((one) => one.kind)).to.deep.equal(['tellEnd'])
  })

  it('ends the jobs of a dead node, and no others, also those of before a restart', () => {
    const state = new JobsState([job(1, 10), job(2, 11), job(3, 10)])
    const ended = state.nodeDown(id(10), 'fire').filter((one) => one.kind === 'tellEnd')
    expect(ended.map((one) => one.job)).to.deep.equal([id(1), id(3)])
    expect(ended[0]?.reason).to.contain('fire')
    expect(state.size).to.equal(1)
  })

  it('ends the jobs that their home does not know any more, takes up those that it did not know, and tells which are over', () => {
    const state = new JobsState([job(1, 10), job(2, 10), job(3, 11)])
    const told = state.homesHeld(id(10), [id(2), id(4)])
    expect(told.map((one) => (one.kind === 'save' ? one.row.job : one.job))).to.deep.equal([id(1), id(1), id(4)])
    expect(told.map((one) => one.kind)).to.deep.equal(['forget', 'tellEnd', 'save'])
    expect(state.overOf([id(1), id(2), id(3), id(4), id(5)])).to.deep.equal([id(1), id(5)])
  })
})
