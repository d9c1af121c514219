import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { expect } from 'chai'
import { init, put, remote, shutdown } from 'outpool'
import { runFolderOf } from '../../runtime/cluster/run-folder.ts'
import { namesIn } from '../../runtime/base/names-in.ts'
import { TestCluster } from './support.ts'
import { eventually } from '../tools/eventually.ts'

/** What workers get of the environment of their node, and what the tests put there to find them. */
const passed = new Set([
  ...['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'NODE_ENV', 'XDG_CONFIG_HOME'],
  ...[
    'OUTPOOL_HOME',
    'OUTPOOL_EVENTS',
    'OUTPOOL_TLS_CA',
    'NODE_EXTRA_CA_CERTS',
    'SSL_CERT_FILE',
    'SSL_CERT_DIR',
    'OUTPOOL_TEST_RUN',
    'NODE_DISABLE_COMPILE_CACHE',
  ],
])

interface Entry {
  readonly path: string
  readonly kind: 'folder' | 'file' | 'other'
  readonly mode: number
}

function entriesBelow(folder: string): Entry[] {
  const entries: Entry[] = []
  const add = (path: string): void => {
    const facts = lstatSync(path)
    const kind = facts.isDirectory() ? 'folder' : facts.isFile() ? 'file' : 'other'
    entries.push({ path, kind, mode: facts.mode & 0o777 })
    if (kind === 'folder') for (const name of readdirSync(path)) add(join(path, name))
  }
  add(folder)
  return entries
}

describe('what a node puts on the disk and into the environment of its workers', function () {
  this.timeout(120_000)
  let cluster: TestCluster
  let folder: string
  let umask: number

  beforeEach(() => {
    // Whatever is private is so because it was asked for, not because of the umask of this user.
    umask = process.umask(0)
    cluster = new TestCluster()
    folder = mkdtempSync(join(tmpdir(), 'pr-'))
    process.env['OUTPOOL_EVENTS'] = join(folder, 'events')
    process.env['SECRET_OF_SOMEBODY'] = 'a secret'
  })
  afterEach(async () => {
    process.umask(umask)
    for (const name of ['OUTPOOL_EVENTS', 'SECRET_OF_SOMEBODY']) delete process.env[name]
    await shutdown()
    await cluster.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('is for its user alone, and holds no secret that a task does not need', async () => {
    const head = await cluster.start({ head: true, storage: join(folder, 'tables') })
    await init({ address: head.url, token: cluster.token })
    const look = remote(async function look(bytes: Uint8Array) {
      const { readFileSync: read } = await import('node:fs')
      console.log('something')
      const environment = read('/proc/self/environ', 'utf8').split('\0').filter(Boolean)
      return { pid: process.pid, size: bytes.length, environment, now: Object.keys(process.env) }
    })
    const seen = await look.run(await put(new Uint8Array(2 ** 20)))
    expect(seen.size).to.equal(2 ** 20)
    const names = seen.environment.map((pair) => pair.split('=')[0] as string)
    expect(names.filter((name) => !passed.has(name))).to.deep.equal([])
    expect(names).to.include.members(['PATH', 'TMPDIR'])
    expect(seen.now).to.not.include('SECRET_OF_SOMEBODY')
    expect(seen.environment.join('\n')).to.not.contain(cluster.token).and.not.contain('a secret')
    const command = readFileSync(`/proc/${seen.pid}/cmdline`, 'utf8')
    expect(command).to.not.contain(cluster.token)
    expect(readFileSync(`/proc/${head.pid}/cmdline`, 'utf8')).to.not.contain(cluster.token)

    // Events are written down a little after they happen.
    await eventually(() => namesIn(join(folder, 'events')).length > 0 || undefined)
    const places = [runFolderOf(head.id), process.env['OUTPOOL_HOME'] as string, join(folder, 'events')]
    const entries = [...places, join(folder, 'tables')].flatMap(entriesBelow)
    const open = entries.filter(({ kind, mode }) =>
      kind === 'folder' ? mode !== 0o700 : kind === 'file' ? (mode & 0o077) !== 0 : false,
    )
    expect(open.map(({ path, mode }) => `${relative(tmpdir(), path)} ${mode.toString(8)}`)).to.deep.equal([])
    const has = (part: string): boolean => entries.some(({ path, kind }) => kind === 'file' && path.includes(part))
    for (const part of ['node.json', '.out', '.err', '/pages/', 'home/token', 'home/nodes/', '/events/', '/tables/'])
      expect(has(part), part).to.equal(true)
  })
})
