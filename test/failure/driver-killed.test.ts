import { expect } from 'chai'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { nothingHeld } from './scenarios/scale.ts'
import { eventually, FailureCluster, isAlive, signal } from './support.ts'

describe('a driver that is killed', function () {
  this.timeout(60_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  /** Files of objects of a process in the stores of all nodes. */
  const objectsOf = (process: string): string[] =>
    cluster.runFolders().flatMap((folder) => {
      const names = readdirSync(join(cluster.runRoot, folder, 'objects'), { recursive: true }) as string[]
      return names.filter((name) => name.includes(process))
    })

  it('ends its job: workers are ended, objects freed, resources back, on every node', async () => {
    const nodes = await cluster.startAll(2, { numCpus: 2 })
    const [head, home] = nodes as [DaemonFacts, DaemonFacts]
    const tasks = 6
    const driver = cluster.run('owner', { objects: 5, bytes: 300_000, tasks }, { address: home.url })
    const { process: id, refs } = await driver.next<{ readonly process: string; readonly refs: number }>('owning')
    await eventually(() => cluster.executions().size === tasks || undefined)
    const workers = nodes.map((node) => cluster.workers(node.id)).flat()
    expect(workers).to.have.length.at.least(tasks)
    expect(objectsOf(id)).to.have.length.at.least(refs)
    signal(driver.pid, 'SIGKILL')
    await eventually(() => workers.every((pid) => !isAlive(pid)) || undefined)
    await eventually(() => objectsOf(id).length === 0 || undefined)
    await nothingHeld(cluster, head)
    // The nodes go on, for others.
    const next = cluster.run('loop', { tasks: 20, loopMs: 0 }, { address: home.url })
    const outcomes = await next.next<{ readonly tally: object }>('outcomes')
    expect(outcomes.tally).to.deep.equal({ succeeded: 20, failed: {} })
    next.tell('leave')
    await next.next('end')
  })
})
