import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { fileFacts } from '../../migration-guide/examples/file-facts/facts.mjs'
import { readInput } from '../../migration-guide/examples/file-facts/input.mjs'
import { summarise } from '../../migration-guide/examples/file-facts/summary.mjs'
import { shareCpus } from '../../migration-guide/examples/main-job/options.mjs'
import { sourceDiff } from '../../migration-guide/examples/main-job/compare.mjs'
import { whySlower } from '../../migration-guide/examples/main-job/tables.mjs'
import { processesMarked } from '../tools/processes.mjs'
import { root } from '../tools/tree.ts'

const examples = new URL('../../migration-guide/examples/', import.meta.url)
const limitMs = 180_000

interface Outcome {
  readonly files: number
  readonly bytes: number
  readonly identical: boolean
  readonly nodes: readonly { id: string; pid: number; tasks: number; killed: boolean }[]
  readonly rerun: number
  readonly startMs: number
  readonly beforeMs: number
  readonly afterMs: number
  readonly mapMs: number
}

function npmStart(args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
  // The tests' loader is not for the program.
  return spawn(process.execPath, [join(root, 'test/tools/start.mjs'), ...args], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Resolves when the job on the cluster has begun, or has ended before. */
function progress(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    let seen = ''
    child.stderr?.on('data', (text: Buffer | string) => {
      seen += String(text)
      if (seen.includes('outpool/workerpool: 0 of 500 files')) resolve()
    })
    child.once('close', () => resolve())
  })
}

async function ended(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const output = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream]?.setEncoding('utf8').on('data', (text: string) => (output[stream] += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...output }
}

/** 40 to 100 KB of identifiers that follow from the number of the file. */
function someSource(file: number): string {
  const lines = Array.from({ length: 1000 + (file % 15) * 100 }, (_, line) => {
    const value = (file * 7919 + line * 104_729) % 99_991
    return `const name${value % 997} = call${value % 89}(other${value}, ${line})`
  })
  return lines.join('\n')
}

describe('the main job', () => {
  let input: string
  before(() => {
    input = mkdtempSync(join(tmpdir(), 'input-'))
    // About as large as each other, so that every node has its share of them whatever else the machine does.
    for (let file = 0; file < 600; file++) writeFileSync(join(input, `${file}.js`), someSource(file))
  })
  after(() => rmSync(input, { recursive: true, force: true }))

  it('gives the same results on three nodes, one of them killed half-way', async function () {
    this.timeout(limitMs)
    const { code, stdout, stderr } = await ended(npmStart(['--json', '--kill-node', '--dir', input]))
    expect(code, stderr).to.equal(0)
    const last = stdout.trimEnd().split('\n').at(-1) as string
    const outcome = JSON.parse(last) as Outcome
    expect(outcome).to.have.all.keys(
      ...['files', 'bytes', 'identical', 'nodes', 'rerun', 'startMs', 'beforeMs', 'afterMs', 'mapMs'],
    )
    expect(outcome.identical).to.equal(true)
    expect(outcome.files).to.equal(600)
    expect(outcome.rerun, 'files that ran again').above(0)
    expect(outcome.nodes).to.have.length(3)
    const ranAtLeast = { survivor: 0.15, killed: 0.05 }
    for (const { killed, tasks } of outcome.nodes)
      expect(tasks, last).at.least(outcome.files * ranAtLeast[killed ? 'killed' : 'survivor'])
    expect(outcome.nodes.filter(({ killed }) => killed)).to.have.length(1)
    expect(outcome.nodes[0]?.killed, 'the head').to.equal(false)
    expect(outcome.nodes.reduce((sum, { tasks }) => sum + tasks, 0)).to.equal(outcome.files)
    for (const name of ['startMs', 'beforeMs', 'afterMs', 'mapMs'] as const) expect(outcome[name], name).above(0)
  })

  it('prints the diff, the results and where they were computed', async function () {
    this.timeout(limitMs)
    const { code, stdout, stderr } = await ended(npmStart(['--files', '100']))
    expect(code, stderr).to.equal(0)
    expect(stdout).to.include(
      "- import workerpool from 'workerpool'\n  + import workerpool from 'outpool/workerpool'\n",
    )
    for (const heading of ['largest packages', 'language', 'most wasteful duplicates', 'Pool.map ran on'])
      expect(stdout).to.include(heading)
    expect(stdout.trimEnd()).match(/All three results are identical\.$/)
  })

  it('ends everything that it started and leaves no file, when it is interrupted, twice as by npm', async function () {
    this.timeout(limitMs)
    const folder = mkdtempSync(join(tmpdir(), 'i-'))
    const child = npmStart(['--files', '500'], { TMPDIR: folder })
    const end = ended(child)
    await progress(child)
    child.kill('SIGINT')
    await sleep(20)
    child.kill('SIGINT')
    const { code, stderr } = await end
    expect(code, stderr).to.equal(130)
    expect(readdirSync(folder)).to.deep.equal([])
    rmSync(folder, { recursive: true, force: true })
  })

  it('leaves no process when it is killed', async function () {
    this.timeout(limitMs)
    // All that it starts has its temporary files there, so it can be told from everything else.
    const folder = mkdtempSync(join(tmpdir(), 'k-'))
    const child = npmStart(['--files', '500'], { TMPDIR: folder })
    await progress(child)
    expect(processesMarked(folder)).to.have.length.above(3)
    child.kill('SIGKILL')
    while (processesMarked(folder).length > 0) await sleep(50)
    rmSync(folder, { recursive: true, force: true })
  })

  it('refuses options that it does not have, with its usage', async () => {
    const { code, stderr } = await ended(npmStart(['--kill-nodes']))
    expect(code).to.equal(2)
    expect(stderr).match(/--kill-nodes[^]*Usage: npm start/)
  })
})

