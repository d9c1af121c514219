import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { expect } from 'chai'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { get, init, put, remote, shutdown, wait, type ObjectRef } from 'outpool'
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import type { StoreUsage } from '../../runtime/objects/store-usage.ts'
import { ended, Program, TestCluster } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { rejection } from '../tools/rejection.ts'
import { canShare } from '../tools/native.ts'
import { needTool } from '../tools/need.ts'

const mebibyte = 1024 * 1024
const itShared = canShare ? it : it.skip

/** Keeps what it got for as long as its process lives, and tells one number of each page. */
const keep = remote((array: Float64Array) => {
  const memory = globalThis as { kept?: unknown[] }
  ;(memory.kept ??= []).push(array)
  let sum = 0
  for (let i = 0; i < array.length; i += 512) sum += array[i] as number
  return { sum, pid: process.pid }
})
const pidAfter = remote(async (ms: number, warm: Uint8Array) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return warm.length > 0 ? process.pid : 0
})
const spoil = remote((array: Float64Array) => {
  const before = array[0]
  array.fill(-1)
  return [before, array[0], array[array.length - 1]]
})
/** Does nothing but read, so that it may get what it got before. */
const sumOf = remote((array: Float64Array) => array.reduce((sum, x) => sum + x, 0))
const filled = remote((length: number, value: number) => new Float64Array(length).fill(value))
/** Leaves room half filled, objects and maps behind. */
const dieWith = remote((array: Float64Array, length: number) => {
  ;(globalThis as { held?: unknown }).held = array
  if (array[0] === 1) process.kill(process.pid, 'SIGKILL')
  return new Float64Array(length)
})

/** In a frame of its own, which keeps nothing of the value. */
async function holdsAll(ref: ObjectRef<Float64Array>, wanted: number): Promise<void> {
  expect((await ref.get()).every((value) => value === wanted)).to.equal(true)
}

/** Memory of a process, its share of what others use as well, in bytes. */
function shareOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1]) * 1024
}

