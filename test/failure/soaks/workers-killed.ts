/** Workers of three nodes die at random under load. */
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import { nothingHeld } from '../scenarios/scale.ts'
import { killWorkers } from '../scenarios/workers-killed.ts'
import { leftovers } from './soak.ts'
import type { Soak } from './soak.ts'

const tasks = 20_000

function killed(maxRetries: number, title: string): Soak {
  return {
    title,
    async run(cluster, { note, check }) {
      const nodes = await cluster.startAll(2, { numCpus: 4 })
      const [, home] = nodes as [DaemonFacts, DaemonFacts]
      let told = 0
      const onProgress = (settled: number): void => {
        if (settled >= told + 1_000) note(`${(told = settled)} settled`)
      }
      const how = { address: home.url, seed: Date.now(), killEveryMs: 100, onProgress }
      const result = await killWorkers(cluster, { ...how, tasks, maxRetries })
      const { tally, kills, retried, recalled, fenced, wrong, ids, left } = result
      note(`${kills} workers killed; ${retried} retried, ${recalled} recalled, ${fenced} fenced`)
      const failed = Object.values(tally.failed).reduce((sum, count) => sum + count, 0)
      check(
        `${tally.succeeded} succeeded, ${failed} failed ${JSON.stringify(tally.failed)}`,
        tally.succeeded + failed === tasks,
      )
      check(`${wrong} got the value of another`, wrong === 0)
      const executions = cluster.executions()
      if (maxRetries < 0) check('none failed', failed === 0)
      else {
        const twice = [...executions.values()].filter((times) => times > 1).length
        check(`${twice} started twice`, twice === 0)
        check(
          'failures are those of workers',
          Object.keys(tally.failed).every((name) => name === 'WorkerCrashedError'),
        )
      }
      check(
        'what succeeded ran',
        ids.every((id) => executions.has(id)),
      )
      check(`tables of the driver are empty ${leftovers(left)}`, leftovers(left) === '')
      await nothingHeld(cluster, home)
      check('the nodes have all of their resources back', true)
    },
  }
}

export const retried: Soak = killed(-1, 'workers of three nodes killed every 100 ms during 20,000 tasks: all succeed')
export const notRetried: Soak = killed(0, 'the same with maxRetries 0: each settles, none starts twice')
