/**
 * Nodes that have nothing of the program: the built package, started by its command line in an empty folder, with an
 * empty home and a temporary folder of its own. And projects whose code is to run there.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { init, shutdown } from 'outpool'
import { namesIn } from '../../runtime/base/names-in.ts'
import { eventually } from '../tools/eventually.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const command = join(root, 'dist/lib/cli/main.js')
const token = 'bare-nodes-0123456789abcdef0123456789abcdef'

export class BareNode {
  readonly folder: string
  readonly #child: ChildProcess
  #out = ''

  private constructor(args: readonly string[]) {
    this.folder = mkdtempSync(join(tmpdir(), 'n-'))
    for (const name of ['home', 'tmp', 'empty']) mkdirSync(join(this.folder, name))
    const { PATH = '' } = process.env
    this.#child = spawn(process.execPath, [command, 'start', '--block', '--drain', '0', ...args], {
      cwd: join(this.folder, 'empty'),
      env: {
        ...{ PATH, HOME: join(this.folder, 'home'), TMPDIR: join(this.folder, 'tmp'), OUTPOOL_TOKEN: token },
        OUTPOOL_TEST_RUN: process.env['OUTPOOL_TEST_RUN'] ?? '',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (text: Buffer) => (this.#out += text.toString()))
  }

  /** Of a new cluster, or of the one at `address`. */
  static async start(args: readonly string[] = [], address?: string): Promise<BareNode> {
    const place = address === undefined ? ['--head', '--port', '0'] : ['--address', address]
    const node = new BareNode([...place, '--num-cpus', '2', ...args])
    await eventually(() => {
      if (node.#child.exitCode !== null) throw new Error(`the node did not start: ${node.#out}`)
      return node.url === '' ? undefined : true
    })
    return node
  }

  get url(): string {
    return /is up at (\S+)/.exec(this.#out)?.[1] ?? ''
  }

  get pid(): number {
    return this.#child.pid as number
  }

  get output(): string {
    return this.#out
  }

  /** Where its code cache is. */
  get code(): string {
    // A package manager may keep something of its own there.
    const [user = ''] = namesIn(join(this.folder, 'tmp')).filter((name) => name.startsWith('outpool-'))
    const [id = ''] = namesIn(join(this.folder, 'tmp', user))
    return join(this.folder, 'tmp', user, id, 'code')
  }

  /** A metric of it, by its name. */
  async metric(name: string): Promise<number> {
    const response = await fetch(`${this.url.replace('ws', 'http')}/metrics`, {
      headers: { authorization: `Bearer ${token}` },
    })
    const line = (await response.text()).split('\n').find((each) => each.startsWith(`${name} `))
    return Number(line?.split(' ')[1])
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGTERM')
      await once(this.#child, 'close')
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** What a driver joins these nodes with. */
export function joinOptions(node: BareNode): { readonly address: string; readonly token: string } {
  return { address: node.url, token }
}

/** Tasks with these options run on the one or the other of `useTwoNodes`. */
export const onHead = { resources: { head: 0.01 } }
export const onOther = { resources: { other: 0.01 } }

/** The nodes of a `describe`, there while its tests run: a head, which this process has joined, and another node. */
export function useTwoNodes(): { readonly head: BareNode; readonly other: BareNode } {
  const nodes = {} as { head: BareNode; other: BareNode }
  before(async () => {
    nodes.head = await BareNode.start(['--resources', '{"head": 1}'])
    nodes.other = await BareNode.start(['--resources', '{"other": 1}'], nodes.head.url)
    await init({ ...joinOptions(nodes.head), logToDriver: false })
  })
  after(async () => {
    await shutdown()
    await nodes.other.stop()
    await nodes.head.stop()
  })
  return nodes
}

/** A project of these files, with the packages that this one has installed, if it is to have any. */
export class Project {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'project-'))

  constructor(files: Readonly<Record<string, string>>, withPackages = true) {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true })
      writeFileSync(join(this.folder, path), text)
    }
    if (withPackages) symlinkSync(join(root, 'node_modules'), join(this.folder, 'node_modules'))
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  url(name: string): URL {
    return pathToFileURL(this.path(name))
  }

  /** Nothing can come from it any more. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
