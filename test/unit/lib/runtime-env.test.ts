import { expect } from 'chai'
import { compileRuntimeEnv, noRuntimeEnv } from '../../../lib/runtime-env.ts'

describe('the option runtimeEnv', () => {
  it('is nothing where nothing is said', () => {
    expect(compileRuntimeEnv({}, 'init')).to.deep.equal(noRuntimeEnv)
  })

  it('takes what was said before where it says nothing, and joins variables', () => {
    const base = compileRuntimeEnv({ npm: 'install', env: { A: '1', B: '2' }, exclude: ['x'] }, 'init')
    const own = compileRuntimeEnv({ env: { B: '3' }, workingDir: new URL('file:///srv/app') }, 'remote', base)
    expect(own.env).to.deep.equal({ A: '1', B: '3' })
    expect(own.pack).to.deep.include({ npm: 'install', exclude: ['x'], workingDir: '/srv/app' })
  })

  it('names what is wrong', () => {
    const rows: readonly (readonly [given: unknown, message: RegExp])[] = [
      [{ npn: 'vendor' }, /there is no option 'npn' \(did you mean 'npm'\?\)/],
      [{ npm: 'always' }, /npm must be 'vendor', 'install' or 'never', not "always"/],
      [{ installScripts: 1 }, /installScripts must be true or false/],
      [{ workingDir: 5 }, /workingDir must be a path or a file: URL/],
      [{ workingDir: 'http://x' + '/y', include: [1] }, /include must be an array of patterns/],
      [{ exclude: 'x' }, /exclude must be an array of patterns/],
      [{ env: { 'A-B': '1' } }, /env\.A-B must be a string/],
      [{ env: { A: 1 } }, /env\.A must be a string/],
      [{ env: [] }, /env must be an object/],
      [{ env: { A: 'x'.repeat(40_000) } }, /40001 bytes; at most 32768/],
      [null, /runtimeEnv: the options are an object, such as { npm: ... }, not null/],
    ]
    for (const [given, message] of rows)
      expect(() => compileRuntimeEnv(given as never, 'init'), String(message))
        .to.throw(Error, message)
        .with.property('message')
        .that.contains('init: runtimeEnv')
  })
})