/** By which this process says that it lives, to nodes of whose stores it has used something. */
function openLocks(): number {
  const name = (descriptor: string): string => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`)
    } catch {
      // That of this very look.
      return ''
    }
  }
  return readdirSync('/proc/self/fd').filter((descriptor) => name(descriptor).endsWith('.lock')).length
}

describe('objects', () => {
  let cluster: TestCluster
  let node: DaemonFacts
  const usage = (): Promise<StoreUsage> => askNodeJson<StoreUsage>(node.url, '/memory?objects=1000', cluster.token)
  const begin = async (options: object): Promise<void> => {
    node = await cluster.start({ head: true, ...options })
    await init({ address: node.url })
  }
  beforeEach(() => {
    cluster = new TestCluster()
  })
  afterEach(async () => {
    await shutdown()
    await cluster.close()
  })

  itShared('are in memory once, however many processes use them', async () => {
    const bytes = 256 * mebibyte
    const workers = 10
    await begin({ numCpus: workers, objectStoreMemory: 2 * bytes })
    const ref = await put(new Float64Array(bytes / 8).fill(1))
    const warm = await put(new Uint8Array(200_000).fill(1))
    const pids = new Set<number>()
    while (pids.size < workers)
      for (const pid of await get(Array.from({ length: workers }, () => pidAfter.remote(200, warm)))) pids.add(pid)
    const before = [...pids].reduce((sum, pid) => sum + shareOf(pid), 0)
    const kept = new Set<number>()
    while (kept.size < workers)
      for (const { pid, sum } of await get(
        Array.from({ length: workers }, () => keep.options({ numCpus: 1 }).remote(ref)),
      )) {
        expect(sum).to.equal(bytes / 8 / 512)
        kept.add(pid)
      }
    const after = [...pids].reduce((sum, pid) => sum + shareOf(pid), 0)
    expect(after - before).to.be.lessThan(bytes + 32 * mebibyte)
    expect((await usage()).list.find(({ key }) => key === ref.id)?.holders).to.have.length.at.least(workers)
  })

  it('are what was put, whatever somebody writes into what he got', async () => {
    await begin({ numCpus: 2 })
    const ref = await put(new Float64Array(100_000).fill(1))
    const first = await ref.get()
    first.fill(7)
    for (let i = 0; i < 4; i++) expect(await spoil.run(ref)).to.deep.equal([1, -1, -1])
    const second = await ref.get()
    expect([first[5], second[5]]).to.deep.equal([7, 1])
    // A result, which lies where another process wrote it.
    const result = filled.remote(100_000, 3)
    expect(await spoil.run(result)).to.deep.equal([3, -1, -1])
    expect((await result.get()).every((value) => value === 3)).to.equal(true)
  })

  it('are what was put for who reads them, whatever others have written into what they got in the same worker', async () => {
    await begin({ numCpus: 1 })
    const ref = await put(new Float64Array(1_000_000).fill(1))
    for (let i = 0; i < 3; i++) {
      expect(await sumOf.run(ref)).to.equal(1_000_000)
      expect(await spoil.run(ref)).to.deep.equal([1, -1, -1])
    }
  })

  itShared('give back at once what a process held that was killed', async () => {
    await begin({ numCpus: 2 })
    const ref = await put(new Float64Array(100_000).fill(1))
    for (let i = 0; i < 3; i++) {
      const error = await rejection(dieWith.options({ maxRetries: 0 }).run(ref, 20_000))
      expect(error.name).to.equal('WorkerCrashedError')
    }
    await holdsAll(filled.remote(50_000, 2), 2)
    const { list } = await eventually(async () => {
      // What this program itself has mapped goes when it is collected.
      globalThis.gc?.()
      const seen = await usage()
      return seen.list.length === 1 && seen.list[0]?.holders.length === 0 ? seen : undefined
    })
    expect(list[0]).to.include({ key: ref.id, state: 'memory' })
  })

  itShared('go to disk when memory is short, and come back', async () => {
    await begin({ numCpus: 2, objectStoreMemory: 32 * mebibyte })
    const length = (2 * mebibyte) / 8
    const refs = []
    for (let i = 0; i < 40; i++)
      refs.push(i % 2 === 0 ? await put(new Float64Array(length).fill(i)) : filled.remote(length, i))
    for (const [i, ref] of refs.entries()) await holdsAll(ref, i)
    const { spilledBytes, usedBytes, capacityBytes } = await usage()
    expect(spilledBytes).to.be.greaterThan(40 * mebibyte)
    expect(usedBytes).to.be.at.most(capacityBytes ?? 0)
    for (const ref of refs) ref[Symbol.dispose]()
    await eventually(async () => {
      globalThis.gc?.()
      const { objects, diskBytes } = await usage()
      return objects === 0 && diskBytes === 0 ? true : undefined
    })
  })

  it('go at once with a program that leaves in order, and so do its workers', async () => {
    // What a program is given that is lost, to come back: longer than any test may take.
    await begin({ numCpus: 2, driverGraceMs: 3_600_000 })
    const refs = [await put(new Float64Array(100_000)), filled.remote(100_000, 1)]
    const pid = await pidAfter.run(0, new Uint8Array(1))
    await wait(refs, { count: 2 })
    expect((await usage()).objects).to.equal(2)
    await shutdown()
    await eventually(async () => (await usage()).objects === 0 || undefined)
    await ended(pid)
    expect(refs).to.have.length(2)
  })

  itShared(
    'stay where a program that has left uses them, and go when it does no more, though it lives on',
    async () => {
      await begin({ numCpus: 1 })
      const kept: Float64Array[] = []
      for (let value = 1; value <= 4; value++) {
        const ref = await put(new Float64Array(100_000).fill(value))
        kept.push(await ref.get())
        await shutdown()
        await init({ address: node.url })
      }
      expect((await usage()).usedBytes).to.be.at.least(4 * 800_000)
      expect(kept.map((array) => new Set(array))).to.deep.equal([1, 2, 3, 4].map((value) => new Set([value])))
      kept.length = 0
      await eventually(async () => {
        globalThis.gc?.()
        return ((await usage()).usedBytes === 0 && openLocks() === 0) || undefined
      })
    },
  )

  it('go from every node with their last ref, also where a task had another one use what it was passed', async () => {
    await begin({ numCpus: 1 })
    const other = await cluster.start({ head: false, address: node.url, numCpus: 1, resources: { other: 1 } })
    const ref = await put(new Float64Array(100_000).fill(1))
    const elsewhere = remote<(refs: readonly ObjectRef<Float64Array>[], resources: object) => number>(
      new URL('fixtures/passing.mjs', import.meta.url),
      'lengthElsewhere',
    )
    expect(await elsewhere.run([ref], { other: 1 })).to.equal(100_000)
    const there = (): Promise<StoreUsage> => askNodeJson<StoreUsage>(other.url, '/memory?objects=10', cluster.token)
    expect((await there()).list.map(({ key }) => key)).to.deep.equal([ref.id])
    ref[Symbol.dispose]()
    await eventually(async () => ((await there()).objects === 0 && (await usage()).objects === 0) || undefined)
  })

  itShared('leave nothing in shared memory, or where the node kept them', async () => {
    // Programs that run beside this one may have semaphores there, Python's pools among them.
    const shared = (): string[] => readdirSync('/dev/shm').filter((name) => !name.startsWith('sem.'))
    const before = shared()
    await begin({ numCpus: 1 })
    await put(new Float64Array(1_000_000))
    expect(shared()).to.deep.equal(before)
  })
})

describe('objects where /dev/shm is small, as in a container', () => {
  itShared('do not need it: the store has the size that it was given', function () {
    needTool(this, 'unshare', 'install util-linux')
    const program = fileURLToPath(new URL('programs/small-shm.mjs', import.meta.url))
    const command = 'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$0" "$1"'
    const { status, stdout, stderr } = spawnSync('unshare', ['-Urm', 'sh', '-c', command, process.execPath, program], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    if (/unshare failed|Operation not permitted|permission denied/i.test(stderr)) this.skip()
    expect([stderr, stdout, status]).to.deep.equal(['', '64 MiB in /dev/shm, 192 MiB of objects\n', 0])
  })
})

describe('objects where the address space is limited (ulimit -v)', () => {
  itShared('are kept in files, which is told, where it has no room for the store', function () {
    const program = fileURLToPath(new URL('programs/objects.mjs', import.meta.url))
    const limited = ['-c', 'ulimit -v 3000000 && exec "$0" "$@"', process.execPath]
    if (spawnSync('sh', [...limited, '-e', '0']).status !== 0) this.skip()
    const { status, stdout, stderr } = spawnSync('sh', [...limited, program], { encoding: 'utf8', timeout: 60_000 })
    expect(stderr.split('\n').filter((line) => !line.includes('objects are kept in files'))).to.deep.equal([''])
    expect([stdout, status]).to.deep.equal(['1 3 1000000\n', 0])
  })
})

describe('a program whose files may not be large (ulimit -f)', () => {
  const show = (error: string): string => `(${error}) => console.log(${error}.code, ${error}.message)`
  const program = `
    import { put, remote, shutdown } from ${JSON.stringify(new URL('../../dist/lib/index.js', import.meta.url).href)}
    await remote((a) => a + 1).run(1).then(console.log, ${show('error')})
    await put(new Float64Array(1e6)).then(() => console.log('stored'), ${show('error')})
    await shutdown()`
  /** In units of 512 bytes. */
  const seen = (limit: number): string[] => {
    const limited = [
      '-c',
      `ulimit -f ${limit} && exec "$0" "$@"`,
      process.execPath,
      '--input-type=module',
      '-e',
      program,
    ]
    // Its own output is a pipe, which is no file.
    return spawnSync('sh', limited, { encoding: 'utf8', timeout: 60_000 }).stdout.trim().split('\n')
  }

  itShared('has no worker that dies by SIGBUS: what cannot be written is told with its path', () => {
    const [call, stored] = seen(32)
    expect(call).to.match(/^ERR_OUTPOOL_RUNTIME_ENV_SETUP no worker could be started/)
    expect(call).to.match(
      /EFBIG: file too large, write '\/.*\/pages\/[0-9a-f]{16}'; .*ulimit -f, LimitFSIZE= of the service/,
    )
    expect(stored).to.match(/^ERR_OUTPOOL_OUT_OF_DISK no room for an object .*ulimit -f, LimitFSIZE= of the service/)
  })

  itShared('runs tasks where their files have room, and says why a large value has none', () => {
    const [call, stored] = seen(1_000)
    expect(call).to.equal('2')
    expect(stored).to.match(/^ERR_OUTPOOL_OUT_OF_DISK no room for an object .*ulimit -f/)
  })
})

describe('objects without native code', () => {
  it('are kept in files, which is told once', async () => {
    const program = new Program('objects.mjs', [], { OUTPOOL_NO_NATIVE: '1' })
    try {
      const [code] = await program.exit
      expect(program.stderr.split('\n').filter((line) => line.includes('objects are kept in files'))).to.have.length(1)
      expect(program.stderr.trim().split('\n')).to.have.length(1)
      expect(code, program.stderr).to.equal(0)
      expect(program.stdout).to.equal('1 3 1000000\n')
    } finally {
      await program.remove()
    }
  })
})
