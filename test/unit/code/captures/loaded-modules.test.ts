import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { describeModule } from '../../../../runtime/code/captures/loaded-modules.ts'
import type { RefTuple } from '../../../../runtime/protocol/messages.ts'

const pack = ['owner', 1, 'node'] as unknown as RefTuple

describe('runtime/code/captures/loaded-modules: what is sent of a module', () => {
  let program: string

  beforeEach(() => (program = realpathSync(mkdtempSync(join(tmpdir(), 'op-')))))
  afterEach(() => rmSync(program, { recursive: true, force: true }))

  it('a file of a package goes by name, version and path, also when the package is not there any more', () => {
    const folder = join(program, 'node_modules/rounding')
    mkdirSync(join(folder, 'lib'), { recursive: true })
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'rounding', version: '2.1.0' }))
    writeFileSync(join(folder, 'lib/main.js'), '')
    const url = pathToFileURL(join(folder, 'lib/main.js')).href
    const npm = { name: 'rounding', version: '2.1.0', path: 'lib/main.js' }
    expect(describeModule(url, pack)).to.deep.equal({ url, package: npm, pack })
    rmSync(folder, { recursive: true })
    expect(describeModule(url, pack)).to.deep.equal({ url, package: npm, pack })
    expect(describeModule(url, undefined)).to.deep.equal({ url, package: npm })
  })

  it('a file of the program, and a part of Node, by their URL alone', () => {
    writeFileSync(join(program, 'own.js'), '')
    for (const url of [pathToFileURL(join(program, 'own.js')).href, 'node:fs'])
      expect(describeModule(url, pack)).to.deep.equal({ url })
  })
})
