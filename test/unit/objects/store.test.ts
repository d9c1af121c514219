import { spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, open, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { ObjectStoreFullError, OutOfDiskError, OutpoolError } from '../../../runtime/base/errors.ts'
import { objectKey } from '../../../runtime/base/ids.ts'
import { FileObjectStore } from '../../../runtime/objects/file-store.ts'
import { MemoryObjectStore } from '../../../runtime/objects/memory-store.ts'
import { encodeValue, flatten } from '../../../runtime/objects/value.ts'
import { difference } from './same-value.ts'
import { describeStore, failure, key, owner, value, valueAt } from './store-contract.ts'

let folder: string

async function makeFolder(): Promise<string> {
  folder = await mkdtemp(join(tmpdir(), 'outpool-store-'))
  return join(folder, 'objects')
}

/** Files neither read nor write anything meanwhile; returns what they were asked for: where, and how much. */
async function withoutBytes(use: () => Promise<void>): Promise<number[][]> {
  const any = await open(fileURLToPath(import.meta.url))
  await any.close()
  const files = Object.getPrototypeOf(any) as Record<'read' | 'write', unknown>
  const { read, write } = files
  const calls: number[][] = []
  const done = (_: Uint8Array, __: number, length: number, position: number): Promise<object> => {
    // As Node does.
    if (length > 2 ** 31 - 1) throw new RangeError('length is out of range')
    calls.push([position, length])
    return Promise.resolve({ bytesRead: length, bytesWritten: length })
  }
  Object.assign(files, { read: done, write: done })
  try {
    await use()
  } finally {
    Object.assign(files, { read, write })
  }
  return calls
}

describe('FileObjectStore', () => {
  afterEach(() => rm(folder, { recursive: true, force: true }))

  describeStore('it', async () => FileObjectStore.open(await makeFolder()))

  it('keeps folders and files from everybody else', async () => {
    const store = await FileObjectStore.open(await makeFolder())
    await store.put(key, encodeValue(1, 'value'))
    const modes = [store.folder, join(store.folder, owner), join(store.folder, owner, 'abc')]
    expect(await Promise.all(modes.map(async (path) => (await stat(path)).mode & 0o777))).to.deep.equal([
      0o700, 0o700, 0o600,
    ])
  })

  it('refuses a folder that others can reach, or that is a link', async () => {
    const path = await makeFolder()
    await mkdir(path)
    await chmod(path, 0o755)
    expect(await failure(FileObjectStore.open(path)))
      .to.be.instanceOf(OutpoolError)
      .with.property('message')
      .that.includes('chmod 700')
    await chmod(path, 0o700)
    await symlink(path, join(folder, 'link'))
    expect(await failure(FileObjectStore.open(join(folder, 'link')))).to.be.instanceOf(Error)
  })

  it('serves the objects of another instance on the same folder, while both write', async () => {
    const path = await makeFolder()
    const stores = [await FileObjectStore.open(path), await FileObjectStore.open(path)] as const
    const keys = Array.from({ length: 40 }, (_, number) => objectKey({ owner, number }))
    await Promise.all(
      keys.map((at, index) => stores[index % 2 === 0 ? 0 : 1].put(at, encodeValue({ at, value }, 'value'))),
    )
    for (const [index, at] of keys.entries())
      expect(difference({ at, value }, await valueAt(stores[index % 2 === 0 ? 1 : 0], at))).to.equal(undefined)
    expect(await readdir(join(path, owner))).to.have.length(40)
  })

  it('leaves no file of an aborted object, of a closed store, or of itself once it is destroyed', async () => {
    const store = await FileObjectStore.open(await makeFolder())
    await (await store.create(key, 10)).abort()
    await store.create(key, 10)
    await store.close()
    expect(await readdir(join(store.folder, owner))).to.deep.equal([])
    await store.destroy()
    expect(await readdir(folder)).to.deep.equal([])
  })

  it('says what is asked and what is free, when an object is larger than the disk', async () => {
    const store = await FileObjectStore.open(await makeFolder())
    const error = await failure(store.create(key, 2 ** 52))
    expect(error)
      .to.be.instanceOf(OutOfDiskError)
      .with.property('details')
      .that.includes({ folder: store.folder, sizeBytes: 2 ** 52 })
    expect((error as OutOfDiskError).details['freeBytes'])
      .to.be.a('number')
      .above(0)
    expect(error.message)
      .to.include(store.folder)
      .and.include(String(2 ** 52))
  })

  it('fails with OutOfDiskError and leaves nothing, when the disk fills up while it writes', async function () {
    this.timeout(120_000)
    const at = join(await makeFolder(), 'mount')
    await mkdir(at, { recursive: true, mode: 0o700 })
    const script = fileURLToPath(new URL('full-disk.fixture.ts', import.meta.url))
    const mount = 'mount -t tmpfs -o size=1m,mode=700 none "$1" && shift && exec "$@"'
    const command = [process.execPath, '--import', 'tsx', script, at]
    if (spawnSync('unshare', ['-rm', 'sh', '-c', mount, 'sh', at, 'true']).status !== 0) this.skip()
    const run = spawnSync('unshare', ['-rm', 'sh', '-c', mount, 'sh', at, ...command], { encoding: 'utf8' })
    expect(run.stdout.trim(), run.stderr).to.equal('OutOfDiskError ENOSPC []')
  })

  it('keeps why there is no room, also where its folder is gone', async () => {
    const store = await FileObjectStore.open(await makeFolder())
    await store.destroy()
    const cause = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    expect(await store.clear(cause, 10))
      .to.be.instanceOf(OutOfDiskError)
      .with.property('cause', cause)
  })

  it('reads and writes what is too large for one call of the system', async () => {
    const store = await FileObjectStore.open(await makeFolder())
    const sizeBytes = 2.5 * 1024 ** 3
    const calls = await withoutBytes(async () => {
      const writer = await store.create(key, sizeBytes)
      // Fresh memory that nobody touches takes none.
      await writer.write(new Uint8Array(sizeBytes), 0)
      await writer.seal()
      await truncate(join(store.folder, owner, 'abc'), sizeBytes)
      expect(await store.read(key, 0, sizeBytes)).to.have.length(sizeBytes)
    })
    const gibibyte = 1024 ** 3
    const each = [
      [0, gibibyte],
      [gibibyte, gibibyte],
      [2 * gibibyte, gibibyte / 2],
    ]
    expect(calls).to.deep.equal([...each, ...each])
  })

  it('reads a damaged file as an error, never as a value', async () => {
    const store = await FileObjectStore.open(await makeFolder())
    await store.put(key, encodeValue(value, 'value'))
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(100, 7),
      flatten(encodeValue(value, 'value')).subarray(0, 200_000),
    ]) {
      await writeFile(join(store.folder, owner, 'abc'), bytes)
      expect(await failure(valueAt(store, key))).to.be.instanceOf(OutpoolError)
    }
  })
})

describe('MemoryObjectStore', () => {
  describeStore('it', async () => new MemoryObjectStore())

  it('counts its bytes, and refuses more than its capacity', async () => {
    const store = new MemoryObjectStore({ capacityBytes: 1000 })
    const writer = await store.create(key, 900)
    const error = await failure(store.create(key, 101))
    expect(error)
      .to.be.instanceOf(ObjectStoreFullError)
      .with.deep.property('details', { sizeBytes: 101, usedBytes: 900, capacityBytes: 1000 })
    await writer.abort()
    const size = await store.put(key, encodeValue('a', 'value'))
    await store.put(key, encodeValue('b', 'value'))
    expect(store.usedBytes).to.equal(size)
    await store.delete(key)
    expect(store.usedBytes).to.equal(0)
  })

  it('copies what is put at the call', async () => {
    const store = new MemoryObjectStore()
    const large = new Float64Array(10_000).fill(1)
    const done = store.put(key, encodeValue(large, 'value'))
    large.fill(2)
    await done
    expect(await valueAt(store, key)).to.deep.equal(new Float64Array(10_000).fill(1))
  })
})
