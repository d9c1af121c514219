/**
 * `runtimeEnv: { npm: 'install' }` with the managers that lockfiles belong to, as the registry has them: each makes the
 * lockfile of a project with a native package, and a node that has nothing of it installs by that.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { init, remote, shutdown } from 'outpool'
import { BareNode, joinOptions, Project } from '../../cluster/bare-nodes.ts'
import type { Soak, SoakReport } from './soak.ts'

const execute = promisify(execFile)

interface Manager {
  /** The package that it is. */
  readonly tool: string
  readonly command: string
  readonly version: RegExp
  /** Makes the lockfile, and installs. */
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly lockfile: string
  /** What the manager leaves in the node_modules that it made. */
  readonly mark: string
}

const berryEnv = { YARN_NODE_LINKER: 'node-modules', YARN_ENABLE_SCRIPTS: 'false', YARN_ENABLE_TELEMETRY: '0' }
const managers: readonly Manager[] = [
  {
    tool: 'pnpm@9',
    command: 'pnpm',
    version: /^9\./,
    args: ['install', '--ignore-scripts'],
    lockfile: 'pnpm-lock.yaml',
    mark: '.modules.yaml',
  },
  {
    tool: 'yarn@1',
    command: 'yarn',
    version: /^1\./,
    args: ['install', '--ignore-scripts', '--non-interactive'],
    lockfile: 'yarn.lock',
    mark: '.yarn-integrity',
  },
  {
    tool: '@yarnpkg/cli-dist@4',
    command: 'yarn',
    version: /^4\./,
    args: ['install', '--no-immutable'],
    env: berryEnv,
    lockfile: 'yarn.lock',
    mark: '.yarn-state.yml',
  },
]

/** A package with a binary in it, that needs no install script. */
const files = {
  'package.json':
    '{ "name": "locked", "version": "1.0.0", "license": "MIT", "type": "module", "dependencies": { "bufferutil": "4.0.9" } }',
  'work.mjs': `
    import bufferutil from 'bufferutil'
    import { readFileSync } from 'node:fs'
    export async function work(value) {
      const masked = Buffer.alloc(4)
      bufferutil.mask(Buffer.from([value, value, value, value]), Buffer.from([1, 2, 3, 4]), masked, 0, 4)
      const maps = readFileSync('/proc/self/maps', 'utf8').split('\\n')
      const binary = maps.find((line) => /bufferutil.*\\.node$/.test(line)) ?? ''
      return { found: masked.join(' '), binary: binary.slice(binary.indexOf('/')) }
    }`,
}

interface Worked {
  readonly found: string
  readonly binary: string
}

/** A folder with the manager's command; undefined where the registry is not to be had. */
async function toolFolder({ tool }: Manager, { note }: SoakReport): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'tool-'))
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  try {
    await execute('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', tool], { cwd: folder })
    return join(folder, 'node_modules/.bin')
  } catch (error) {
    note(`skipped: ${tool} could not be had: ${String(error).slice(0, 200)}`)
    return undefined
  }
}

async function tryManager(manager: Manager, report: SoakReport): Promise<void> {
  const { check, note } = report
  const tools = await toolFolder(manager, report)
  if (tools === undefined) return
  const path = [tools, process.env['PATH'] ?? ''].join(delimiter)
  const { PATH: before } = process.env
  const project = new Project(files, false)
  const env = { ...process.env, ...manager.env, PATH: path, HOME: mkdtempSync(join(tmpdir(), 'home-')) }
  const { stdout: version } = await execute(manager.command, ['--version'], { cwd: tools, env })
  check(`${manager.command} ${version.trim()}`, manager.version.test(version))
  await execute(manager.command, manager.args, { cwd: project.folder, env })
  check(`it made ${manager.lockfile}`, existsSync(project.path(manager.lockfile)))
  process.env['PATH'] = path
  const node = await BareNode.start()
  process.env['PATH'] = before
  try {
    await init({ ...joinOptions(node), logToDriver: false })
    // What reaches the registry here, a node may need, too.
    const { NODE_EXTRA_CA_CERTS: certificates } = process.env
    const runtimeEnv = {
      npm: 'install' as const,
      env: { ...manager.env, ...(certificates !== undefined && { NODE_EXTRA_CA_CERTS: certificates }) },
    }
    const work = remote<(value: number) => Worked>(project.url('work.mjs'), 'work', { runtimeEnv })
    const startedAt = performance.now()
    const worked = await Promise.all([1, 2].map((value) => work.options({ name: `work${value}` }).run(value)))
    note(`two at once, from nothing: ${Math.round(performance.now() - startedAt)} ms`)
    check('both have the right answer', worked.map(({ found }) => found).join() === '0 3 2 5,3 0 1 6')
    check(`the binary is the node's: ${worked[0]?.binary}`, worked[0]?.binary.startsWith(node.code) === true)
    const installed = readdirSync(node.code).filter((entry) => existsSync(join(node.code, entry, 'package.json')))
    check('it was installed once', installed.length === 1)
    const modules = join(node.code, installed[0] ?? '', 'node_modules')
    check(`by that manager: it left ${manager.mark}`, existsSync(join(modules, manager.mark)))
  } finally {
    await shutdown()
    await node.stop()
    project.remove()
  }
}

export const installed: Soak = {
  title:
    "npm: 'install' with pnpm, yarn 1 and yarn 4 from the registry, each with its own lockfile and a native package",
  async run(_cluster, report) {
    mkdirSync(tmpdir(), { recursive: true })
    for (const manager of managers) await tryManager(manager, report)
  },
}
