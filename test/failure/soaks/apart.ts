/** Drivers that nobody can reach, with a lot to send. */
import { availableParallelism } from 'node:os'
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import { startNetwork } from '../apart.ts'
import { workApart } from '../scenarios/apart.ts'
import { runMainJob } from '../scenarios/main-job.ts'
import { leftovers } from './soak.ts'
import type { Soak } from './soak.ts'

export const netns: Soak = {
  title: 'a driver in a network of its own: nested tasks use what it owns, 100 rounds of large values',
  async run(cluster, { note, check }) {
    const network = startNetwork(undefined, cluster)
    try {
      const nodes = await cluster.startAll(2, { numCpus: availableParallelism(), host: network.address })
      const options = { bytes: 16_000_000, times: 100 }
      const how = { address: (nodes[1] as DaemonFacts).url, within: network.within }
      const startedAt = performance.now()
      const { wrong, retried, idle, left } = await workApart(cluster, nodes, how, options)
      note(`${options.times} rounds of ${options.bytes} bytes in ${Math.round(performance.now() - startedAt)} ms`)
      check(`all values are right ${wrong.slice(0, 3).join('; ')}`, wrong.length === 0)
      check(`${retried} run again`, retried === 0)
      check(`every node had tasks ${idle.join(', ')}`, idle.length === 0)
      check(`tables of the driver are empty ${leftovers(left)}`, leftovers(left) === '')
      check('the nodes have all of their resources back', true)
      const job = await runMainJob(cluster, 5_000, how)
      check(
        `the main job of ${job.files} files has the results of the original`,
        job.before === job.after && job.before === job.map,
      )
    } finally {
      network.close()
    }
  },
}
