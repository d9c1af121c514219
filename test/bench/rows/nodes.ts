/** Node managers with one CPU each, started through the command line; against Dask with as many workers, and against fewer. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from '../../tools/tree.ts'
import type { Program } from '../program.ts'
import { asking, least, started, type Contender, type Row } from '../stage.ts'

const nodes = 3
const competitors = 5
const startLimitMs = 20_000
const command = join(root, 'dist/lib/cli/main.js')

interface Daemon {
  readonly child: ChildProcess
  readonly url: string
}

async function startNode(env: NodeJS.ProcessEnv, numCpus: number, flags: readonly string[]): Promise<Daemon> {
  const args = [command, 'start', ...flags, '--port', '0', '--num-cpus', `${numCpus}`, '--block']
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), startLimitMs)
  try {
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      const url = /is up at (\S+)/.exec(line)?.[1]
      if (url !== undefined) return { child, url }
    }
  } finally {
    clearTimeout(timer)
  }
  throw new Error(`outpool ${args.slice(1).join(' ')} did not say that the node is up`)
}

async function stopNode({ child }: Daemon): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), startLimitMs)
  await ended
  clearTimeout(timer)
}

type Use = (env: Readonly<Record<string, string>>) => Promise<void>

/** Starts so many nodes, and ends them after `use`, which is given what a program needs to join them. */
async function onNodes(count: number, use: Use, numCpus = 1): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ob-'))
  const secrets = { OUTPOOL_TOKEN: randomBytes(32).toString('hex'), OUTPOOL_HOME: folder, TMPDIR: folder }
  const env = { ...process.env, ...secrets }
  const daemons: Daemon[] = []
  try {
    const head = await startNode(env, numCpus, ['--head'])
    daemons.push(head)
    while (daemons.length < count) daemons.push(await startNode(env, numCpus, ['--address', head.url]))
    await use({ ...secrets, OUTPOOL_ADDRESS: head.url })
  } finally {
    await Promise.all(daemons.toReversed().map(stopNode))
    rmSync(folder, { recursive: true, force: true })
  }
}

export const threeNodes: Row = {
  name: 'nodes',
  title: 'no-op tasks across 3 node managers',
  unit: 'tasks/s',
  better: 'higher',
  budgetMs: 60_000,
  play: (stage) =>
    onNodes(nodes, async (env) => {
      const calls = stage.quick ? 5_000 : 20_000
      const contenders: Contender[] = []
      const program = await stage.pool('Outpool', 'outpool', { workers: nodes, warmCalls: calls }, env)
      if (program !== undefined) contenders.push(asking(stage, program, 'flight', { calls }))
      if (hasDask()) {
        const args = [JSON.stringify({ workers: nodes })]
        const dask = await stage.start({ name: 'Dask', file: 'dask-tasks.py', args })
        if (dask !== undefined) contenders.push(asking(stage, dask, 'flight', { calls: calls / 10 }))
      } else stage.skip('Dask', 'the Python package "distributed" is not installed here')
      await stage.inTurn(contenders)
      stage.compare('Outpool', 'Dask', least(100))
      await program?.close()
    }),
}

/** The program is the same for all: what differs is the import, and the cluster behind it. */
export const queueNodes: Row = {
  name: 'queue-nodes',
  title: 'p-queue shim: tasks of 20 ms that only compute, on 1 and on 3 node managers of one CPU',
  unit: 'tasks/s',
  better: 'higher',
  budgetMs: 60_000,
  play: (stage) =>
    onNodes(1, (one) =>
      onNodes(nodes, async (three) => {
        const calibration = await stage.start({ name: 'calibration', file: 'calibrate.mjs', args: ['{}'] })
        if (calibration === undefined) return
        const unit = Math.round(20 * (await stage.ask<number>(calibration, 'iterationsPerMs')))
        const iterations = new Array<number>(stage.quick ? 24 : 48).fill(unit)
        const shim = { from: 'outpool/p-queue', workers: 4 * nodes }
        const programs = started([
          await stage.pool('p-queue', 'p-queue', { workers: 4 * nodes }),
          await stage.pool('outpool/p-queue, one node', 'p-queue', shim, one),
          await stage.pool('outpool/p-queue, three nodes', 'p-queue', shim, three),
        ])
        const rate = async (program: Program): Promise<number> =>
          (iterations.length / (await stage.ask<number>(program, 'work', { iterations }))) * 1000
        await stage.inTurn(programs.map((program) => ({ name: program.name, measure: () => rate(program) })))
        stage.compare('outpool/p-queue, three nodes', 'outpool/p-queue, one node', least(2))
        stage.compare('outpool/p-queue, three nodes', 'p-queue', least(2))
        for (const program of programs) await program.close()
      }),
    ),
}

/** The same work by one program and by several at once, which take turns: what is lost between them. */
export const sharedNode: Row = {
  name: 'programs',
  title: 'tasks of 3 ms that only compute, by one program and by five at once on one node manager of two CPUs',
  unit: 'tasks/s',
  better: 'higher',
  budgetMs: 60_000,
  play: (stage) =>
    onNodes(
      1,
      async (env) => {
        const calibration = await stage.start({ name: 'calibration', file: 'calibrate.mjs', args: ['{}'] })
        if (calibration === undefined) return
        const unit = Math.round(3 * (await stage.ask<number>(calibration, 'iterationsPerMs')))
        const tasks = stage.quick ? 1_000 : 2_000
        const programs: Program[] = []
        for (let i = 0; i < competitors; i++) {
          const program = await stage.pool(`program ${i + 1}`, 'outpool', { workers: 2 }, env)
          if (program !== undefined) programs.push(program)
        }
        const rate = async (sharing: readonly Program[]): Promise<number> => {
          const iterations = new Array<number>(Math.round(tasks / sharing.length)).fill(unit)
          // By the clock of this process, as they do not begin at the same time.
          const start = performance.now()
          await Promise.all(sharing.map((program) => stage.ask<number>(program, 'work', { iterations })))
          return ((iterations.length * sharing.length) / (performance.now() - start)) * 1000
        }
        await stage.inTurn([
          { name: 'one program', measure: () => rate(programs.slice(0, 1)) },
          { name: 'five programs', measure: () => rate(programs) },
        ])
        stage.compare('five programs', 'one program', least(0.8))
        for (const program of programs) await program.close()
      },
      2,
    ),
}

function hasDask(): boolean {
  return spawnSync('python3', ['-c', 'import dask.distributed'], { stdio: 'ignore' }).status === 0
}
