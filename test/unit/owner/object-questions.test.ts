import { expect } from 'chai'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { ObjectAccess } from '../../../runtime/owner/object-access.ts'
import { type Message, MessageType, type ObjectTuple, type RefTuple } from '../../../runtime/protocol/messages.ts'

const owner = '00000000000000aa' as ProcessId
const refOf = (number: number): RefTuple => [owner, number, 'node' as RefTuple[2]]
const value: ObjectTuple = ['inline', Uint8Array.of(0, 0xc1)]

describe('questions to the owner of an object', () => {
  let sent: Message[]
  let access: ObjectAccess
  beforeEach(() => {
    sent = []
    const link = { send: (message: Message) => void sent.push(message) }
    const parts = [{}, { reach: () => Promise.resolve(link) }] as unknown as ConstructorParameters<typeof ObjectAccess>
    access = new ObjectAccess(...parts)
  })
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  it('are one for all who ask for the same object meanwhile, also when who asked first has given up', async () => {
    const heard: number[] = []
    for (let i = 0; i < 100; i++) access.ask(refOf(1), () => heard.push(i))()
    access.ask(refOf(1), () => heard.push(100))
    access.ask(refOf(1), () => heard.push(101))
    await settled()
    expect(sent).to.deep.equal([[MessageType.objectGet, 1, 1]])
    expect(access.received([MessageType.objectValue, 1, value])).to.equal(true)
    expect(heard).to.deep.equal([100, 101])
    expect(access.size).to.equal(0)
  })

  it('are asked anew once they were answered', async () => {
    const heard: string[] = []
    access.ask(refOf(1), () => heard.push('first'))
    await settled()
    access.received([MessageType.objectValue, 1, value])
    access.ask(refOf(1), () => heard.push('second'))
    access.ask(refOf(2), () => heard.push('other'))
    await settled()
    expect(sent.slice(1)).to.deep.equal([
      [MessageType.objectGet, 2, 1],
      [MessageType.objectGet, 3, 2],
    ])
    access.received([MessageType.objectValue, 3, value])
    access.received([MessageType.objectValue, 2, value])
    expect(heard).to.deep.equal(['first', 'other', 'second'])
  })

  it('that report a copy which could not be read stand for themselves', async () => {
    const heard: string[] = []
    access.ask(refOf(1), () => heard.push('asked'))
    access.ask(refOf(1), () => heard.push('reported'), { absent: [], unreached: [] })
    await settled()
    expect(sent.map(([type]) => type)).to.deep.equal([MessageType.objectGet, MessageType.objectLost])
    access.received([MessageType.objectValue, 2, value])
    expect(heard).to.deep.equal(['reported'])
  })

  it('are answered by the death of the owner, each once', () => {
    const heard: string[] = []
    access.ask(refOf(1), ([kind]) => heard.push(kind))
    access.ask(refOf(1), ([kind]) => heard.push(kind))
    access.gone(owner, 'it ended')
    expect(heard).to.deep.equal(['error', 'error'])
    access.received([MessageType.objectValue, 1, value])
    expect(heard).to.have.length(2)
  })
})
