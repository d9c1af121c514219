import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { init, remote, RuntimeEnvSetupError, shutdown } from 'outpool'
import type * as Source from '../../runtime/code/function-source.ts'
import type * as Current from '../../runtime/owner/current.ts'
import { archiveId } from '../../runtime/code/modules/archive.ts'
import type { PackedManifest } from '../../runtime/code/modules/manifest.ts'
import { BareNode, joinOptions, Project } from './bare-nodes.ts'
import { eventually } from '../tools/eventually.ts'
import { magic, rawEnd, rawEntry, type EntryFacts } from '../unit/code/modules/raw-archive.ts'

/** The same instance of the built package as the import of it: the tests' loader requires both. */
const built = <T>(path: string): T => createRequire(import.meta.url)(path) as T

const entry = (path: string, text = 'export const run = () => 1', facts?: EntryFacts): Buffer =>
  rawEntry(path, Buffer.from(text), facts)

/** Ten million empty files: a hundred times the same hundred thousand, as one compressed stream. */
function tenMillion(): Buffer {
  const some = gzipSync(Buffer.concat(Array.from({ length: 100_000 }, (_, i) => entry(`f${i}`, ''))), { level: 1 })
  const all = Array.from({ length: 100 }, () => some)
  return Buffer.concat([gzipSync(magic), ...all, gzipSync(rawEnd(10_000_000))])
}

const packedOf = (...parts: Buffer[]): Buffer => gzipSync(Buffer.concat([magic, ...parts]))

const good = entry('module.mjs')
const hostile: Readonly<Record<string, readonly [packed: () => Buffer, why: string]>> = {
  'a path above its folder': [() => packedOf(good, entry('../../victim'), rawEnd(2)), 'leads out of the folder'],
  'an absolute path': [() => packedOf(good, entry('/tmp/outpool-victim'), rawEnd(2)), 'is absolute'],
  'a link': [() => packedOf(good, entry('link', '/etc/passwd', { kind: 50 }), rawEnd(2)), 'of kind 50'],
  'a size that lies': [() => packedOf(entry('module.mjs', 'x', { size: 4_000_000 }), rawEnd(1)), 'ends before its end'],
  'a number of files that lies': [() => packedOf(good, rawEnd(7)), 'says that it has 7 files'],
  'ten million entries': [tenMillion, 'more than 100000 files'],
}

describe('archives that a driver sends, and a node refuses', function () {
  this.timeout(120_000)
  let node: BareNode
  const program = new Project({ 'package.json': '{ "type": "module" }', 'good.mjs': 'export const run = () => 42' })

  before(async () => {
    node = await BareNode.start()
    await init({ ...joinOptions(node), logToDriver: false })
  })
  after(async () => {
    await shutdown()
    await node.stop()
    program.remove()
  })

  /** A call of a module that is made of the archive on the node. */
  function call(name: string, packed: Buffer): Promise<unknown> {
    const { currentRuntime } = built<typeof Current>('../../dist/runtime/owner/current.js')
    const { markFunction, moduleExport, withPack } = built<typeof Source>('../../dist/runtime/code/function-source.js')
    const { values } = (currentRuntime() as NonNullable<ReturnType<typeof currentRuntime>>).owner
    const id = archiveId([Buffer.from(name)])
    const ref = values.forLife(Promise.resolve(new Uint8Array(packed)))
    const manifest: PackedManifest = {
      manifest: {
        kind: 'bundle',
        code: { id, bytes: packed.length },
        entry: 'module.mjs',
        origin: name,
        packages: undefined,
        reasons: [],
      },
      archives: { [id]: ref },
    }
    const fn = (): unknown => undefined
    const definition = moduleExport('file:///nowhere/module.mjs', 'run')
    markFunction(fn, withPack(definition, values.forLife(Promise.resolve(manifest))))
    return remote(fn).run()
  }

  const memoryOf = (pid: number): number =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

  it('one after another: the node goes on, nothing of them is written, and its memory stays what it was', async () => {
    const run = remote<() => number>(program.url('good.mjs'), 'run')
    expect(await run.run()).to.equal(42)
    const entries = readdirSync(node.code).sort()
    const before = memoryOf(node.pid)
    for (const [name, [make, why]] of Object.entries(hostile)) {
      const error: unknown = await call(name, make()).catch((failure: unknown) => failure)
      expect(error, name).to.be.instanceOf(RuntimeEnvSetupError)
      expect((error as Error).message, name).to.include(why)
      expect(await run.run(), `after ${name}`).to.equal(42)
    }
    // The archive of ten million has 20 MB, and lies in the node's store.
    expect(memoryOf(node.pid) - before, 'MiB more').to.be.lessThan(150)
    // What was being made goes when there is time.
    await eventually(() => !readdirSync(node.code).some((name) => name.startsWith('making-')) || undefined)
    expect(readdirSync(node.code).sort()).deep.equal(entries)
    writeFileSync(program.path('later.mjs'), 'export const run = () => 43')
    expect(await remote<() => number>(program.url('later.mjs'), 'run').run()).to.equal(43)
    expect(readdirSync(join(node.folder, 'empty'))).deep.equal([])
  })
})
