import { expect } from 'chai'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { LeaseRecord } from '../../../runtime/owner/lease-record.ts'
import { LocatedTasks } from '../../../runtime/owner/located-tasks.ts'

const [here, there, third] = ['aa', 'bb', 'cc'].map((digits) => digits.padStart(16, '0')) as [NodeId, NodeId, NodeId]
const worker = '00000000000000ff' as ProcessId
const leaseOn = (node: NodeId): LeaseRecord =>
  new LeaseRecord(1, 0, { leaseId: 1, epoch: 1, socketPath: '', pagePath: 'page', node, worker, pid: 1 })

describe('runtime/owner/located-tasks', () => {
  it('chooses the lease on the node with most of the bytes, however busy it is', () => {
    const tasks = new LocatedTasks()
    const [near, far] = [leaseOn(there), leaseOn(here)]
    near.add(1, 1_000, 0)
    tasks.add(7, [[there, 50e6], [here, 49e6]], 0) // prettier-ignore
    expect(tasks.choose(7, [far, near], 0)).to.equal(near)
    expect(tasks.choose(7, [far], 0)).to.equal(far)
  })

  it('takes the one that is free sooner among equals', () => {
    const tasks = new LocatedTasks()
    const [busy, idle] = [leaseOn(there), leaseOn(there)]
    busy.add(1, 1_000, 0)
    tasks.add(7, [[there, 50e6]], 0)
    expect(tasks.choose(7, [busy, idle], 0)).to.equal(idle)
    expect(tasks.choose(8, [busy, idle], 0)).to.equal(idle)
  })

  it('holds a task back from other nodes as long as the transfer would take, and does not do so in vain again', () => {
    const tasks = new LocatedTasks()
    const far = leaseOn(here)
    tasks.add(7, [[there, 50e6]], 100)
    expect(tasks.choose(7, [far], 100)).to.equal(undefined)
    expect(tasks.choose(7, [far], 149)).to.equal(undefined)
    expect(tasks.choose(7, [far], 150)).to.equal(far)
    tasks.add(8, [[there, 50e6]], 160)
    expect(tasks.choose(8, [far], 160)).to.equal(far)
    // Another node may still have a worker soon; and that one later.
    tasks.add(9, [[third, 50e6]], 170)
    expect(tasks.choose(9, [far], 170)).to.equal(undefined)
    tasks.add(10, [[there, 50e6]], 2_000)
    expect(tasks.choose(10, [far], 2_000)).to.equal(undefined)
  })

  it('does not hold back what is small, nor what is here as well', () => {
    const tasks = new LocatedTasks()
    const far = leaseOn(here)
    tasks.add(7, [[there, 4e6]], 0)
    tasks.add(8, [[there, 50e6], [here, 50e6]], 0) // prettier-ignore
    expect(tasks.choose(7, [far], 0)).to.equal(far)
    expect(tasks.choose(8, [far], 0)).to.equal(far)
  })

  it('names the task for which something is to be brought to a new lease, each once', () => {
    const tasks = new LocatedTasks()
    tasks.add(7, [[there, 5e6]], 0)
    tasks.add(8, [[there, 5e6]], 0)
    expect([tasks.firstFor(here), tasks.firstFor(here), tasks.firstFor(here)]).to.deep.equal([7, 8, undefined])
    tasks.delete(7)
    tasks.add(7, [[there, 5e6]], 0)
    // It has them.
    expect(tasks.firstFor(there)).to.equal(undefined)
    expect(tasks.firstFor(third)).to.equal(7)
  })
})
