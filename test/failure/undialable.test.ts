import { expect } from 'chai'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { nothingWrong, workApart } from './scenarios/apart.ts'
import { FailureCluster } from './support.ts'

/** Behind a firewall, say: it reaches the others, and none of them reaches it. */
describe('a node that nobody can dial', function () {
  this.timeout(120_000)
  let cluster: FailureCluster
  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  const start = async (): Promise<readonly [head: DaemonFacts, other: DaemonFacts, walled: DaemonFacts]> => {
    const head = await cluster.startHead({ numCpus: 2 })
    // Its port is on the one address, and it says that it were on the other, where nobody listens.
    const [other, walled] = await Promise.all([
      cluster.startNode(head.url, { numCpus: 2 }),
      cluster.startNode(head.url, { numCpus: 2, host: '127.0.0.1', advertise: '127.0.0.9' }),
    ])
    await cluster.knowEachOther([head, other, walled])
    return [head, other, walled]
  }

  for (const home of ['other', 'walled'] as const)
    it(`runs tasks and gives its objects to others: the program is ${home === 'walled' ? 'at home there' : 'elsewhere'}`, async () => {
      const nodes = await start()
      // By the port that it really has.
      const address = (home === 'other' ? nodes[1] : nodes[2]).url.replace('127.0.0.9', '127.0.0.1')
      expect(await workApart(cluster, nodes, { address })).to.deep.equal(nothingWrong)
    })
})
