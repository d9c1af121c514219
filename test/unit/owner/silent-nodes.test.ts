import { expect } from 'chai'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { SilentNodes } from '../../../runtime/owner/silent-nodes.ts'
import { ManualClock } from '../manual-clock.ts'

const [a, b] = ['000000000000000a', '000000000000000b'] as NodeId[] as [NodeId, NodeId]

describe('nodes that do not answer', () => {
  it('are told of once each, when that lasts, with why', () => {
    const clock = new ManualClock()
    const warnings: string[] = []
    const silent = new SilentNodes({ clock, warn: (text) => void warnings.push(text) })
    let asked = 0
    const again = (): void => void asked++
    const early = silent.asked(a, again)
    clock.advance(29_999)
    early(new Error('refused'))
    const late = silent.asked(a, again)
    clock.advance(1)
    late(new Error('refused'))
    expect(warnings).to.deep.equal([])
    for (const failed of [early, early, silent.asked(b, again)]) failed(new Error('nothing listens there'))
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.include(a).and.include('what ran there waits').and.include('nothing listens there')
    // One of that id does not come back; what is remembered of it goes.
    silent.dead(a)
    early(new Error('refused'))
    expect(warnings).to.have.length(2)
    expect(asked).to.equal(6)
  })
})
