import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { makeFolders } from '../../../runtime/base/new-file.ts'

const module = JSON.stringify(new URL('../../../runtime/base/new-file.ts', import.meta.url).href)

describe('new files and folders', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'new-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('are made with those that they are in, for this user alone', () => {
    makeFolders(join(folder, 'a/b'))
    makeFolders(join(folder, 'a/b'))
    expect(statSync(join(folder, 'a/b')).mode & 0o777).to.equal(0o700)
  })

  it('say that a disk is read-only, where Node says that there is no such folder', function () {
    const show = `import { makeFolders } from ${module}
      for (const path of ['one', 'two/three']) try { makeFolders(process.argv[1] + '/' + path) } catch (e) { console.log(e.code) }`
    const script = 'mount -t tmpfs -o ro none "$0" || exit 9; "$@"'
    const command = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', show, folder]
    const run = spawnSync('unshare', ['-rm', 'sh', '-c', script, folder, ...command], { encoding: 'utf8' })
    if (run.status === 9 || run.error !== undefined || /unshare failed|not permitted/i.test(run.stderr)) this.skip()
    expect(run.stdout, run.stderr).to.equal('EROFS\nEROFS\n')
  })

  it('are there with all of their bytes, or not at all: the error names the file', () => {
    mkdirSync(join(folder, 'at'))
    const show = `import { writeNew } from ${module}
      try { writeNew(process.argv[1] + '/at/page', new Uint8Array(1e6)) } catch (e) { console.log(e.code, e.message) }`
    const command = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', show, folder]
    const run = spawnSync('sh', ['-c', 'ulimit -f 32 && exec "$0" "$@"', ...command], { encoding: 'utf8' })
    expect(run.stdout, run.stderr).to.equal(`EFBIG EFBIG: file too large, write '${join(folder, 'at/page')}'\n`)
    expect(readdirSync(join(folder, 'at'))).to.deep.equal([])
  })
})
