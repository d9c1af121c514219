import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { ArenaMemory } from '../../../runtime/objects/arena-memory.ts'
import type { Home } from '../../../runtime/owner/home.ts'
import { type NodeStore, openNodeStore } from '../../../runtime/owner/node-store.ts'
import { type Message, MessageType } from '../../../runtime/protocol/messages.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { canShare } from '../../tools/native.ts'
import { rejection } from '../../tools/rejection.ts'

const mebibyte = 1024 * 1024

describe('the store of the home, of a process that has not used it yet', () => {
  let runFolder = ''
  let memory: ArenaMemory
  let file = ''

  before(function () {
    if (!canShare) this.skip()
  })
  beforeEach(() => {
    runFolder = mkdtempSync(join(tmpdir(), 'node-store-'))
    const objects = join(runFolder, 'objects')
    mkdirSync(objects)
    memory = ArenaMemory.create(objects, [4 * mebibyte], mebibyte) as ArenaMemory
    file = join(objects, 'arena.json')
  })
  afterEach(() => {
    if (!memory.closed) memory.close()
    rmSync(runFolder, { recursive: true, force: true })
  })

  /** The node manager has said where the object lies; what follows is done before it is used. */
  const got = async (then: () => void): Promise<unknown> => {
    const send = ([type, id]: Message): void => {
      if (type !== MessageType.storeRequest) return
      then()
      store.received([MessageType.storeReply, id, null, ['arena', 1, 1_000, 0, 0]])
    }
    const link = { closed: false, bufferedBytes: 0, send, flush() {} } as unknown as Link
    const home = { connected: () => Promise.resolve(link), link, mode: 'connected' } as unknown as Home
    const store: NodeStore = await openNodeStore(runFolder, newProcessId(), () => home)
    return store.store.get('0000000000000001:1')
  }

  const ends: Readonly<Record<string, () => void>> = {
    'its memory is gone': () => memory.close(),
    'its folder is gone': () => rmSync(runFolder, { recursive: true }),
    'another process has its number': () =>
      writeFileSync(file, readFileSync(file, 'utf8').replace(/"inode":\d+/, '"inode":1')),
  }
  for (const [what, end] of Object.entries(ends))
    it(`is told as the end of that node: ${what}`, async () => {
      const error = await rejection(got(end))
      expect(error).to.include({ name: 'ConnectionLostError' })
      expect(error.message).to.contain(join(runFolder, 'objects')).and.contain('the node has ended; init({ address })')
    })

  it('tells what the system says where it cannot be told how its memory is opened', async () => {
    const seen: unknown[] = []
    const open = (folder: string): unknown => ArenaMemory.open(folder, (error) => seen.push(error))
    expect(open(runFolder)).to.equal(undefined)
    expect(seen).to.deep.equal([])
    rmSync(file)
    mkdirSync(file)
    expect(open(join(runFolder, 'objects'))).to.equal(undefined)
    expect(seen).to.have.nested.property('[0].code', 'EISDIR')
  })

  it('says that too many files are open, where that is why', () => {
    const from = (path: string): string =>
      JSON.stringify(fileURLToPath(new URL(`../../../runtime/${path}`, import.meta.url)))
    const program = `
      import { closeSync, openSync } from 'node:fs'
      import { newProcessId } from ${from('base/ids.ts')}
      import { openNodeStore } from ${from('owner/node-store.ts')}
      import { nativeMemory } from ${from('objects/native-memory.ts')}
      import { MessageType } from ${from('protocol/messages.ts')}
      nativeMemory()
      const opened = []
      const send = ([, id]) => {
        try { for (;;) opened.push(openSync('/dev/null', 'r')) } catch {}
        store.received([MessageType.storeReply, id, null, ['arena', 1, 1_000, 0, 0]])
      }
      const link = { closed: false, bufferedBytes: 0, send, flush() {} }
      const home = { connected: () => Promise.resolve(link), link, mode: 'connected' }
      const store = await openNodeStore(process.argv[1], newProcessId(), () => home)
      const error = await store.store.get('0000000000000001:1').catch((reason) => reason)
      for (const descriptor of opened) closeSync(descriptor)
      process._rawDebug(error.name + ' ' + error.message)`
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', program, runFolder]
    const run = spawnSync('sh', ['-c', 'ulimit -n 128 && exec "$0" "$@"', ...node], { encoding: 'utf8' })
    expect(run.stderr).to.match(/^OutpoolError the shared memory of the node in .* EMFILE.*ulimit -n/)
  })

  it('waits for a node that takes nothing without keeping this process busy', async () => {
    let looks = 0
    let isTaken = false
    const link = {
      closed: false,
      get bufferedBytes() {
        looks++
        return isTaken ? 0 : 100
      },
      send() {},
      flush() {},
      drained: () => Promise.resolve(),
    } as unknown as Link
    const home = { connected: () => Promise.resolve(link), link, mode: 'connected' } as unknown as Home
    const { store } = await openNodeStore(runFolder, newProcessId(), () => home)
    let isOver = false
    const writing = store.deleteOwnedBy(newProcessId()).then(() => (isOver = true))
    const beganMs = performance.now()
    while (performance.now() - beganMs < 200) await new Promise(setImmediate)
    expect(isOver).to.equal(false)
    // One look in a millisecond, at most, and a few at the beginning; each asks twice.
    expect(looks).to.be.at.most(2 * (40 + performance.now() - beganMs))
    isTaken = true
    await writing
  })
})
