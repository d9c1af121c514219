import { Duplex } from 'node:stream'
import { expect } from 'chai'
import { AuthenticationError, ConnectionLostError } from '../../../runtime/base/errors.ts'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { reach, type RouteParts } from '../../../runtime/node/routes.ts'
import type { NodeRow } from '../../../runtime/protocol/messages.ts'
import { notConnected, silent } from '../../../runtime/transport/address-error.ts'
import type { DialOptions } from '../../../runtime/transport/dial.ts'

const id = (n: number): NodeId => n.toString(16).padStart(16, '0') as NodeId
const row = (n: number, over: Partial<NodeRow> = {}): NodeRow => ({
  ...{ id: id(n), url: `ws://host${n}`, hostname: `host${n}`, pid: n, state: 'alive', total: [], available: [] },
  ...{ labels: {}, queued: 0, workers: 0, head: n === 1, ...over },
})

/** Node 2 of a cluster whose head is node 1, and what it dialled. */
function nodeTwo(
  rows: NodeRow[],
  refused: Record<string, Error>,
  calls = false,
): { dialled: string[]; to(n: number, process?: number): Promise<string> } {
  const dialled: string[] = []
  const undialable = new Set<NodeId>()
  const parts: RouteParts = {
    options: { id: id(2), token: 'x', runFolder: '/run' },
    grants: { row: (node) => rows.find((one) => one.id === node), rows: () => rows },
    hello: { kind: 'node', node: id(2), process: id(2), info: {} },
    ways: {
      callBacks: {
        mayDial: (node) => !undialable.has(node),
        cannotDial: (node) => void undialable.add(node),
        call: (node) =>
          calls
            ? Promise.resolve(new Duplex({ read() {} }))
            : Promise.reject(new ConnectionLostError(`${node} is mute`)),
      },
    },
  }
  const open = ({ address }: DialOptions): Promise<string> => {
    const where = 'url' in address ? address.url : 'socket' in address ? 'called' : address.unix
    dialled.push(where)
    const error = refused[where]
    return error === undefined ? Promise.resolve(where) : Promise.reject(error)
  }
  return { dialled, to: (n, process = n) => reach(parts, { node: id(n), process: id(process) }, open) }
}

describe('runtime/node/routes', () => {
  const lost = new ConnectionLostError('no way')

  it('reaches a node that it cannot dial through the head', async () => {
    const node = nodeTwo([row(1), row(2), row(3)], { 'ws://host3': lost })
    expect(await node.to(3)).to.equal('ws://host1')
    expect(node.dialled).to.deep.equal(['ws://host3', 'ws://host1'])
  })

  it('has a node that it cannot dial dial it, and does not try its port again for a while', async () => {
    const node = nodeTwo([row(1), row(2), row(3)], { 'ws://host3': lost }, true)
    expect(await node.to(3)).to.equal('called')
    expect(await node.to(3)).to.equal('called')
    expect(node.dialled).to.deep.equal(['ws://host3', 'called', 'called'])
    // One without a port is never dialled.
    const portless = nodeTwo([row(1), row(2), row(3, { url: '' })], {}, true)
    expect(await portless.to(3)).to.equal('called')
    expect(portless.dialled).to.deep.equal(['called'])
  })

  it('tries the port of a node again where one of its processes has said nothing on a connection that stands', async () => {
    const silence = silent('ws://host3', 3_000)
    const none = notConnected('ws://host3', new Error('no connection within 3000 ms'))
    for (const [process, failure, dialled] of [
      [30, silence, ['ws://host3', 'called', 'ws://host3', 'called']],
      [30, none, ['ws://host3', 'called', 'called']],
      // A node manager computes nothing.
      [3, silence, ['ws://host3', 'called', 'called']],
    ] as const) {
      const node = nodeTwo([row(1), row(2), row(3)], { 'ws://host3': failure }, true)
      for (let i = 0; i < 2; i++) expect(await node.to(3, process)).to.equal('called')
      expect(node.dialled).to.deep.equal(dialled)
    }
  })

  it('takes for an answer what the process there says, whoever dialled', async () => {
    const gone = new ConnectionLostError('it is not here', { details: { refusal: 'gone' } })
    for (const [refused, calls] of [
      [{ 'ws://host3': gone }, false],
      [{ 'ws://host3': lost, called: gone }, true],
    ] as const) {
      const node = nodeTwo([row(1), row(2), row(3)], refused, calls)
      expect(await node.to(3).catch((error: unknown) => error)).to.equal(gone)
      expect(node.dialled).not.to.include('ws://host1')
    }
  })

  it('says why the direct way failed where there is no other', async () => {
    const failure = async (node: ReturnType<typeof nodeTwo>, n: number): Promise<unknown> =>
      node.to(n).then(
        () => undefined,
        (error: unknown) => error,
      )
    const both = nodeTwo([row(1), row(3)], { 'ws://host3': lost, 'ws://host1': new ConnectionLostError('nor this') })
    expect(await failure(both, 3)).to.equal(lost)
    const head = nodeTwo([row(1)], { 'ws://host1': lost })
    expect(await failure(head, 1)).to.equal(lost)
    expect(head.dialled).to.have.length(1)
    // A refusal is an answer: the node was reached.
    const refusal = new AuthenticationError('no')
    const refused = nodeTwo([row(1), row(3)], { 'ws://host3': refusal })
    expect(await failure(refused, 3)).to.equal(refusal)
    expect(refused.dialled).to.have.length(1)
    expect(await failure(nodeTwo([row(1)], {}), 4))
      .to.have.property('message')
      .that.contains('not known')
  })
})
