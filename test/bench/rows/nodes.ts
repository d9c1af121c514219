/** Three node managers with one worker each, started through the command line, against Dask with three workers. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from '../../tools/tree.ts'
import { asking, least, type Contender, type Row } from '../stage.ts'

const nodes = 3
const startLimitMs = 20_000
const command = join(root, 'dist/lib/cli/main.js')

interface Daemon {
  readonly child: ChildProcess
  readonly url: string
}

async function startNode(env: NodeJS.ProcessEnv, flags: readonly string[]): Promise<Daemon> {
  const args = [command, 'start', ...flags, '--port', '0', '--num-cpus', '1', '--block']
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

export const threeNodes: Row = {
  name: 'nodes',
  title: 'no-op tasks across 3 node managers',
  unit: 'tasks/s',
  better: 'higher',
  budgetMs: 60_000,
  async play(stage) {
    const folder = mkdtempSync(join(tmpdir(), 'ob-'))
    const secrets = { OUTPOOL_TOKEN: randomBytes(32).toString('hex'), OUTPOOL_HOME: folder, TMPDIR: folder }
    const env = { ...process.env, ...secrets }
    const daemons: Daemon[] = []
    try {
      const head = await startNode(env, ['--head'])
      daemons.push(head)
      while (daemons.length < nodes) daemons.push(await startNode(env, ['--address', head.url]))
      const calls = stage.quick ? 5_000 : 20_000
      const contenders: Contender[] = []
      const program = await stage.pool(
        'Outpool',
        'outpool',
        { workers: nodes, warmCalls: calls },
        { ...secrets, OUTPOOL_ADDRESS: head.url },
      )
      if (program !== undefined) contenders.push(asking(stage, program, 'flight', { calls }))
      if (hasDask()) {
        const args = [JSON.stringify({ workers: nodes })]
        const dask = await stage.start({ name: 'Dask', file: 'dask-tasks.py', args })
        if (dask !== undefined) contenders.push(asking(stage, dask, 'flight', { calls: calls / 10 }))
      } else stage.skip('Dask', 'the Python package "distributed" is not installed here')
      await stage.inTurn(contenders)
      stage.compare('Outpool', 'Dask', least(100))
      await program?.close()
    } finally {
      await Promise.all(daemons.toReversed().map(stopNode))
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

function hasDask(): boolean {
  return spawnSync('python3', ['-c', 'import dask.distributed'], { stdio: 'ignore' }).status === 0
}
