import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { evaluateSource, evaluateWithVariables } from '../../../runtime/code/evaluate-source.ts'
import { noteFunction } from '../../../runtime/code/noted-functions.ts'
import { nameOriginalPlaces, withOriginalPlaces } from '../../../runtime/code/original-places.ts'

function thrownBy(fn: () => unknown): Error {
  try {
    fn()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

/** What a worker makes of the function. */
function shipped(fn: Function): () => unknown {
  const text = Function.prototype.toString.call(fn)
  noteFunction(text, fn)
  return evaluateSource(text, fn.name)
}

const firstFrame = (error: Error): string => error.stack?.split('\n')[1]?.trim() ?? ''

describe('stacks of functions that ran elsewhere', () => {
  let folder: string
  before(() => (folder = mkdtempSync(join(tmpdir(), 'places-'))))
  after(() => rmSync(folder, { recursive: true, force: true }))

  async function load(name: string, text: string): Promise<Record<string, () => unknown>> {
    writeFileSync(join(folder, name), text)
    return (await import(pathToFileURL(join(folder, name)).href)) as Record<string, () => unknown>
  }

  it('name the file and line where the function was written, in this file of TypeScript, too', () => {
    const fail = (): never => {
      const text: string = 'no'
      throw new RangeError(text)
    }
    const [wanted, got] = [thrownBy(fail), nameOriginalPlaces(thrownBy(shipped(fail))) as Error]
    expect(firstFrame(got).replace('file://', '')).to.equal(firstFrame(wanted).replace('file://', ''))
    expect(got.message).to.equal('no')
  })

  it('are named in any text, as a worker prints it, where Node names the line alone above an uncaught error', async () => {
    const { fall } = await load('printed.mjs', '// one\nexport const fall = () => {\n  throw new Error("p")\n}\n')
    const { stack = '' } = thrownBy(shipped(fall as Function))
    const place = /outpool:fn\/[^)\s]*:2:9/.exec(stack)?.[0] ?? ''
    const file = pathToFileURL(join(folder, 'printed.mjs')).href
    const printed = `${place.replace(/:9$/, '')}\n  throw new Error("p")\n  ^\n\nError: p\n    at fall (${place})\n`
    const named = `${file}:3\n  throw new Error("p")\n  ^\n\nError: p\n    at fall (${file}:3:9)\n`
    expect(withOriginalPlaces(printed)).to.equal(named)
    expect(withOriginalPlaces('outpool:fn/stranger@1+0:2:9')).to.equal('outpool:fn/stranger@1+0:2:9')
  })

  it('follow a source map in a file of its own', async () => {
    // Line 2, column 1 of the file is line 7, column 3 of the original: "AAMA" is 0,0,6,0.
    const map = { version: 3, sources: ['src/score.ts'], names: [], mappings: ';AAMEA' }
    writeFileSync(join(folder, 'mapped.mjs.map'), JSON.stringify(map))
    const { score } = await load(
      'mapped.mjs',
      '// compiled\nexport const score = () => { throw new Error("x") }\n//# sourceMappingURL=mapped.mjs.map\n',
    )
    const got = nameOriginalPlaces(thrownBy(shipped(score as Function))) as Error
    expect(firstFrame(got)).to.include(`${join(folder, 'src/score.ts')}:7:3`)
  })

  it('name the file itself where its map cannot be read', async () => {
    const { lost } = await load(
      'lost.mjs',
      'export const lost = () => {\n  throw new Error("x")\n}\n//# sourceMappingURL=nowhere.map\n',
    )
    const got = nameOriginalPlaces(thrownBy(shipped(lost as Function))) as Error
    expect(firstFrame(got)).to.include('lost.mjs:2:9')
  })

  it('are named in causes and in the errors of an aggregate', async () => {
    const { deep } = await load('deep.mjs', 'export const deep = () => {\n\n  throw new Error("deep")\n}\n')
    const inner = (): Error => thrownBy(shipped(deep as Function))
    const outer = new AggregateError([inner()], 'outer', { cause: inner() })
    nameOriginalPlaces(outer)
    for (const one of [outer.cause, outer.errors[0] as unknown]) expect((one as Error).stack).to.include('deep.mjs:3:9')
  })

  it('stay as they are for functions of other processes, for what is no error, and for a text of two places', async () => {
    const { make } = evaluateWithVariables('() => { throw new Error("there") }', 'far', [])
    const elsewhere = thrownBy(make() as () => never)
    const before = elsewhere.stack
    expect((nameOriginalPlaces(elsewhere) as Error).stack).to.equal(before)
    expect(nameOriginalPlaces('text')).to.equal('text')
    const { twin } = await load('one.mjs', 'export const twin = () => { throw new Error("which") }\n')
    const text = Function.prototype.toString.call(twin)
    noteFunction(text, twin as Function, { scriptId: '1', line: 1, column: 1 })
    noteFunction(text, twin as Function, { scriptId: '2', line: 1, column: 1 })
    expect((nameOriginalPlaces(thrownBy(evaluateSource(text, 'twin'))) as Error).stack).to.include('outpool:fn/twin@')
  })
})
