import { expect } from 'chai'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { Jobs } from '../../../runtime/node/jobs.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { VirtualClock } from '../../simulation/virtual-clock.ts'

const id = (number: number): ProcessId => number.toString(16).padStart(16, '0') as ProcessId
const link = {} as Link

function world(): { clock: VirtualClock; jobs: Jobs; ended: string[] } {
  const clock = new VirtualClock()
  const ended: string[] = []
  const onEnd = (job: ProcessId, _reason: string, owners: readonly ProcessId[], home: boolean): void =>
    void ended.push(`${Number(job)}: ${owners.map(Number).join(' ')}${home ? ', home' : ''}`)
  const foreign = { self: id(100), isLinked: () => true, ask: () => Promise.resolve([]), onOwnerDead() {} }
  return { clock, jobs: new Jobs({ ...foreign, clock, driverGraceMs: 10_000, onEnd }), ended }
}

describe('the jobs that a node knows', () => {
  it('end once, with everybody who owns something here, but for workers that ended before', () => {
    const { jobs, ended } = world()
    jobs.started(id(1), link)
    for (const worker of [2, 3, 4]) jobs.noteOwner(id(1), id(worker))
    jobs.ownerGone(id(3))
    expect([jobs.homes, jobs.owners]).to.deep.equal([1, 3])
    jobs.end(id(1), 'done')
    jobs.end(id(1), 'done')
    jobs.noteOwner(id(1), id(5))
    expect(ended).to.deep.equal(['1: 1 2 4, home'])
    expect([jobs.homes, jobs.owners]).to.deep.equal([0, 0])
  })

  it('wait for a driver that lost its link, and end without it', () => {
    const { clock, jobs, ended } = world()
    jobs.started(id(1), link)
    jobs.linkGone(link)
    jobs.started(id(1), {} as Link)
    expect(clock.step()).to.equal(false)
    jobs.started(id(2), link)
    jobs.linkGone(link)
    clock.step()
    expect(ended).to.deep.equal(['2: 2, home'])
    expect([clock.now(), jobs.isHome(id(1)), jobs.hasEnded(id(2))]).to.deep.equal([10_000, true, true])
  })
})
