/** Drivers that nobody can reach, with a lot to send. */
import { availableParallelism } from 'node:os'
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import { startNetwork } from '../apart.ts'
import { runMainJob } from '../scenarios/main-job.ts'
import { nothingHeld } from '../scenarios/scale.ts'
import { leftovers } from './soak.ts'
import type { Soak } from './soak.ts'

export const netns: Soak = {
  title: 'a driver in a network of its own: nested tasks use what it owns, 100 rounds of large values',
  async run(cluster, { note, check }) {
    const network = startNetwork(undefined, cluster)
    try {
      const nodes = await cluster.startAll(2, { numCpus: availableParallelism(), host: network.address })
      const options = { bytes: 16_000_000, times: 100, nodes: nodes.length }
      const how = { address: (nodes[1] as DaemonFacts).url, within: network.within, execArgv: ['--expose-gc'] }
      const startedAt = performance.now()
      const driver = cluster.run('apart', options, how)
      const outcomes = await driver.next<{ wrong: string[]; retried: number; tasksByNode: object }>('outcomes')
      note(`${options.times} rounds of ${options.bytes} bytes in ${Math.round(performance.now() - startedAt)} ms`)
      check(`all values are right ${outcomes.wrong.slice(0, 3).join('; ')}`, outcomes.wrong.length === 0)
      check(`${outcomes.retried} run again`, outcomes.retried === 0)
      check(
        `tasks by node: ${Object.values(outcomes.tasksByNode).join(', ')}`,
        Object.keys(outcomes.tasksByNode).length === 3,
      )
      const left = leftovers((await driver.next<{ left: Record<string, number> }>('end')).left)
      check(`tables of the driver are empty ${left}`, left === '')
      await nothingHeld(cluster, nodes[0] as DaemonFacts)
      check('the nodes have all of their resources back', true)
      const job = await runMainJob(cluster, 5_000, { address: how.address, within: how.within })
      check(
        `the main job of ${job.files} files has the results of the original`,
        job.before === job.after && job.before === job.map,
      )
    } finally {
      network.close()
    }
  },
}
