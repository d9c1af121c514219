import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { pathToFileURL } from 'node:url'
import { readCompiled, requireCompiled, scriptsOf, writeCompiled } from '../../../runtime/base/compiled-script.ts'

describe('kept bytecode', () => {
  let folder: string
  const compiled = Buffer.from('bytes of V8')
  const script = 'file:///outpool/core.js'
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ot-compiled-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('comes back as it was written, also over what an earlier process wrote', () => {
    const file = join(folder, 'new', 'core')
    writeCompiled(file, script, Buffer.from('of another Node'))
    writeCompiled(file, script, compiled)
    expect(readCompiled(file, script)).to.deep.equal(compiled)
    expect(readdirSync(join(folder, 'new'))).to.deep.equal(['core'])
  })

  it('is not there when it was torn anywhere, or changed by a bit', () => {
    const file = join(folder, 'core')
    writeCompiled(file, script, compiled)
    const whole = readFileSync(file)
    for (let length = whole.length - 1; length >= 0; length--) {
      truncateSync(file, length)
      expect(readCompiled(file, script), `${length} bytes`).to.equal(undefined)
    }
    for (let index = 0; index < whole.length; index++) {
      const changed = Buffer.from(whole)
      changed[index] = (changed[index] ?? 0) ^ 1
      writeFileSync(file, changed)
      expect(readCompiled(file, script), `byte ${index}`).to.equal(undefined)
    }
    writeFileSync(file, Buffer.alloc(whole.length))
    expect(readCompiled(file, script)).to.equal(undefined)
  })

  it('is not there for a script that was moved', () => {
    const file = join(folder, 'core')
    writeCompiled(file, script, compiled)
    expect(readCompiled(file, 'file:///elsewhere/core.js')).to.equal(undefined)
  })

  it('is left out where nothing can be written, and leaves nothing there', () => {
    writeFileSync(join(folder, 'a file'), '')
    writeCompiled(join(folder, 'a file', 'core'), script, compiled)
    mkdirSync(join(folder, 'core'))
    writeCompiled(join(folder, 'core'), script, compiled)
    expect(readCompiled(join(folder, 'core'), script)).to.equal(undefined)
    expect(readdirSync(folder).toSorted()).to.deep.equal(['a file', 'core'])
  })

  it('is no matter of the sources: they require what they need as anybody does', () => {
    expect(requireCompiled('acorn', 'dist/acorn.js')).to.have.property('parse')
  })
})

describe('a script of the package', () => {
  it('that is gone, as when a program was bundled and moved, is told of with what to do', () => {
    const scripts = scriptsOf(pathToFileURL(join(tmpdir(), 'nowhere', 'any.js')).href)
    expect(() => scripts.now('./gone.js'))
      .to.throw(Error, `${join(tmpdir(), 'nowhere', 'gone.js')} is not there. If outpool was bundled into the program`)
      .with.nested.property('cause.code', 'ENOENT')
  })

  it('that could not be read, for want of descriptors say, is read when it is needed again', () => {
    const folder = mkdtempSync(join(tmpdir(), 'scripts-'))
    const before = process.env['NODE_DISABLE_COMPILE_CACHE']
    process.env['NODE_DISABLE_COMPILE_CACHE'] = '1'
    try {
      const scripts = scriptsOf(pathToFileURL(join(folder, 'any.js')).href)
      expect(() => scripts.now('./late.js')).to.throw('late.js is not there')
      expect(() => scripts.now('./late.js')).to.throw('late.js is not there')
      writeFileSync(join(folder, 'late.js'), '(() => ({ answer: 42 }))')
      expect(scripts.now('./late.js')['answer']).to.equal(42)
    } finally {
      if (before === undefined) delete process.env['NODE_DISABLE_COMPILE_CACHE']
      else process.env['NODE_DISABLE_COMPILE_CACHE'] = before
      rmSync(folder, { recursive: true })
    }
  })
})
