/** What happens to node managers, heads and homes, in full length: the detection as it is by default. */
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import { stopNode, settledByTheDead, unsettled } from '../scenarios/node-stopped.ts'
import { nothingHeld } from '../scenarios/scale.ts'
import { failures, underLoad } from '../scenarios/under-load.ts'
import { FailureCluster, signal } from '../support.ts'
import { eventually } from '../../tools/eventually.ts'
import { leftovers } from './soak.ts'
import type { Soak } from './soak.ts'

const load = { cpusPerNode: 4, more: 2 }
/** As node managers have it when nothing is said. */
const detection = { heartbeatIntervalMs: 1_000, heartbeatMisses: 5 }

export const stopped: Soak = {
  title:
    'a node manager stopped for longer than the detection of 5 s, ten times: re-run elsewhere, rejoins as a new one',
  async run(_, { note, check }) {
    for (let i = 0; i < 10; i++) {
      const cluster = new FailureCluster()
      try {
        const maxRetries = i % 2 === 0 ? 3 : 0
        const result = await stopNode(cluster, { ...load, ...detection, maxRetries, leastMs: 400, mostMs: 1_200 })
        const { submitted, tally, wrong, reason, again, victim, left, fenced, retried } = result
        note(
          `${reason}; ${submitted} tasks, ${retried} run again, ${failures(result)} failed, ${fenced} late answers fenced`,
        )
        check('each task settled', unsettled(result) === 0)
        const names = Object.keys(tally.failed).join(', ')
        if (maxRetries > 0) check(`none failed ${names}`, failures(result) === 0)
        else
          check(
            `failed, at most two times the CPUs of the node, by ${names}`,
            failures(result) <= 8 && (names === '' || names === 'NodeDiedError'),
          )
        const twice = [...cluster.executions().values()].filter((times) => times > 1).length
        if (maxRetries === 0) check(`${twice} started twice`, twice === 0)
        const late = settledByTheDead(cluster, result)
        check(
          `${wrong} got the value of another, ${late.length} that of the dead incarnation`,
          wrong === 0 && late.length === 0,
        )
        check(`${victim.id} joined again as ${again}`, again !== victim.id)
        check(`tables of the driver are empty ${leftovers(left)}`, leftovers(left) === '')
      } finally {
        await cluster.close()
      }
    }
  },
}

export const killed: Soak = {
  title: 'node managers killed and replaced under load, six in a row: every task succeeds',
  async run(cluster, { note, check }) {
    const work = await underLoad(cluster, { ...load, maxRetries: -1, leastMs: 20, mostMs: 200 })
    const [head, home] = work.named
    let victim = work.named[2]
    for (let i = 0; i < 6; i++) {
      signal(victim.pid, 'SIGKILL')
      const next = await cluster.startNode(head.url, { numCpus: load.cpusPerNode })
      const { settled, retried } = await work.until(({ tasksByNode }) => (tasksByNode[next.id] ?? 0) > 20)
      await cluster.seen(head, ({ id, state }) => id === victim.id && state === 'dead')
      note(`${victim.id} killed, ${next.id} in its place; ${settled} settled, ${retried} run again`)
      victim = next
    }
    const result = await work.enough()
    check(`${result.tally.succeeded} of ${result.submitted} succeeded`, result.tally.succeeded === result.submitted)
    check('each ran', cluster.executions().size === result.submitted)
    const left = leftovers(await work.leave())
    check(`tables of the driver are empty ${left}`, left === '')
    await nothingHeld(cluster, home)
    check('the nodes have all of their resources back', true)
  },
}

export const homeKilled: Soak = {
  title: "a driver's home killed under load: what has not settled fails by name",
  async run(cluster, { note, check }) {
    const work = await underLoad(cluster, { ...load, maxRetries: 3, leastMs: 20, mostMs: 200 })
    const [, home] = work.named
    signal(home.pid, 'SIGKILL')
    const startedAt = performance.now()
    const result = await work.enough()
    note(`told after ${Math.round(performance.now() - startedAt)} ms: ${result.errors[0]?.[1] ?? 'nothing'}`)
    const names = Object.keys(result.tally.failed).join(', ')
    check(`failed by ${names}`, names === 'ConnectionLostError')
    check('each task settled', unsettled(result) === 0)
  },
}

export const busyDriver: Soak = {
  title: 'a driver in a loop of 20 s: not declared dead, nothing done again',
  async run(cluster, { note, check }) {
    const nodes = await cluster.startAll(2, { ...detection, numCpus: 2 })
    const tasks = 500
    const driver = cluster.run('loop', { tasks, loopMs: 20_000 }, { address: (nodes[1] as DaemonFacts).url })
    await driver.next('looping')
    note('looping')
    const outcomes = await driver.next<{ tally: { succeeded: number }; retried: number; same: boolean }>('outcomes')
    check(`${outcomes.tally.succeeded} of ${tasks} succeeded`, outcomes.tally.succeeded === tasks)
    check(`${outcomes.retried} run again`, outcomes.retried === 0)
    check(
      'each ran once',
      [...cluster.executions().values()].every((times) => times === 1),
    )
    check('its home is the same', outcomes.same)
    driver.tell('leave')
    const left = leftovers((await driver.next<{ left: Record<string, number> }>('end')).left)
    check(`tables of the driver are empty ${left}`, left === '')
  },
}

export const headStopped: Soak = {
  title: 'the head stopped for 60 s under load: known and new functions go on, and nobody is lost',
  async run(cluster, { note, check }) {
    const work = await underLoad(cluster, { ...load, ...detection, headCpus: 0, maxRetries: 0, leastMs: 5, mostMs: 50 })
    const [head, home, third] = work.named
    signal(head.pid, 'SIGSTOP')
    await eventually(async () => ((await cluster.status(home)).fromHead ? undefined : true))
    const startedAt = performance.now()
    for (let seconds = 10; seconds <= 60; seconds += 10) {
      const { settled } = await work.until(() => performance.now() - startedAt >= seconds * 1000)
      note(`${settled} settled`)
    }
    const result = await work.enough()
    for (const { id } of [home, third]) await work.ranOn(id)
    check(`${result.tally.succeeded} of ${result.submitted} succeeded`, result.tally.succeeded === result.submitted)
    check('new functions ran on both nodes', true)
    signal(head.pid, 'SIGCONT')
    for (const { id } of [home, third]) await cluster.seen(head, (row) => row.id === id && row.state === 'alive')
    check('both nodes are alive to the head again, under their ids', true)
    const left = leftovers(await work.leave())
    check(`tables of the driver are empty ${left}`, left === '')
  },
}
