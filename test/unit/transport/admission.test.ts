import { expect } from 'chai'
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { Admission } from '../../../runtime/transport/admission.ts'

describe('connections that have not authenticated', () => {
  it('have their time once more when this process was busy with something else, and no longer', async () => {
    let timeouts = 0
    const admission = new Admission(1, 100)
    const socket = new PassThrough()
    admission.enter(socket, () => timeouts++)
    const endMs = performance.now() + 1_500
    while (performance.now() < endMs);
    // What was due meanwhile is looked at before this.
    await sleep(1)
    expect(timeouts).to.equal(0)
    while (timeouts === 0) await sleep(10)
    admission.destroyAll()
  })
})
