import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { noteProcess } from '../../../runtime/base/process-identity.ts'
import { claimCodeFolder } from '../../../runtime/cluster/code-folder.ts'

const sides = 3
const rounds = 100
/** What a process leaves that was killed: its pid is used again, by one with another start. */
const abandoned = JSON.stringify({ ...noteProcess(process.pid), pidStart: '1', host: 'here' })

describe('a code cache that outlives node managers', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'code-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('gives each living node manager a part of its own, and a new one that of one which left', () => {
    const first = claimCodeFolder(folder)
    const second = claimCodeFolder(folder)
    expect([first.path, second.path]).to.deep.equal([join(folder, '0'), join(folder, '1')])
    writeFileSync(join(first.path, 'kept'), 'x')
    writeFileSync(join(first.path, 'claim.json'), 'of an earlier release')
    first.release()
    const third = claimCodeFolder(folder)
    expect(third.path).to.equal(first.path)
    expect(existsSync(join(third.path, 'claim.json'))).to.equal(false)
    expect(existsSync(join(third.path, 'kept'))).to.equal(true)
    second.release()
    third.release()
  })

  it('is given up once: a file that was opened since is not touched, nor is who has that part now', () => {
    const first = claimCodeFolder(folder)
    first.release()
    const other = join(folder, 'other')
    writeFileSync(other, 'kept')
    const descriptor = openSync(other, 'r+')
    const next = claimCodeFolder(folder)
    first.release()
    expect(readFileSync(other, 'utf8')).to.equal('kept')
    expect(next.path).to.equal(first.path)
    closeSync(descriptor)
    next.release()
    next.release()
  })

  it('takes over the part of a process that was killed, before it had said who it is, too', () => {
    const program = `import(${JSON.stringify(new URL('../../../runtime/cluster/code-folder.ts', import.meta.url))})
      .then(({ claimCodeFolder }) => {
        require('node:fs').writeSync(1, claimCodeFolder(${JSON.stringify(folder)}).path)
        process.kill(process.pid, 'SIGKILL')
      })`
    const { stdout, signal } = spawnSync(process.execPath, ['--import', 'tsx', '-e', program], { encoding: 'utf8' })
    expect([stdout, signal]).to.deep.equal([join(folder, '0'), 'SIGKILL'])
    for (const left of ['', abandoned]) {
      writeFileSync(join(folder, '0', 'node.lock'), left)
      const { path, release } = claimCodeFolder(folder)
      expect(path).to.equal(join(folder, '0'))
      release()
    }
  })

  it('gives what a dead one has left to one of those that ask at the same moment', async function () {
    this.timeout(60_000)
    for (let round = 0; round < rounds; round++) {
      mkdirSync(join(folder, String(round), '0'), { recursive: true, mode: 0o700 })
      writeFileSync(join(folder, String(round), '0', 'node.lock'), abandoned)
    }
    const parts = new SharedArrayBuffer(rounds * sides * Int32Array.BYTES_PER_ELEMENT)
    const progress = new SharedArrayBuffer((rounds + 1) * Int32Array.BYTES_PER_ELEMENT)
    const entry = new URL('code-folder-thread.ts', import.meta.url).href
    const exits = Array.from({ length: sides }, (_, own) =>
      once(
        new Worker(`import('tsx/esm/api').then(({ tsImport }) => tsImport('${entry}', '${entry}'))`, {
          eval: true,
          workerData: { folder, own, sides, parts, progress },
        }),
        'exit',
      ),
    )
    expect((await Promise.all(exits)).flat()).to.deep.equal(Array.from({ length: sides }, () => 0))
    const claimed = new Int32Array(parts)
    const shared = Array.from({ length: rounds }, (_, round) =>
      claimed.slice(round * sides, (round + 1) * sides),
    ).filter((of) => new Set(of).size !== sides || !of.includes(0))
    expect(shared).to.deep.equal([])
  })

  it('says where it cannot be', () => {
    writeFileSync(join(folder, 'file'), '')
    expect(() => claimCodeFolder(join(folder, 'file'))).to.throw(/cannot be kept in .*file/)
    mkdirSync(join(folder, 'open', '0'), { recursive: true, mode: 0o755 })
    expect(() => claimCodeFolder(join(folder, 'open'))).to.throw(
      /cannot be kept in .*open\/0, is not private to this user; chmod 700/,
    )
  })
})
