import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { newProcessId } from '../../../runtime/base/ids.ts'
import type { ArenaMemory } from '../../../runtime/objects/arena-memory.ts'
import { usableMemory } from '../../../runtime/base/usable.ts'
import { Prefault } from '../../../runtime/objects/arena-prefault.ts'
import { ArenaSpace, type Room } from '../../../runtime/objects/arena-space.ts'
import { holdLock, isLockFree } from '../../../runtime/objects/process-lock.ts'
import { defaultStoreBytes } from '../../../runtime/objects/store-choice.ts'
import { canShare } from '../../tools/native.ts'

const mebibyte = 1024 * 1024

describe('the size of the store', () => {
  it('is 30 % of what this process may use, by default', () => {
    const mayUse = usableMemory()
    expect(defaultStoreBytes()).to.be.within(mayUse * 0.29, mayUse * 0.3)
  })
})

;(canShare ? describe : describe.skip)('the lock of a process', () => {
  let folder: string
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lock-'))))
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('is held for as long as that process lives, whatever its number, and free when it was killed', async () => {
    const id = newProcessId()
    const child = fork(fileURLToPath(new URL('lock-holder.fixture.ts', import.meta.url)), [folder, id], {
      execArgv: ['--import', 'tsx'],
    })
    const exited = once(child, 'exit')
    await once(child, 'message')
    expect(isLockFree(folder, id)).to.equal(false)
    expect(statSync(join(folder, `${id}.lock`)).mode & 0o777).to.equal(0o600)
    child.kill('SIGKILL')
    await exited
    expect(isLockFree(folder, id)).to.equal(true)
    expect(readdirSync(folder)).to.deep.equal([])
  })

  it('is taken once, never from another', () => {
    const id = newProcessId()
    const release = holdLock(folder, id)
    expect(() => holdLock(folder, id)).to.throw('is there already')
    release()
    expect(isLockFree(folder, id)).to.equal(true)
  })

  it('is not taken for free where it cannot be looked at: with too many open files', () => {
    const lock = fileURLToPath(new URL('../../../runtime/objects/process-lock.ts', import.meta.url))
    const program = `
      import { closeSync, openSync } from 'node:fs'
      import { holdLock, isLockFree } from ${JSON.stringify(lock)}
      const [folder, id, other] = process.argv.slice(1)
      holdLock(folder, id)
      isLockFree(folder, id)
      const opened = []
      try { for (;;) opened.push(openSync('/dev/null', 'r')) } catch {}
      const full = isLockFree(folder, id)
      for (const descriptor of opened) closeSync(descriptor)
      process._rawDebug(JSON.stringify([full, isLockFree(folder, id), isLockFree(folder, other)]))`
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', program]
    const ids = [folder, newProcessId(), newProcessId()]
    const run = spawnSync('sh', ['-c', 'ulimit -n 128 && exec "$0" "$@"', ...node, ...ids], { encoding: 'utf8' })
    expect(run.stderr).to.equal('[false,false,true]\n')
  })
})

describe('pages that are made before they are needed', () => {
  it('are as many as were used so far, in pieces, never of what is used; none when the kernel cannot', async () => {
    const space = new ArenaSpace([1024 * mebibyte])
    const made: Room[] = []
    let can = true
    const populate = (room: Room): Promise<boolean> => {
      made.push(room)
      return Promise.resolve(can)
    }
    const prefault = new Prefault({ populate } as unknown as ArenaMemory, space, [1024 * mebibyte])
    prefault.grown()
    expect(made).to.deep.equal([])
    space.take(64 * mebibyte)
    prefault.grown()
    await new Promise((resolve) => setImmediate(resolve))
    expect(made[0]).to.deep.include({ segment: 0, offset: 64 * mebibyte })
    expect(made.every(({ offset, sizeBytes }) => offset >= 64 * mebibyte && sizeBytes <= 32 * mebibyte)).to.equal(true)
    const ahead = made.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    expect(ahead).to.be.within(32 * mebibyte, 64 * mebibyte)
    // Nothing more, until half of it is used.
    const before = made.length
    prefault.grown()
    await new Promise((resolve) => setImmediate(resolve))
    expect(made).to.have.length(before)
    can = false
    space.take(256 * mebibyte)
    for (let i = 0; i < 3; i++) {
      prefault.grown()
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(made).to.have.length(before + 1)
    await prefault.close()
  })
})
