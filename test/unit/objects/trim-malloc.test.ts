import { execFileSync } from 'node:child_process'
import { expect } from 'chai'
import { cLibrary } from '../../../runtime/base/c-library.ts'
import { canShare } from '../../tools/native.ts'

const module = new URL('../../../runtime/objects/native-memory.ts', import.meta.url).href

/** Bytes that a process gives back which has let go of 60 MB in pieces, of which a few are still in use. */
function givenBack(open: string): number {
  const program = `import(${JSON.stringify(module)}).then(async ({ nativeMemory, trimMalloc }) => {
    ${open}
    let all = Array.from({ length: 60_000 }, () => new ArrayBuffer(1_000))
    const kept = all.filter((_, index) => index % 100 === 0)
    all = []
    for (let i = 0; i < 3; i++) {
      gc()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const before = process.memoryUsage.rss()
    trimMalloc()
    console.log(before - process.memoryUsage.rss(), kept.length)
  })`
  const args = ['--expose-gc', '--import', 'tsx', '--eval', program]
  const [bytes, kept] = execFileSync(process.execPath, args, { encoding: 'utf8' }).split(' ').map(Number)
  expect(kept).to.equal(600)
  return Number(bytes)
}

describe('trimMalloc', () => {
  it('gives back what is free between what is used, in a process that calls the C library', function () {
    if (!canShare || cLibrary() !== 'glibc') this.skip()
    expect(givenBack('nativeMemory()')).to.be.above(30e6)
  })

  it('does not load the C library for it', () => {
    expect(givenBack('')).to.be.below(10e6)
  })
})
