import { expect } from 'chai'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { mayHaveCome, prefetch, type PrefetchParts } from '../../../runtime/owner/prefetch.ts'
import { MessageType, type Attachment, type Holder, type RefTuple } from '../../../runtime/protocol/messages.ts'

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
