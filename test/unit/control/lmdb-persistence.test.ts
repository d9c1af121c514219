import { expect } from 'chai'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { open as openTables, type RootDatabase } from 'lmdb'
import { LmdbPersistence } from '../../../runtime/control/lmdb-persistence.ts'
import { MemoryPersistence, type Persistence, type SavedTables } from '../../../runtime/control/persistence.ts'
import type { TableWrite } from '../../../runtime/control/tables-state.ts'
import { rejection } from '../../tools/rejection.ts'

const writer = fileURLToPath(new URL('./fixtures/lmdb-writer.ts', import.meta.url))

/** Takes the next epoch and prints it, or what came instead. */
const openOnce = `
  import { LmdbPersistence } from ${JSON.stringify(new URL('../../../runtime/control/lmdb-persistence.ts', import.meta.url).href)}
  LmdbPersistence.open(process.argv[1]).then(async (persistence) => {
    const { epoch } = await persistence.load()
    await persistence.saveEpoch(epoch + 1)
    await persistence.close()
    console.log('epoch ' + (epoch + 1))
  }).catch((error) => console.log(error.name + ': ' + error.message))`

/** Prints that it has the tables, or why not; who has them goes on until it is killed. */
const holder = `
  import { LmdbPersistence } from ${JSON.stringify(new URL('../../../runtime/control/lmdb-persistence.ts', import.meta.url).href)}
  LmdbPersistence.open(process.argv[1]).then(() => {
    setInterval(() => {}, 60_000)
    console.log('has it')
  }).catch((error) => console.log(error.message))`

/** How a process may be able to lock a file. */
const waysToLock = {
  'the C library': {},
  'the command flock': { OUTPOOL_NO_NATIVE: '1' },
  'no lock': { OUTPOOL_NO_NATIVE: '1', PATH: '/nowhere' },
}

/** What goes before a command that mounts a disk of its own; undefined where that is forbidden. */
function mountNamespace(): readonly string[] | undefined {
  for (const unshare of [['unshare', '-m'] as const, ['unshare', '-rm'] as const]) {
    const [command, ...args] = [...unshare, 'mount', '-t', 'tmpfs', 'none', '/mnt']
    if (spawnSync(command, args, { stdio: 'ignore' }).status === 0) return unshare
  }
  return undefined
}

function row(key: string, version: number, text: string | undefined): TableWrite {
  return { table: 'kv', key, version, value: text === undefined ? undefined : new TextEncoder().encode(text) }
}

function readable({ epoch, writes }: SavedTables): unknown {
  const text = (value: Uint8Array | undefined): string | undefined =>
    value === undefined ? undefined : Buffer.from(value).toString()
  return { epoch, writes: writes.map(({ table, key, version, value }) => [table, key, version, text(value)]) }
}

