import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { claimCodeFolder } from '../../../runtime/cluster/code-folder.ts'

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
    first.release()
    const third = claimCodeFolder(folder)
    expect(third.path).to.equal(first.path)
    expect(existsSync(join(third.path, 'kept'))).to.equal(true)
  })

  it('takes over the part of a process that was killed', () => {
    const { path } = claimCodeFolder(folder)
    const note = JSON.parse(readFileSync(join(path, 'claim.json'), 'utf8')) as object
    // A pid is used again, by a process with another start.
    writeFileSync(join(path, 'claim.json'), JSON.stringify({ ...note, pidStart: '1' }))
    expect(claimCodeFolder(folder).path).to.equal(path)
  })

  it('leaves alone what it cannot read, and says where it cannot be', () => {
    const { path } = claimCodeFolder(folder)
    writeFileSync(join(path, 'claim.json'), '')
    expect(claimCodeFolder(folder).path).to.equal(join(folder, '1'))
    writeFileSync(join(folder, 'file'), '')
    expect(() => claimCodeFolder(join(folder, 'file'))).to.throw(/cannot be kept in .*file/)
  })
})
