import { execFileSync } from 'node:child_process'
import { getHeapStatistics } from 'node:v8'
import { expect } from 'chai'
import { giveMemoryBack } from '../../../runtime/base/spare-memory.ts'

const module = new URL('../../../runtime/base/spare-memory.ts', import.meta.url).href

/** What `giveMemoryBack` says in another process. */
function saidBy(before: string, ...flags: readonly string[]): string {
  const program = `${before}
    import(${JSON.stringify(module)}).then(({ giveMemoryBack }) => console.log(giveMemoryBack(() => {})))`
  const args = [...flags, '--import', 'tsx', '--eval', program]
  return execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}

/** Another thing than what Node has under this name. */
const instead = (name: string, thing: string): string => `const { getBuiltinModule } = process
  process.getBuiltinModule = (name) => name === ${JSON.stringify(name)} ? ${thing} : getBuiltinModule(name)`

describe('runtime/base/spare-memory', () => {
  it('makes the heap of V8 smaller by the garbage in it', async () => {
    let garbage = Array.from({ length: 300_000 }, (_, index) => ({ index }))
    const before = getHeapStatistics().total_physical_size
    garbage = []
    await new Promise<void>((resolve) => expect(giveMemoryBack(resolve)).to.equal(true))
    expect(before - getHeapStatistics().total_physical_size).to.be.above(5e6)
    expect(garbage).to.deep.equal([])
  })

  it('does nothing where a debugger may be attached', () => {
    expect(saidBy('')).to.equal('true')
    expect(saidBy('', '--inspect=127.0.0.1:0')).to.equal('false')
  })

  it('does nothing in a thread, and where Node has no inspector or none that may be used', () => {
    expect(saidBy(instead('node:worker_threads', '{ isMainThread: false }'))).to.equal('false')
    expect(saidBy(instead('node:inspector', 'undefined'))).to.equal('false')
    const refused = `process.getBuiltinModule('node:inspector').Session.prototype.connect = () => { throw new Error() }`
    expect(saidBy(refused)).to.equal('false')
  })
})
