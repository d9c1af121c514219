import { expect } from 'chai'
import { systemClock } from '../../../runtime/base/clock.ts'
import { ConnectionLostError } from '../../../runtime/base/errors.ts'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { encodeValue } from '../../../runtime/objects/value.ts'
import type { OwnerHost } from '../../../runtime/owner/host.ts'
import { ObjectAccess } from '../../../runtime/owner/object-access.ts'
import type { Peers } from '../../../runtime/owner/peers.ts'
import { rejection } from '../../tools/rejection.ts'

const node = newProcessId()
const self = { node, process: newProcessId() }

describe('ObjectAccess', () => {
  let link: { closed: boolean }
  /** How often the store was asked. */
  let asked: number
  beforeEach(() => {
    link = { closed: false }
    asked = 0
  })

  const read = (get: () => unknown): Promise<unknown> => {
    const home = { link, connected: () => Promise.resolve(link), sameMachine: true }
    const store = {
      async get() {
        // Asked for ever, it would keep this process busy for ever.
        if (++asked > 100) throw new Error('asked again and again')
        return get()
      },
    }
    const host = { self, home, store, clock: systemClock, storeHolder: [node, node], refCodec: undefined }
    const access = new ObjectAccess(host as unknown as OwnerHost, {} as Peers)
    return access.decode([self.process, 7, node], ['stored', 100_000, [[node, node, 1]]], () => {})
  }
  const lost = new ConnectionLostError('the shared memory of the node is there no more')

  it('fails with what the store says, where the link to the node stays', async () => {
    const reading = read(() => {
      throw lost
    })
    expect([await rejection(reading), asked]).to.deep.equal([lost, 1])
  })

  it('asks the store again over the next link, where one was lost, though that is told later', async () => {
    const stored = { encoded: encodeValue('there', 'value'), sizeBytes: 100_000, release() {} }
    const reading = read(() => {
      if (link.closed) return stored
      setTimeout(() => (link.closed = true), 20)
      throw lost
    })
    expect([await reading, asked]).to.deep.equal(['there', 2])
  })
})