describe('the example of a program on workerpool', () => {
  it('is moved to outpool by its import alone', () => {
    const [before, after] = ['before', 'after'].map((name) =>
      readFileSync(new URL(`file-facts/${name}.mjs`, examples), 'utf8').split('\n'),
    ) as [string[], string[]]
    expect(after).to.have.length(before.length)
    const changed = before.flatMap((line, index) => (line === after[index] ? [] : [[line, after[index]]]))
    expect(changed).to.deep.equal([
      ["import workerpool from 'workerpool'", "import workerpool from 'outpool/workerpool'"],
    ])
    expect(sourceDiff(new URL('file-facts/before.mjs', examples), new URL('file-facts/after.mjs', examples)))
      .to.have //
      .length(2)
  })

  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'facts-'))
    writeFileSync(join(folder, 'a.js'), 'let beta = alpha + $c1\nalpha(beta)')
    writeFileSync(join(folder, 'copy.ts'), 'let beta = alpha + $c1\nalpha(beta)')
    writeFileSync(join(folder, 'empty.json'), '')
    writeFileSync(join(folder, 'many.txt'), Array.from({ length: 25 }, (_, i) => `name${i + 10}\n`).join(''))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('counts the lines and identifiers of a file, ties in alphabetical order', () => {
    const path = join(folder, 'a.js')
    const content = readFileSync(path)
    expect(fileFacts(path)).to.deep.equal({
      path,
      bytes: content.length,
      lines: 2,
      sha256: createHash('sha256').update(content).digest('hex'),
      gzipBytes: gzipSync(content).length,
      identifiers: [
        ['alpha', 2],
        ['beta', 2],
        ['$c1', 1],
        ['let', 1],
      ],
    })
    expect(fileFacts(join(folder, 'empty.json'))).to.deep.include({ lines: 0, identifiers: [] })
    const { lines, identifiers } = fileFacts(join(folder, 'many.txt'))
    expect(lines).to.equal(25)
    expect(identifiers).to.deep.equal(Array.from({ length: 20 }, (_, i) => [`name${i + 10}`, 1]))
  })

  it('reduces the facts to totals, duplicates, packages and languages', () => {
    const { files } = readInput(['--dir', folder])
    expect(files.map(({ bytes }) => bytes)).to.deep.equal([175, 34, 34, 0])
    const { totals, duplicates, languages, packages } = summarise(
      files.map(({ path }) => fileFacts(path)),
      folder,
    )
    expect(totals).to.deep.include({ files: 4, bytes: 243, lines: 29 })
    expect(duplicates).to.deep.include({ sets: 1, files: 1, wastedBytes: 34 })
    expect(languages.map(({ name, bytes }) => [name, bytes])).to.deep.equal([
      ['other', 175],
      ['JavaScript', 34],
      ['TypeScript', 34],
      ['JSON', 0],
    ])
    expect(packages.map(({ name }) => name)).to.deep.equal(['(no package)'])
    const inPackages = ['a/x.js', '@s/b/y.js', 'a/node_modules/@s/b/z.js'].map((path) => ({
      ...fileFacts(join(folder, 'a.js')),
      path: join(folder, path),
    }))
    expect(summarise(inPackages, folder).packages.map(({ name, files: count }) => [name, count])).to.deep.equal([
      ['@s/b', 2],
      ['a', 1],
    ])
  })

  it('deals the CPUs of the machine out to three nodes', () => {
    expect([1, 3, 4, 5, 8, 64].map((cpus) => shareCpus(cpus))).to.deep.equal([
      [1, 1, 1],
      [1, 1, 1],
      [2, 1, 1],
      [2, 2, 1],
      [3, 3, 2],
      [22, 21, 21],
    ])
  })

  it('says what made a program slower, from what was measured', () => {
    const first = { title: 'workerpool', wallMs: 1000, cpuMs: 4000 }
    expect(whySlower(first, { wallMs: 900, cpuMs: 100 })).to.equal('10 % less time than workerpool')
    const slower = { wallMs: 1200, cpuMs: 500, managersMs: 100, workersMs: 4000 }
    expect(whySlower(first, slower)).to.equal(
      '20 % more time: 0.60 s more of CPU\nto carry calls between processes; it had 3.8 CPUs of the machine, workerpool 4.0',
    )
    expect(whySlower(first, { ...slower, killed: true })).match(/^20 % more time: a node was killed/)
  })
})
