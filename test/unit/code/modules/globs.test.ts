import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { folderFiles } from '../../../../runtime/code/modules/folder-files.ts'
import { matcher } from '../../../../runtime/code/modules/globs.ts'

describe('patterns of paths', () => {
  const rows: readonly (readonly [pattern: string, yes: readonly string[], no: readonly string[]])[] = [
    ['*.js', ['a.js', 'b/c.js'], ['a.jsx', 'a.js.map']],
    ['src', ['src', 'src/a', 'x/src/a'], ['srcs', 'a/srcx']],
    ['/src', ['src/a', 'src'], ['x/src/a']],
    ['src/**', ['src/a', 'src/a/b'], ['x/src/a', 'srcx']],
    ['src/*.ts', ['src/a.ts'], ['src/a/b.ts', 'src/a.tsx']],
    ['**/test/*.ts', ['test/a.ts', 'a/b/test/c.ts'], ['test/a/b.ts']],
    ['data/{a,b}.json', ['data/a.json', 'data/b.json'], ['data/c.json']],
    ['a?c', ['abc'], ['ac', 'abbc']],
    ['a+b(c)[d].txt', ['a+b(c)[d].txt'], ['aab(c)d.txt']],
    ['./src/', ['src/a'], ['x/src']],
  ]
  for (const [pattern, yes, no] of rows) {
    it(`${pattern} means ${yes.join(', ')} and not ${no.join(', ')}`, () => {
      const matches = matcher([pattern])
      for (const path of yes) expect(matches(path), path).to.equal(true)
      for (const path of no) expect(matches(path), path).to.equal(false)
    })
  }
})

describe('the files of a folder', () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'folder-'))
    const files = [
      'package.json',
      'src/a.js',
      'src/b/c.js',
      'data/x.csv',
      '.env',
      '.env.local',
      'node_modules/n/index.js',
      '.git/HEAD',
      'key.pem',
    ]
    for (const path of files) {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), path)
    }
  })
  afterEach(() => rm(root, { recursive: true, force: true }))
  const names = async (options?: Parameters<typeof folderFiles>[1]): Promise<string[]> =>
    (await folderFiles(root, options)).map(({ path }) => path).sort()

  it('are all but packages, versions and secrets', async () => {
    expect(await names()).to.deep.equal(['data/x.csv', 'package.json', 'src/a.js', 'src/b/c.js'])
  })

  it('are those that include means, with the package.json, without those that exclude means', async () => {
    expect(await names({ include: ['src/**'] })).to.deep.equal(['package.json', 'src/a.js', 'src/b/c.js'])
    expect(await names({ exclude: ['b', '*.csv'] })).to.deep.equal(['package.json', 'src/a.js'])
    expect(await names({ include: ['.env', 'src/a.js'] })).to.deep.equal(['.env', 'package.json', 'src/a.js'])
  })

  it('come by links too, but not in a circle', async () => {
    await symlink(root, join(root, 'src/up'))
    await symlink('../data', join(root, 'src/data'))
    await symlink('nowhere', join(root, 'src/broken'))
    expect(await names({ include: ['src/**'] })).to.deep.equal([
      'package.json',
      'src/a.js',
      'src/b/c.js',
      'src/data/x.csv',
    ])
  })

  it('are refused with the largest parts by name when they are too many or too large', async () => {
    for (const limits of [
      { maxBytes: 20, maxFiles: 100 },
      { maxBytes: 1e6, maxFiles: 2 },
    ]) {
      let message = ''
      await folderFiles(root, { limits }).catch((error: Error) => {
        message = error.message
      })
      expect(message)
        .to.contain('too large')
        .and.contain('exclude')
        .and.match(/src|data|package\.json/)
    }
  })
})
