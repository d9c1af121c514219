/**
 * Where p-map's shim runs a mapper by itself, nobody can tell: each of these gives what the original gives, and leaves
 * what it changes.
 */
import { execFile } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { Project } from '../../cluster/bare-nodes.ts'
import { rows, type Row } from './copy-rows.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../../', import.meta.url))
const built = (path: string): string => new URL(`../../../dist/${path}/index.js`, import.meta.url).href
const shim = built('compat/p-map')

const texts = Object.values(rows).flat()
const written = ([around, items, mapper, after = '0']: Row): string =>
  `async (pMap) => {\n${around}\nreturn [await outcome(pMap(${items}, ${mapper})), inspect(${after})]\n}`

const program = `import assert from 'node:assert'
import * as crypto from 'node:crypto'
import { EventEmitter } from 'node:events'
import querystring from 'node:querystring'
import util, { inspect } from 'node:util'
const outcome = (promise) => promise.then(inspect, (error) => 'rejects with ' + error.message)
const reachable = (value, found = new Set()) => {
  if (typeof value !== 'object' || value === null || found.has(value)) return found
  found.add(value)
  for (const part of value instanceof Map || value instanceof Set ? [...value].flat() : []) reachable(part, found)
  if (!ArrayBuffer.isView(value)) for (const key of Reflect.ownKeys(value)) reachable(Object.getOwnPropertyDescriptor(value, key).value, found)
  return found
}
// A Buffer is a part of memory that many share: where in it, is nobody's business.
const memory = (v) => ArrayBuffer.isView(v) && !Buffer.isBuffer(v) && [v.byteOffset, v.buffer.byteLength]
const traits = (v) => [Object.isExtensible(v), Object.isFrozen(v), memory(v)]
const all = (value) => inspect([...reachable(value)].map((v) => [v, traits(v)]), { showHidden: true, depth: 9 })
const wholeOutcome = (promise) => promise.then(all, (error) => 'rejects with ' + all({ ...error }))
const { default: pMap } = await import(process.argv[2])
const rows = [\n${texts.map(written).join(',\n')}\n]
const found = []
for (const row of rows) found.push(await row(pMap))
process.stdout.write(JSON.stringify(found), () => process.exit())
`

/** What another file gives another value, and code that is not strict. */
const more = {
  'settings.js': `export let settings = { rate: 1 }
export let found = null
export const set = () => { settings = { rate: 5 }; found = { n: 7 } }
`,
  'live.js': `import { remote } from '${built('lib')}'
import { found, set, settings } from './settings.js'
const { default: pMap } = await import(process.argv[2])
const rate = (x) => x * settings.rate
const tell = () => found?.n ?? 'none'
const tries = async () => [await pMap([1], rate), await pMap([1], tell), await remote(rate).run(1), await remote(tell).run()]
const before = await tries()
set()
process.stdout.write(JSON.stringify([before, await tries()]), () => process.exit())
`,
  'sloppy.cjs': `const tries = [
  function (x) { x = x * 2; return arguments[0] },
  function () { return (function () { return typeof this })() },
  () => { const f = function () { return typeof this }; return f() },
  function (x) { 'use strict'; x = x * 2; return arguments[0] },
]
import(process.argv[2]).then(async ({ default: pMap }) => {
  const found = []
  for (const mapper of tries) found.push(await pMap([1, 2], mapper))
  process.stdout.write(JSON.stringify(found), () => process.exit())
})
`,
}

describe('p-map: a mapper that the shim places gives what the original gives', () => {
  let project: Project
  let original: readonly (readonly [string, string])[]
  let ours: readonly (readonly [string, string])[]

  const play = async (file: string, pMap: string): Promise<unknown> => {
    const { stdout } = await run(process.execPath, [file, pMap], {
      cwd: project.folder,
      env: { ...process.env, NODE_OPTIONS: '' },
      maxBuffer: 1e7,
    })
    return JSON.parse(stdout)
  }

  before(async () => {
    project = new Project(
      { 'package.json': '{ "type": "module" }', 'rows.js': program, ...more, 'node_modules/.keep': '' },
      false,
    )
    symlinkSync(join(root, 'node_modules', 'p-map'), project.path('node_modules/p-map'))
    original = (await play('rows.js', 'p-map')) as typeof original
    ours = (await play('rows.js', shim)) as typeof ours
  })
  after(() => project.remove())

  for (const [kind, some] of Object.entries(rows)) {
    describe(kind, () => {
      for (const row of some) {
        const [around, items, mapper] = row
        it(`${around} ${mapper} of ${items}`, () => {
          const index = texts.indexOf(row)
          expect(original[index]).to.be.an('array')
          expect(ours[index]).to.deep.equal(original[index])
        })
      }
    })
  }

  it('what a module gives another value is read anew', async () => {
    const found = [
      [[1], ['none'], 1, 'none'],
      [[5], [7], 5, 7],
    ]
    expect(await play('live.js', 'p-map')).to.deep.equal(found)
    expect(await play('live.js', shim)).to.deep.equal(found)
  })

  it('code that is not strict', async () => {
    const found = [
      [2, 4],
      ['object', 'object'],
      ['object', 'object'],
      [1, 2],
    ]
    expect(await play('sloppy.cjs', 'p-map')).to.deep.equal(found)
    expect(await play('sloppy.cjs', shim)).to.deep.equal(found)
  })
})
