import { expect } from 'chai'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { Frees } from '../../../runtime/owner/frees.ts'
import type { OwnerHost } from '../../../runtime/owner/host.ts'
import { NodeLinks } from '../../../runtime/owner/node-links.ts'
import { ObjectTable } from '../../../runtime/owner/object-table.ts'
import { mayHaveCome, prefetch, type PrefetchParts } from '../../../runtime/owner/prefetch.ts'
import { TaskTable } from '../../../runtime/owner/task-table.ts'
import { MessageType, type Attachment, type Holder, type RefTuple } from '../../../runtime/protocol/messages.ts'
import type { Link } from '../../../runtime/transport/link.ts'

const own = '00000000000000aa' as ProcessId
const other = '00000000000000bb' as ProcessId
const gone = '00000000000000cc' as ProcessId
const job = '00000000000000dd' as ProcessId
const near = '0000000000000001' as NodeId
const far = '0000000000000002' as NodeId
const at = (node: NodeId): Holder => [node, node]

/** What is said to whom. */
async function saidBy(act: (parts: PrefetchParts) => void): Promise<readonly (readonly unknown[])[]> {
  const said: (readonly unknown[])[] = []
  const parts = {
    host: { self: { node: near, process: own }, job },
    nodes: { send: (node: NodeId, message: readonly unknown[]) => said.push([node, ...message]) },
    peers: {
      reach: ({ process }: { process: ProcessId }) =>
        process === gone
          ? Promise.reject(new Error('it is gone'))
          : Promise.resolve({ send: (message: readonly unknown[]) => said.push([process, ...message]) }),
    },
    frees: { stray: (node: NodeId, number: number) => said.push(['stray', node, number]) },
  }
  act(parts as unknown as PrefetchParts)
  await new Promise((resolve) => setImmediate(resolve))
  return said
}

const brought = (...attachments: Attachment[]): ReturnType<typeof saidBy> =>
  saidBy((parts) => prefetch(parts, attachments, far))

describe('what a task needs, when its lease is granted', () => {
  it('is brought to the node: by this process what it owns, by its owner what is borrowed', async () => {
    expect(
      await brought(
        [
          [own, 1, near],
          ['stored', 1_000, [at(near)]],
        ],
        [
          [other, 2, far],
          ['stored', 2_000, [at(near), at(own)]],
        ],
      ),
    ).to.deep.equal([
      ['stray', far, 1],
      [far, MessageType.prefetch, job, `${own}:1`, 1_000, [at(near)]],
      [other, MessageType.objectBring, 2, far],
    ])
  })

  it('is left where it is there already or nowhere, travels with the task, or went with its owner', async () => {
    expect(
      await brought(
        [
          [own, 1, near],
          ['stored', 1_000, [at(near), at(far)]],
        ],
        [
          [own, 2, near],
          ['stored', 1_000, []],
        ],
        [
          [other, 2, near],
          ['stored', 1_000, [at(far)]],
        ],
        [
          [other, 3, near],
          ['inline', new Uint8Array(3)],
        ],
        [
          [gone, 4, near],
          ['stored', 1_000, [at(near)]],
        ],
      ),
    ).to.deep.equal([])
  })
})

describe('what is brought to a node that has to be reached first', () => {
  const free = [MessageType.free, [`${own}:1`]]
  const bring = [MessageType.prefetch, job, `${own}:1`, 1_000, [at(near)]]

  /** What the node hears, over whichever link, where the object is freed, or not, before it is reached. */
  const heard = async (isFreed: boolean): Promise<unknown[]> => {
    const messages: unknown[] = []
    const link = { peer: { node: far }, unref() {}, send: (message: unknown) => messages.push(message) }
    let resolve = (_: unknown): void => {}
    const dialled = new Promise((made) => (resolve = made))
    const home = { mode: 'connected', dial: () => dialled }
    const host = { self: { node: near, process: own }, job, home } as unknown as OwnerHost
    const nodes = new NodeLinks(host, { message() {}, gone() {} })
    const table = new TaskTable()
    const frees = new Frees({ host, nodes, table, objects: new ObjectTable(table) })
    const parts = { host, nodes, frees, peers: { reach: () => Promise.reject(new Error('nobody')) } }
    const argument: Attachment = [
      [own, 1, near],
      ['stored', 1_000, [at(near)]],
    ]
    prefetch(parts, [argument], far)
    // The node itself links this process meanwhile.
    nodes.adopt(link as unknown as Link)
    if (isFreed) frees.dropped(1)
    resolve(link)
    await new Promise((next) => setImmediate(next))
    return messages
  }

  it('is not brought where it was freed meanwhile: the node has been told that it is gone', async () => {
    expect(await heard(true)).to.deep.equal([free])
  })

  it('is brought where it was not', async () => {
    expect(await heard(false)).to.deep.equal([bring])
  })
})

describe('what a process may have had brought to its node that is gone', () => {
  it('is made known to whoever owns it and still lives', async () => {
    const refs: RefTuple[] = [
      [own, 1, near],
      [other, 2, far],
      [gone, 3, near],
    ]
    const said = await saidBy((parts) => {
      for (const ref of refs) mayHaveCome(parts, ref, far)
    })
    expect(said).to.deep.equal([
      ['stray', far, 1],
      [other, MessageType.objectCopied, 2, far],
    ])
  })
})
