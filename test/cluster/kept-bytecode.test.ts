import { execFile } from 'node:child_process'
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { Project } from './bare-nodes.ts'
import { canShare } from '../tools/native.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))

/** The worker lives for longer than it takes until the bytecode is kept. */
const program = `import { remote, shutdown } from 'outpool'
const restMs = Number(process.argv[2])
const add = remote((a, b) => a + b)
console.log(await add.run(1, 2))
await new Promise((resolve) => setTimeout(resolve, restMs))
await shutdown()
`

describe('an installed package', function () {
  this.timeout(120_000)
  let project: Project
  let kept: string
  before(() => {
    project = new Project({ 'package.json': '{"type": "module"}', 'main.js': program }, false)
    const installed = project.path('node_modules/outpool')
    cpSync(join(root, 'dist'), join(installed, 'dist'), {
      recursive: true,
      filter: (path) => !path.endsWith('.compiled'),
    })
    cpSync(join(root, 'package.json'), join(installed, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(installed, 'node_modules'))
    kept = join(installed, 'dist/chunks/.compiled')
  })
  after(() => project.remove())

  async function play(restMs: number, environment: Readonly<Record<string, string>> = {}): Promise<void> {
    const env = { ...process.env, NODE_OPTIONS: '', ...environment }
    const { stdout, stderr } = await run(process.execPath, ['main.js', String(restMs)], { cwd: project.folder, env })
    expect(stdout).to.equal('3\n')
    expect(stderr).to.match(canShare ? /^$/ : /^outpool: objects are kept in files.*\n$/)
  }

  /** What was kept, by name, without the tag of the flags: workers have others than their driver. */
  const names = (): readonly string[] =>
    [...new Set(readdirSync(kept).map((name) => name.replace(/[-.].*$/, '')))].toSorted()

  it('keeps nothing where Node is told to keep nothing', async () => {
    await play(0, { NODE_DISABLE_COMPILE_CACHE: '1' })
    expect(existsSync(kept)).to.equal(false)
  })

  it('keeps the bytecode of a first run, which later ones do not write again', async () => {
    await play(1500)
    expect(names()).to.deep.equal(['acorn', 'core', 'driver', 'local', 'worker'])
    const times = (): readonly number[] => readdirSync(kept).map((name) => statSync(join(kept, name)).mtimeMs)
    const before = times()
    await play(1500)
    expect(times()).to.deep.equal(before)
  })

  it('does its work, and keeps it anew, when what was kept is damaged', async () => {
    for (const name of readdirSync(kept)) {
      const bytes = readFileSync(join(kept, name))
      bytes.fill(0xa5, bytes.length >> 1)
      writeFileSync(join(kept, name), bytes)
    }
    await play(1500)
    for (const name of readdirSync(kept)) {
      const bytes = readFileSync(join(kept, name))
      expect(bytes.at(-1) === 0xa5 && bytes.at(-2) === 0xa5 && bytes.at(-9) === 0xa5, name).to.equal(false)
    }
  })

  it('does its work where nothing can be kept', async () => {
    rmSync(kept, { recursive: true })
    writeFileSync(kept, '')
    await play(0)
    expect(statSync(kept).isFile()).to.equal(true)
  })
})
