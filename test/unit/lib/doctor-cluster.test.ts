import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect } from 'chai'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { silent } from '../../../runtime/transport/address-error.ts'
import type { ClusterStatus } from '../../../runtime/cluster/status.ts'
import { clusterFindings, notFound } from '../../../lib/cli/doctor-cluster.ts'
import { CommandError, exitCodes } from '../../../lib/cli/exit-codes.ts'

const node = '00112233445566ff' as NodeId

function statusOf(url: string): ClusterStatus {
  const row = {
    id: node,
    url,
    hostname: 'here',
    pid: 1,
    head: true,
    state: 'alive',
    labels: {},
    resources: {},
  } as const
  const nodes = [{ ...row, queued: 0, workers: 0, heartbeatAgeMs: 0 }]
  return { answeredBy: node, fromHead: true, problem: '', nodes }
}

describe('notFound', () => {
  it('says of who does not answer the hello that its process may be stopped, and nothing where there is no cluster', () => {
    expect(notFound(silent('ws://h:7420', 15_000))).to.include({ state: 'failure' })
    expect(notFound(silent('ws://h:7420', 15_000)).advice).to.contain('kill -CONT')
    expect(notFound(new CommandError('none is known', exitCodes.noCluster))).to.include({ state: 'ok', advice: '' })
  })
})

describe('clusterFindings', () => {
  it('says of a node that is silent that its process may be stopped, and of one that is not there where it listens', async () => {
    const sockets: Socket[] = []
    const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    const ask = async (): Promise<string | undefined> => {
      const findings = await clusterFindings(
        { address: url, token: 'x'.repeat(32), status: statusOf(url) },
        { turn: 0 },
      )
      return findings.find(({ check }) => check === `node ${node} from here`)?.advice
    }
    const silent = await ask()
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
    expect(silent).to.contain('its process is stopped')
    expect(await ask()).to.contain(`It listens at ${url}`)
  })

  it('says of a node whose name leads nowhere what to do about that', async () => {
    const url = 'ws://nosuch.invalid:7420'
    const findings = await clusterFindings({ address: url, token: 'x'.repeat(32), status: statusOf(url) }, { turn: 0 })
    const { advice } = findings.find(({ check }) => check === `node ${node} from here`) ?? {}
    expect(advice).to.contain('The name nosuch.invalid leads nowhere on this machine').and.contain('--advertise')
  })
})
