import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect } from 'chai'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { noteProcess, stateOfProcess } from '../../runtime/base/process-identity.ts'
import { protocolVersion } from '../../runtime/protocol/version.ts'
import { namesIn } from '../../runtime/base/names-in.ts'
import { eventually } from '../tools/eventually.ts'
import type { Ended } from './command.ts'
import { TestCluster } from './support.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const other = protocolVersion + 1

/** A build of its own in a folder: the one of this repository, which speaks another protocol where that is asked for. */
function build(folder: string, protocol: number): string {
  const dist = join(folder, 'dist.new')
  mkdirSync(folder, { recursive: true })
  cpSync(join(root, 'dist'), dist, { recursive: true, filter: (path) => !path.endsWith('.compiled') })
  // No bytecode is kept: files that differ have one name here, and what runs would keep that of the other.
  writeFileSync(join(dist, 'chunks/.compiled'), '')
  cpSync(join(root, 'package.json'), join(folder, 'package.json'))
  if (protocol !== protocolVersion) speak(dist, protocol)
  // As package managers do it: what runs never sees a part of each.
  if (existsSync(join(folder, 'dist'))) renameSync(join(folder, 'dist'), join(folder, 'dist.old'))
  renameSync(dist, join(folder, 'dist'))
  return folder
}

function speak(dist: string, protocol: number): void {
  const written = `const protocolVersion = ${protocolVersion};`
  const chunks = namesIn(join(dist, 'chunks')).map((name) => join(dist, 'chunks', name))
  const found = chunks.filter((path) => path.endsWith('.js') && readFileSync(path, 'utf8').includes(written))
  expect(found, 'files that say the protocol').to.have.length.above(0)
  for (const path of found)
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(written, `const protocolVersion = ${protocol};`))
}

/** Of that build, as a process of its own. */
function node(args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (text) => (out += String(text)))
  child.stderr.on('data', (text) => (err += String(text)))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, out, err }))
  })
}

describe('two builds that speak different protocols', () => {
  let cluster: TestCluster
  let folder: string
  let head: DaemonFacts | undefined

  beforeEach(() => {
    cluster = new TestCluster()
    folder = join(cluster.folder, 'builds')
    mkdirSync(folder)
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  })
  afterEach(async () => {
    if (head !== undefined) {
      const note = noteProcess(head.pid)
      process.kill(head.pid, 'SIGTERM')
      await eventually(() => stateOfProcess(note) !== 'alive' || undefined)
    }
    head = undefined
    await cluster.close()
  })

  const start = (of: string, ...args: string[]): Promise<Ended> =>
    node([join(of, 'dist/lib/cli/main.js'), 'start', '--port', '0', '--num-cpus', '1', '--json', ...args])

  async function startHead(of: string): Promise<DaemonFacts> {
    const { out, err } = await start(of, '--head')
    expect(err).equal('')
    return (head = JSON.parse(out) as DaemonFacts)
  }

  /** What a program of that build prints, which calls a function at that address. */
  async function call(of: string, address: string): Promise<string> {
    const program = join(folder, 'program.mjs')
    const lib = pathToFileURL(join(of, 'dist/lib/index.js')).href
    writeFileSync(
      program,
      `import { init, remote, shutdown } from ${JSON.stringify(lib)}
       try {
         await init({ address: ${JSON.stringify(address)} })
         console.log(await remote(() => 'ran').run())
       } catch (error) {
         console.log(error.code, error.message)
       }
       await shutdown()`,
    )
    const { out, err } = await node([program])
    expect(err.replaceAll(/^\(outpool .*could not start[\s\S]*/gm, '')).equal('')
    return out
  }

  const told = (came: number, spoken: number): RegExp =>
    new RegExp(
      `came with protocol ${came}, where protocol ${spoken} is spoken \\(outpool .*install the same build of outpool`,
    )

  it('do not join each other: not a program, not a node', async () => {
    const [one, two] = [build(join(folder, 'one'), protocolVersion), build(join(folder, 'two'), other)]
    const { url } = await startHead(one)
    expect(await call(one, url)).equal('ran\n')
    const refused = await call(two, url)
    expect(refused).to.match(/^ERR_OUTPOOL_PROTOCOL_VERSION /)
    expect(refused).to.match(told(other, protocolVersion)).and.to.include(`protocol ${other})`)
    const joined = await start(two, '--address', url)
    expect(joined.code).equal(1)
    expect(joined.err).to.match(told(other, protocolVersion))
  })

  it('are told of where a node runs on while the package is replaced under it, whose workers are of the other then', async () => {
    const [one, program] = [
      build(join(folder, 'one'), protocolVersion),
      build(join(folder, 'program'), protocolVersion),
    ]
    const { url } = await startHead(one)
    build(one, other)
    const refused = await call(program, url)
    expect(refused).to.match(/^ERR_OUTPOOL_RUNTIME_ENV_SETUP no worker could be started/)
    expect(refused).to.match(told(other, protocolVersion)).and.to.include('start again what has run since before')
  })
})
