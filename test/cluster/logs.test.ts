import { expect } from 'chai'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { init, remote, shutdown } from 'outpool'
import type { LogFile } from '../../runtime/cluster/node-logs.ts'
import { Command, run } from './command.ts'
import { Program, TestCluster } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { withoutStoreLine } from '../tools/native.ts'

describe('what workers print', () => {
  let on: Program
  let off: Program
  let lines: readonly string[]
  let errors: readonly string[]
  let who: (name: string) => string
  let facts: { pid: number; node: string }

  before(async () => {
    on = new Program('logs.mjs', ['on'])
    off = new Program('logs.mjs', ['off'])
    expect(await Promise.all([on.exit, off.exit])).to.deep.equal([
      [0, null],
      [0, null],
    ])
    lines = on.stdout.split('\n')
    errors = on.stderr.split('\n')
    facts = JSON.parse((lines.find((line) => line.startsWith('driver ')) ?? '').slice(7)) as typeof facts
    who = (name) => `(${name} pid=${facts.pid} node=${facts.node.slice(0, 8)})`
  })
  after(async () => {
    await on.remove()
    await off.remove()
  })

  it('appears at the driver, with its function, process and node, on the stream that it was written to', () => {
    expect(lines)
      .to.include(`${who('speaks')} hello`)
      .and.include(`${who('renamed')} bye`)
    expect(errors)
      .to.include(`${who('speaks')} not hello`)
      .and.include(`${who('renamed')} not bye`)
    expect(lines.filter((line) => line.includes('not hello'))).to.deep.equal([])
  })

  it('appears as whole lines, also where it was written in pieces or never ended', () => {
    expect(lines).to.include(`${who('pieces')} one whole line`)
    expect(lines).to.include(`${who('unfinished')} without an end`)
  })

  it('has the record separators that it was written with', () => {
    expect(lines)
      .to.include(`${who('sequences')} \u001e{"a":1}`)
      .and.include(`${who('sequences')} \u001e{"a":2}`)
  })

  it('is folded where it repeats itself', () => {
    const again = lines.filter((line) => line.startsWith(who('repeats')))
    expect(again[0]).to.equal(`${who('repeats')} again`)
    const counts = again.slice(1).map((line) => Number(/repeated (\d+) times$/.exec(line)?.[1] ?? 1))
    expect(1 + counts.reduce((sum, count) => sum + count, 0)).to.equal(500)
    expect(again.length).to.be.lessThan(50)
  })

  it('is cut to what a person can read where it floods, and says how much is left out', () => {
    const shown = lines.filter((line) => line.startsWith(`${who('floods')} line `))
    const dropped = lines
      .filter((line) => line.startsWith(who('floods')))
      .map((line) => Number(/\.\.\. (\d+) lines dropped/.exec(line)?.[1] ?? 0))
    expect(shown[0]).to.equal(`${who('floods')} line 0`)
    expect(shown.length).to.be.lessThan(20_000)
    expect(shown.length + dropped.reduce((sum, count) => sum + count, 0)).to.equal(20_000)
  })

  it('does not appear with logToDriver: false', () => {
    expect(off.stdout).to.match(/^driver \{.*\}\n$/)
    expect(withoutStoreLine(off.stderr)).to.equal('')
  })
})

describe('what a worker of a cluster prints last', () => {
  let cluster: TestCluster
  beforeEach(() => (cluster = new TestCluster()))
  afterEach(() => cluster.close())

  it('appears at a driver that shuts down at once', async () => {
    const rounds = 8
    const { url } = await cluster.start({ head: true })
    const program = new Program('last-lines.mjs', [String(rounds)], {
      OUTPOOL_ADDRESS: url,
      OUTPOOL_TOKEN: cluster.token,
    })
    try {
      expect(await program.exit).to.deep.equal([0, null])
      // Nodes look at what workers print ten times a second, and may be late.
      expect(program.stdout.match(/line \d/g)?.length ?? 0).to.be.above(rounds / 2)
    } finally {
      await program.remove()
    }
  })

  it('appears without the end of its line, too, as soon as the worker has nothing more to do', async () => {
    const { url } = await cluster.start({ head: true, numCpus: 1 })
    const program = new Program('unfinished.mjs', [], { OUTPOOL_ADDRESS: url, OUTPOOL_TOKEN: cluster.token })
    try {
      await eventually(() => program.stdout.includes(') without an end\n') || undefined)
      await eventually(() => program.stderr.includes(') neither\n') || undefined)
    } finally {
      process.kill(program.pid, 'SIGKILL')
      await program.exit
      await program.remove()
    }
  })
})

describe('outpool logs, of a worker that prints more than is kept', () => {
  let cluster: TestCluster
  beforeEach(() => (cluster = new TestCluster()))
  afterEach(async () => {
    await shutdown()
    await cluster.close()
  })

  it('follows it over each new beginning of its file without a gap, and ends with the worker', async () => {
    const { url } = await cluster.start({ head: true, numCpus: 1 })
    await init({ address: url, logToDriver: false })
    const total = 150
    const print = remote(async (path: string, many: number) => {
      const { existsSync, fstatSync } = await import('node:fs')
      const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
      console.log('begun')
      while (!existsSync(path)) await sleep(20)
      for (let line = 0; line < many; line++) {
        console.log(`line ${line} ${'x'.repeat(64 * 1024)}`)
        // What is printed in the very moment of a new beginning may be lost.
        while (fstatSync(1).size > 8 * 1024 * 1024) await sleep(20)
      }
    })
    const start = join(cluster.folder, 'start')
    const printing = print.run(start, total)
    const worker = await eventually(async () => {
      const { files } = JSON.parse((await run(`logs --json --address ${url}`)).out) as { files: LogFile[] }
      return files.find(({ name, stream, sizeBytes }) => name !== 'node' && stream === 'out' && sizeBytes > 0)?.name
    })
    const following = new Command(['logs', '--worker', worker, '--follow', '--address', url])
    const over = following.ended()
    await eventually(() => following.out.includes('begun') || undefined)
    writeFileSync(start, '')
    await printing
    await shutdown()
    const { code, out } = await over
    const numbers = [...out.matchAll(/ line (\d+) x+$/gm)].map(([, number]) => Number(number))
    expect([code, numbers.length, numbers.every((number, index) => number === index)]).to.deep.equal([0, total, true])
    const last = await run(`logs --worker ${worker} --lines 100 --address ${url}`)
    const kept = [...last.out.matchAll(/ line (\d+) x+$/gm)].map(([, number]) => Number(number))
    expect([kept.length, kept[0], kept.at(-1)]).to.deep.equal([100, total - 100, total - 1])
    expect(last.out.includes('\u001e')).to.equal(false)
  })
})
