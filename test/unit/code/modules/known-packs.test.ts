import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import type { ProcessId } from '../../../../runtime/base/ids.ts'
import { KnownPacks } from '../../../../runtime/code/modules/known-packs.ts'
import type { Manifest, PackedManifest } from '../../../../runtime/code/modules/manifest.ts'
import type { RefTuple } from '../../../../runtime/protocol/messages.ts'

const packer = 'packer' as ProcessId
const ref = (owner: string, number: number): RefTuple => [owner, number, 'node'] as unknown as RefTuple
const bundle: Manifest = {
  kind: 'bundle',
  code: { id: 'code', bytes: 1 },
  entry: 'module.mjs',
  origin: '/there/tasks.ts',
  packages: undefined,
  reasons: [],
}
const tree: Manifest = { ...bundle, kind: 'folder', entry: 'src/tasks.js', origin: '/there/src/tasks.ts' }
const packed = (manifest: Manifest): PackedManifest => ({ manifest, archives: { code: ref(packer, 1) } })

describe('packs that a process has set up', () => {
  let folder: string
  const at = (path: string): string => pathToFileURL(join(folder, path)).href

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'known-')))
    mkdirSync(join(folder, 'src'))
    for (const path of ['src/tasks.ts', 'src/tasks.js', 'src/other.js', 'module.mjs'])
      writeFileSync(join(folder, path), '')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('have a bundle by the file that it was made of', () => {
    const packs = new KnownPacks()
    packs.add(ref(packer, 2), packed(bundle), folder)
    expect(packs.find('file:///there/tasks.ts')).to.deep.equal({ kind: 'pack', ref: ref(packer, 2) })
    expect(packs.find(at('module.mjs'))).to.deep.equal({ kind: 'pack', ref: ref(packer, 2) })
    for (const url of ['file:///there/other.ts', 'node:fs', 'outpool:index'])
      expect(packs.find(url), url).to.equal(undefined)
  })

  it('have other modules of a folder, compiled ones too, by where they are here, with the same archives', () => {
    const packs = new KnownPacks()
    const link = `${folder}-link`
    symlinkSync(folder, link)
    try {
      // Node names modules by real paths.
      packs.add(ref(packer, 2), packed(tree), link)
    } finally {
      rmSync(link)
    }
    expect(packs.find(at('src/tasks.ts'))).to.deep.equal({ kind: 'pack', ref: ref(packer, 2) })
    expect(packs.find(`${at('src/tasks.js')}?again`)).to.deep.equal({ kind: 'pack', ref: ref(packer, 2) })
    const other = { ...tree, entry: 'src/other.js', origin: join(folder, 'src/other.js') }
    expect(packs.find(at('src/other.js'))).to.deep.equal({ kind: 'part', packed: packed(other) })
    for (const url of [at('src'), at('src/none.js'), pathToFileURL(folder).href])
      expect(packs.find(url), url).to.equal(undefined)
  })

  it('hand on no object that may be gone before the archives that it names', () => {
    const packs = new KnownPacks()
    packs.add(ref('another', 2), packed(tree), folder)
    expect(packs.find('file:///there/src/tasks.ts')).to.deep.equal({ kind: 'part', packed: packed(tree) })
  })

  it('have the last of two with one origin, and no module of a folder that none was named of', () => {
    const packs = new KnownPacks()
    packs.add(ref(packer, 2), packed(bundle), folder)
    packs.add(ref(packer, 3), packed(bundle), folder)
    expect(packs.find('file:///there/tasks.ts')).to.deep.equal({ kind: 'pack', ref: ref(packer, 3) })
    packs.add(ref(packer, 4), packed({ ...tree, entry: '', origin: '/there' }), folder)
    expect(packs.find('file:///there')).to.equal(undefined)
    expect(packs.find(at('src/other.js'))).to.have.nested.property('packed.manifest.entry', 'src/other.js')
  })
})
