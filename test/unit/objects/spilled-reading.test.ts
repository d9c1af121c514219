import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { objectKey } from '../../../runtime/base/ids.ts'
import type { ArenaStore } from '../../../runtime/objects/arena-store.ts'
import { Serving } from '../../../runtime/objects/serving.ts'
import { type ChunkChannel, serveObjects } from '../../../runtime/objects/transfer.ts'
import { encodeValue } from '../../../runtime/objects/value.ts'
import { canShare } from '../../tools/native.ts'
import { eventually } from '../../tools/eventually.ts'
import { openArena, type TestArena } from './arena-fixture.ts'
import { owner } from './store-contract.ts'

const mebibyte = 1024 * 1024
const key = objectKey({ owner, number: 1 })
const bytes = new Uint8Array(5 * mebibyte).map((_, i) => (i * 7) % 253)

/** The end of a holder; what it sends is kept. */
class Sent implements ChunkChannel {
  readonly chunks: Buffer[] = []
  closed = false
  reason: Error | undefined
  onChunk: ChunkChannel['onChunk'] = () => {}
  onClose: ChunkChannel['onClose'] = () => {}

  async send(chunk: Uint8Array): Promise<void> {
    if (this.closed) throw new Error('the channel is closed')
    this.chunks.push(Buffer.from(chunk))
  }

  close(reason?: Error): void {
    this.closed = true
    this.reason = reason
  }

  /** What was sent of the object itself. */
  get object(): Buffer {
    return Buffer.concat(this.chunks.slice(1))
  }
}

/** Files are read at once again when the disk is told to go on. */
interface SlowDisk {
  reads: number
  goOn(): void
}

/** From the read of that number on, files are read no more. */
async function slowDisk(from: number): Promise<SlowDisk> {
  const any = await open(fileURLToPath(import.meta.url))
  await any.close()
  const files = Object.getPrototypeOf(any) as { read: (...args: unknown[]) => Promise<unknown> }
  const { read } = files
  const waiting: (() => void)[] = []
  const disk: SlowDisk = {
    reads: 0,
    goOn() {
      files.read = read
      for (const next of waiting.splice(0)) next()
    },
  }
  files.read = async function (...args) {
    if (++disk.reads > from) await new Promise<void>((resolve) => waiting.push(resolve))
    return read.apply(this, args)
  }
  return disk
}

;(canShare ? describe : describe.skip)('a spilled object that is sent to another node', () => {
  let arena: TestArena
  let store: ArenaStore
  let flat: Uint8Array
  let disk: SlowDisk | undefined
  const folder = (): string => join(arena.folder, 'spilled')

  beforeEach(async () => {
    arena = await openArena({ memoryBytes: 16 * mebibyte })
    store = arena.host.store
    await store.put(key, encodeValue(bytes, 'value'))
    flat = await store.read(key, 0, 6 * mebibyte)
    for (let number = 2; arena.host.report().spilledBytes === 0; number++) {
      await store.put(objectKey({ owner, number }), encodeValue(bytes, 'value'))
      await new Promise(setImmediate)
    }
  })
  afterEach(async () => {
    disk?.goOn()
    disk = undefined
    await arena.close()
  })

  const ask = (from = 0, serving?: Serving): { readonly channel: Sent; readonly served: Promise<void> } => {
    const channel = new Sent()
    serveObjects(channel, store, serving)
    return { channel, served: Promise.resolve(channel.onChunk(Buffer.from(JSON.stringify({ key, from })))) }
  }

  it('is on its way before a slow disk has read all of it', async () => {
    disk = await slowDisk(2)
    const { channel, served } = ask()
    await eventually(() => channel.chunks.length === 3 || undefined)
    expect(channel.object.equals(flat.subarray(0, 2 * mebibyte))).to.equal(true)
    disk.goOn()
    await served
    expect([channel.closed, channel.object.equals(flat)]).to.deep.equal([false, true])
  })

  it('is sent from where it is asked for, whole', async () => {
    const from = 2.5 * mebibyte
    const { channel, served } = ask(from)
    await served
    expect([channel.closed, channel.object.equals(flat.subarray(from))]).to.deep.equal([false, true])
  })

  it('is read no further for a puller that has gone', async () => {
    disk = await slowDisk(1)
    const { channel, served } = ask(4 * mebibyte)
    const slow = disk
    await eventually(() => slow.reads === 2 || undefined)
    channel.close()
    slow.goOn()
    await served
    expect([slow.reads, channel.object.length]).to.deep.equal([2, 0])
  })

  it('is lost where its bytes are others, which is found before its last ones are sent, and told to who asks again', async () => {
    const [name = ''] = readdirSync(folder())
    const file = openSync(join(folder(), name), 'r+')
    writeSync(file, 'damaged', 1_000_000)
    closeSync(file)
    const serving = new Serving()
    const { channel, served } = ask(0, serving)
    await served
    expect(channel.reason).to.have.property('name', 'ObjectLostError')
    expect(channel.object.length).to.equal(5 * mebibyte)
    expect(flat.length).to.be.above(5 * mebibyte)
    const again = ask(5 * mebibyte, serving)
    await again.served
    expect(again.channel.object).to.have.length(0)
    expect(String(again.channel.chunks[0])).to.include('not those that were written')
  })
})

describe('readSpilled', () => {
  it('does not take an object for lost where too many files are open', () => {
    const folder = mkdtempSync(join(tmpdir(), 'spilled-'))
    const module = fileURLToPath(new URL('../../../runtime/objects/spill-files.ts', import.meta.url))
    const program = `
      import { closeSync, openSync } from 'node:fs'
      import { readSpilled, SpillFiles } from ${JSON.stringify(module)}
      const files = new SpillFiles({ folder: process.argv[1] + '/spilled' })
      const place = await files.write(new Uint8Array([1, 2, 3]))
      const opened = []
      try { for (;;) opened.push(openSync('/dev/null', 'r')) } catch {}
      const error = await readSpilled(place).catch((reason) => reason)
      for (const descriptor of opened) closeSync(descriptor)
      process._rawDebug(error.code, error.message, [...await readSpilled(place)])
      await files.close()`
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', program, folder]
    const run = spawnSync('sh', ['-c', 'ulimit -n 128 && exec "$0" "$@"', ...node], { encoding: 'utf8' })
    rmSync(folder, { recursive: true, force: true })
    expect(run.stderr).to.match(/^ERR_OUTPOOL a spilled object cannot be read: EMFILE.*ulimit -n.*\[ 1, 2, 3 \]\n$/)
  })
})
