import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { expect } from 'chai'
import { linkPackages } from '../tools/link-packages.ts'

/** Says at the end, in each process, what was asked of the debugger. */
const spy = `
const { Session } = require('node:inspector')
const { post } = Session.prototype
const asked = []
Session.prototype.post = function (method, ...rest) {
  if (/^Debugger\\.(?!disable)/.test(method)) asked.push(method)
  return post.call(this, method, ...rest)
}
process.on('exit', () => process.stdout.write('DEBUGGER ' + JSON.stringify(asked) + '\\n'))
`

const helpers = `
const offset = 3
const add = (a) => a + offset
class Shape {
  constructor(x) { this.x = x }
  area() { return this.x * offset }
}
`

const body = `
const table = { a: 1 }
let changing = 1
const later = () => { changing = 2 }
async function main() {
  gc()
  gc()
  await init({ numCpus: 1, logToDriver: false })
  const queue = new PQueue({ concurrency: 2 })
  const limit = pLimit(2)
  const far = remote((x) => add(x) + table.a + changing)
  const shape = new Shape(5)
  const seen = [
    await queue.add(() => 1),
    await queue.add(() => add(table.a)),
    await limit(() => mine.twice(table.a)),
    ...(await pMap([1, 2], (x) => mine.twice(x) + basename('/a/bc').length)),
    await far.run(1),
    await queue.add(() => shape.area()),
    await queue.add(() => new Shape(table.a)).then((made) => made instanceof Shape),
  ]
  later()
  seen.push(await far.run(1))
  console.log('SEEN', ...seen)
  await queue.add(() => { throw new Error('thrown ' + table.a) }).catch((error) => console.log('STACK', error.stack))
  await shutdown()
}
main()
`

const seen = 'SEEN 1 4 5 7 9 6 15 true 7\n'

describe('captures without the debugger', function () {
  this.timeout(120_000)
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'no-debugger-'))
    linkPackages(folder)
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  async function run(files: Readonly<Record<string, string>>, ...args: string[]): Promise<string> {
    for (const [name, text] of Object.entries({ ...files, 'spy.cjs': spy })) writeFileSync(join(folder, name), text)
    // Only files that were there before the program are taken for what was loaded.
    await after(50)
    const { NODE_OPTIONS: _options, ...env } = process.env
    return new Promise((resolve) => {
      const all = ['--expose-gc', '--require', './spy.cjs', ...args]
      execFile(process.execPath, all, { cwd: folder, env }, (_error, stdout, stderr) => resolve(stdout + stderr))
    })
  }

  it('are read of ES modules and of the files that these import', async () => {
    const output = await run(
      {
        'main.mjs': `
          import { basename } from 'node:path'
          import { init, remote, shutdown } from 'outpool'
          import pLimit from 'outpool/p-limit'
          import pMap from 'outpool/p-map'
          import PQueue from 'outpool/p-queue'
          import { add, Shape } from './helpers.mjs'
          import mine from './mine.cjs'
          ${body}`,
        'helpers.mjs': `${helpers}\nexport { add, Shape }`,
        'mine.cjs': `const two = 2\nexports.twice = (x) => x * two + 3`,
      },
      'main.mjs',
    )
    expect(output).to.include(seen).and.to.include('/main.mjs:')
    expect(output.match(/^DEBUGGER .*/gm), output).to.deep.equal(['DEBUGGER []'])
  })

  it('are read of CommonJS files, also of those of which no code is left', async () => {
    const output = await run(
      {
        'main.cjs': `
          const { basename } = require('node:path')
          const { init, remote, shutdown } = require('outpool')
          const { default: pLimit } = require('outpool/p-limit')
          const { default: pMap } = require('outpool/p-map')
          const { default: PQueue } = require('outpool/p-queue')
          const { add, Shape } = require('./index.cjs')
          const mine = require('./mine.cjs')
          ${body}
          //# sourceMappingURL=none.js.map`,
        'index.cjs': `module.exports = require('./helpers.cjs')`,
        'helpers.cjs': `${helpers}
          Object.defineProperty(exports, '__esModule', { value: true })
          Object.defineProperty(exports, 'add', { get: () => add })
          exports.Shape = Shape`,
        'mine.cjs': `const two = 2\nexports.twice = (x) => x * two + 3`,
      },
      'main.cjs',
    )
    expect(output).to.include(seen).and.to.include('/main.cjs:')
    expect(output.match(/^DEBUGGER .*/gm), output).to.deep.equal(['DEBUGGER []'])
  })

  const file = (ending: string, form: 'export' | 'exports'): string => {
    const given = form === 'export' ? 'export const ' : 'exports.'
    return `let rate = 1\n${given}far = () => rate\n${given}set = (to) => { ${ending} }\n`
  }
  const calls = `
    gc()
    gc()
    await init({ numCpus: 1, logToDriver: false })
    const { far: read } = rated
    const far = remote(() => read())
    const first = await far.run()
    rated.set(2)
    console.log('RATES', first, await far.run())
    await shutdown()`

  it('are those of the file as it was loaded, not as it is now', async () => {
    const changed = JSON.stringify(file('rats = to', 'export'))
    const output = await run(
      {
        'main.mjs': `
          import { writeFileSync } from 'node:fs'
          import { init, remote, shutdown } from 'outpool'
          import * as rated from './rated.mjs'
          writeFileSync(new URL('rated.mjs', import.meta.url), ${changed})
          ${calls}`,
        'rated.mjs': file('rate = to', 'export'),
      },
      'main.mjs',
    )
    expect(output).to.include('RATES 1 2\n')
  })

  it('are those of the text that a loader of ES modules made of the file', async () => {
    const output = await run(
      {
        'loader.mjs': `
          import { register } from 'node:module'
          register(new URL('hooks.mjs', import.meta.url))`,
        'hooks.mjs': `
          export async function load(url, context, next) {
            const loaded = await next(url, context)
            if (!url.endsWith('/rated.mjs')) return loaded
            return { ...loaded, source: loaded.source + 'export const set = (to) => { rate = to }' }
          }`,
        'main.mjs': `
          import { init, remote, shutdown } from 'outpool'
          import * as rated from './rated.mjs'
          ${calls}`,
        'rated.mjs': 'let rate = 1\nexport const far = () => rate\n',
      },
      '--import',
      './loader.mjs',
      'main.mjs',
    )
    expect(output).to.include('RATES 1 2\n')
  })

  it('are those of the text that a hook of CommonJS made of the file', async () => {
    const output = await run(
      {
        'hook.cjs': `
          const { prototype } = require('node:module')
          const { _compile } = prototype
          prototype._compile = function (text, name, ...rest) {
            const more = name.endsWith('rated.cjs') ? 'exports.set = (to) => { rate = to }' : ''
            return _compile.call(this, text + more, name, ...rest)
          }`,
        'main.cjs': `
          const { init, remote, shutdown } = require('outpool')
          const rated = require('./rated.cjs')
          async function main() { ${calls} }
          main()`,
        'rated.cjs': 'let rate = 1\nexports.far = () => rate\n',
      },
      '--require',
      './hook.cjs',
      'main.cjs',
    )
    expect(output).to.include('RATES 1 2\n')
  })
})