describe('runtime/control/lmdb-persistence', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'outpool-lmdb-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('keeps what the memory of a process keeps, over being closed and opened again', async () => {
    const writes = [row('a', 1, 'one'), row('b', 2, 'two'), row('a', 3, undefined), row('ü'.repeat(1_000), 4, 'long')]
    const fill = async (persistence: Persistence): Promise<void> => {
      await persistence.saveEpoch(7)
      await persistence.write(writes.slice(0, 2))
      await persistence.write(writes.slice(2))
    }
    const memory = new MemoryPersistence()
    await fill(memory)
    const first = await LmdbPersistence.open(folder)
    await fill(first)
    await first.close()
    const second = await LmdbPersistence.open(folder)
    expect(readable(await second.load())).to.deep.equal(readable(await memory.load()))
    await second.close()
  })

  // A head of a later version goes on with these. What is written in another way has to be read in this way, too.
  const onDisk = {
    rows: { 'kv\0a': '94a26b76a16101c4036f6e65', 'kv\0ü': '94a26b76a2c3bc03c400' },
    last: { kv: '94a26b76a16204c0' },
    facts: { epoch: 'cd012c' },
  }
  const open = (): RootDatabase => openTables({ path: folder, maxDbs: 4, noSubdir: false })

  it('writes its rows in the form that the heads before it have written', async () => {
    const persistence = await LmdbPersistence.open(folder)
    await persistence.saveEpoch(300)
    await persistence.write([row('a', 1, 'one'), row('b', 2, 'two'), row('ü', 3, ''), row('b', 4, undefined)])
    await persistence.close()
    const root = open()
    const found = Object.keys(onDisk).map((name) => {
      const rows = [...root.openDB<Buffer, string>({ name, encoding: 'binary' }).getRange()]
      return [name, Object.fromEntries(rows.map(({ key, value }) => [key, value.toString('hex')]))]
    })
    await root.close()
    expect(Object.fromEntries(found)).to.deep.equal(onDisk)
  })

  it('reads rows of that form', async () => {
    const root = open()
    for (const [name, rows] of Object.entries(onDisk)) {
      const database = root.openDB<Buffer, string>({ name, encoding: 'binary' })
      for (const [key, hex] of Object.entries(rows)) await database.put(key, Buffer.from(hex, 'hex'))
    }
    await root.close()
    const persistence = await LmdbPersistence.open(folder)
    const writes = [row('a', 1, 'one'), row('ü', 3, ''), row('b', 4, undefined)]
    expect(readable(await persistence.load())).to.deep.equal(readable({ epoch: 300, writes }))
    await persistence.close()
  })

  it('remembers the version of a table whose last write deleted its row', async () => {
    const first = await LmdbPersistence.open(folder)
    await first.write([row('a', 1, 'one')])
    await first.write([row('a', 2, undefined)])
    await first.close()
    const second = await LmdbPersistence.open(folder)
    expect(readable(await second.load())).to.deep.equal({ epoch: 0, writes: [['kv', 'a', 2, undefined]] })
    await second.close()
  })

  it('is a folder of this user alone', async () => {
    const own = join(folder, 'made')
    const persistence = await LmdbPersistence.open(own)
    expect((await stat(own)).mode & 0o777).to.equal(0o700)
    await persistence.close()
  })

  for (const [way, environment] of Object.entries(waysToLock))
    it(`belongs to one process until that is killed or gives it up, with ${way}`, async () => {
      const args = ['--import', 'tsx', '--input-type=module', '-e', holder, folder]
      const children: ChildProcess[] = []
      const open = async (): Promise<[answer: string, pid: number]> => {
        const child = spawn(process.execPath, args, {
          stdio: ['ignore', 'pipe', 'inherit'],
          env: { ...process.env, ...environment },
        })
        children.push(child)
        const [text] = (await once(child.stdout, 'data')) as [Buffer]
        return [text.toString().trim(), child.pid as number]
      }
      try {
        const [has, pid] = await open()
        expect(has).to.equal('has it')
        const [refusal] = await open()
        expect(refusal).to.contain(
          `the head's tables in ${folder} are in use by process ${pid} on ${hostname()}: a head`,
        )
        expect(refusal).to.contain('outpool stop').and.to.contain('--storage')
        // Whoever starts it anew does not wait for the end of the one that was killed.
        process.kill(pid, 'SIGKILL')
        expect((await open())[0]).to.equal('has it')
      } finally {
        for (const child of children) child.kill('SIGKILL')
      }
    })

  it('is free for this process again when it was closed, and not before', async () => {
    const first = await LmdbPersistence.open(folder)
    expect((await rejection(LmdbPersistence.open(folder))).message).to.contain(`in use by process ${process.pid} on`)
    await first.close()
    await (await LmdbPersistence.open(folder)).close()
  })

  it('says that its disk is full when it is, new or not, and has all when there is room again', async function () {
    const unshare = mountNamespace()
    if (unshare === undefined) return this.skip()
    // A disk of 256 KiB: full, with room, full again.
    const script = `
      mount -t tmpfs -o size=256k none "$1" || exit 9; folder="$1"; shift
      fill() { head -c 300000 /dev/zero > "$folder/filler" 2> /dev/null; }
      fill; "$@"; rm "$folder/filler"; "$@"; fill; "$@"; rm "$folder/filler"; "$@"; ls "$folder/tables"`
    const opener = ['--import', 'tsx', '--input-type=module', '-e', openOnce, join(folder, 'tables')]
    const [command, ...args] = [...unshare, 'sh', '-c', script, 'sh', folder, process.execPath, ...opener]
    const child = spawn(command as string, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    child.stdout.on('data', (chunk) => (out += String(chunk)))
    child.stderr.on('data', (chunk) => (out += String(chunk)))
    await once(child, 'close')
    const full = /^OutOfDiskError: the head's tables in .* cannot be written: ENOSPC.* make room on that disk/
    const [first, second, third, fourth, ...names] = out.trim().split('\n')
    expect(
      [first, third].every((line) => full.test(line ?? '')),
      out,
    ).to.equal(true)
    expect([second, fourth, ...names]).to.deep.equal(['epoch 1', 'epoch 2', 'data.mdb', 'head.lock', 'lock.mdb'])
  })

  it('has everything that was acknowledged after each of five kills in the middle of writing', async () => {
    let acknowledged = 0
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, ['--import', 'tsx', writer, folder, String(acknowledged + 1)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let out = ''
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString()
        if (out.split('\n').length > 30) child.kill('SIGKILL')
      })
      await once(child, 'close')
      for (const line of out.split('\n').slice(0, -1)) acknowledged = Math.max(acknowledged, Number(line))
      const persistence = await LmdbPersistence.open(folder)
      const { writes } = await persistence.load()
      await persistence.close()
      const kept = new Set(writes.map(({ version }) => version))
      for (let version = 1; version <= acknowledged; version++)
        expect(kept.has(version), `version ${version}`).to.equal(true)
      acknowledged = Math.max(...kept)
    }
    expect(acknowledged).to.be.greaterThan(100)
  })
})
