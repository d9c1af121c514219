import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { newProcessId } from '../../runtime/base/ids.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { listRecords } from '../../runtime/cluster/node-records.ts'
import { noteProcess, stateOfProcess } from '../../runtime/base/process-identity.ts'
import { openHome, type Home } from '../../runtime/owner/home.ts'
import { eventually } from '../tools/eventually.ts'
import { Command } from './command.ts'
import { Program, TestCluster } from './support.ts'

describe('who joins a cluster whose machines have too much to do', () => {
  let cluster: TestCluster
  let head: DaemonFacts
  const programs: Program[] = []

  beforeEach(async () => {
    cluster = new TestCluster()
    head = await cluster.start({ head: true })
  })
  afterEach(async () => {
    for (const program of programs.splice(0)) await program.remove()
    for (const { pid, id } of listRecords()) {
      if (id === head.id) continue
      const note = noteProcess(pid)
      process.kill(pid, 'SIGTERM')
      await eventually(() => stateOfProcess(note) !== 'alive' || undefined)
    }
    await cluster.close()
  })

  function start(...args: readonly string[]): Program {
    const program = new Program('busy-start.mjs', args, { OUTPOOL_ADDRESS: head.url, OUTPOOL_TOKEN: cluster.token })
    programs.push(program)
    return program
  }

  /** The head is stopped for so long, and until `isTold`. */
  async function stopped<T>(forMs: number, use: () => Promise<T>, isTold: () => boolean = () => true): Promise<T> {
    process.kill(head.pid, 'SIGSTOP')
    const goOn = sleep(forMs)
      .then(() => eventually(() => isTold() || undefined))
      .finally(() => process.kill(head.pid, 'SIGCONT'))
    const [result] = await Promise.all([use(), goOn])
    return result
  }

  it('is a program that computes before it has said its hello', async () => {
    const all = ['0', '1', '2', '3'].map((turns) => start('6500', turns))
    for (const program of all) {
      const [code] = await program.exit
      expect([program.stdout, code], program.stderr).to.deep.equal(['ran\n', 0])
    }
  })

  it('waits for its home for longer than a home is waited for that stood, and is told', async () => {
    const told: string[] = []
    const open = (): Promise<Home> =>
      openHome({
        ...{ kind: 'driver', process: newProcessId(), node: head.id, address: { url: head.url } },
        ...{ token: cluster.token, reconnectMs: 0, onMessage: () => {}, onLink: () => {} },
        onSlow: (text) => told.push(text),
      })
    const home = await stopped(6_500, open, () => told.length > 0)
    home.close()
    expect(told).to.have.length(1)
    expect(told[0]).to.include(`${head.url} has not answered for 3 s`).and.to.include('30 s at most')
  })

  it('is told what is waited for, by `outpool start` and by programs', async () => {
    const program = start()
    const command = new Command(['start', '--address', head.url, '--num-cpus', '1'])
    const text = `outpool: ${head.url} has not answered for 3 s: `
    const both = (): Promise<unknown> => Promise.all([command.ended(), program.exit])
    await stopped(16_500, both, () => command.err.includes(text))
    expect(command.err.startsWith(text), command.err).equal(true)
    expect([command.child.exitCode, program.stdout], program.stderr).to.deep.equal([0, 'ran\n'])
  })
})
