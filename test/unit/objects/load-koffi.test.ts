import { expect } from 'chai'
import { createRequire } from 'node:module'
import { loadKoffi } from '../../../runtime/objects/load-koffi.ts'
import { canShare } from '../../tools/native.ts'

describe('loadKoffi', () => {
  it('calls the C library by the binary alone, and beside a program that loads koffi by its entry', function () {
    if (!canShare) return this.skip()
    const require = createRequire(import.meta.url)
    const isLoaded = (): boolean => Object.keys(require.cache).some((path) => /[\\/]koffi[\\/]index\.cjs$/.test(path))
    const processId = (koffi: typeof import('koffi')): unknown => koffi.load(null).func('int getpid(void)')()

    expect(processId(loadKoffi())).to.equal(process.pid)
    expect(isLoaded(), 'by its entry').to.equal(false)
    expect(processId(require('koffi') as typeof import('koffi'))).to.equal(process.pid)
    expect(isLoaded(), 'by its entry').to.equal(true)
    expect(processId(loadKoffi())).to.equal(process.pid)
  })
})
