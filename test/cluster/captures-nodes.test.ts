import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { expect } from 'chai'
import { Pool } from 'outpool/multiprocessing'
import { context, remote } from 'outpool'
import { onOther, Project, useTwoNodes } from './bare-nodes.ts'

class Model {
  readonly weights: readonly number[]

  constructor(weights: readonly number[]) {
    this.weights = weights
  }

  predict(x: number): number {
    return this.weights.reduce((sum, weight, power) => sum + weight * x ** power, 0)
  }
}

interface Rounding {
  readonly round: (value: number) => number
  readonly place: () => string
}

interface Spaces {
  readonly default: number
  readonly twice: (value: number) => number
  readonly place: () => string
}

/** Packages that only this program has. */
const packageFiles = {
  'package.json': JSON.stringify({ name: 'program', version: '1.0.0', type: 'module' }),
  'node_modules/rounding/package.json': JSON.stringify({ name: 'rounding', version: '2.1.0', main: 'main.js' }),
  'node_modules/rounding/main.js': `
    const tenths = require('./tenths.js')
    exports.round = (value) => Math.round(value * tenths) / tenths
    exports.place = () => __filename
  `,
  'node_modules/rounding/tenths.js': 'module.exports = 10',
  'node_modules/spaces/package.json': JSON.stringify({
    name: 'spaces',
    version: '1.2.0',
    type: 'module',
    exports: './main.js',
  }),
  'node_modules/spaces/main.js': `
    export const twice = (x) => 2 * x
    export const place = () => import.meta.url
    export default 7
  `,
}

describe('functions that capture, on nodes that were started in empty folders', () => {
  useTwoNodes()
  const program = new Project(packageFiles, false)

  after(() => program.remove())

  it('have the namespace of an ES package, in whatever object they capture it, as one and the same', async () => {
    const spaces = (await import(program.url('node_modules/spaces/main.js').href)) as Spaces
    const tools = { spaces, deep: { list: [spaces] } }
    const read = remote((x: number) => {
      const [first] = tools.deep.list
      return [
        tools.spaces.twice(x),
        tools.spaces.default,
        first === tools.spaces,
        Object.keys(first as object),
        first?.place(),
      ]
    }, onOther)
    const [twice, seven, isSame, names, place] = await read.run(4)
    expect([twice, seven, isSame, names]).deep.equal([8, 7, true, ['default', 'place', 'twice']])
    expect(String(place).startsWith(program.url('').href), String(place)).to.equal(false)
  })

  it('map with a captured instance, a constant and a function of an npm package, which goes along', async () => {
    const { round, place } = createRequire(program.url('main.js'))('rounding') as Rounding
    const model = new Model([0.5, 2])
    const factor = 3
    const items = Array.from({ length: 40 }, (_, i) => i)
    await using pool = new Pool(4)
    const predict = (x: number): number => round(model.predict(x) * factor)
    expect(await pool.map(predict, items)).deep.equal(items.map(predict))

    for (const name of ['head', 'other']) {
      const [file, node] = await remote(() => [place(), context().node], { resources: { [name]: 0.01 } }).run()
      expect(file?.startsWith(program.folder), `${file} on ${node}`).to.equal(false)
    }

    // Nobody can read the package any more; workers that come anew get it from the program.
    program.remove()
    expect(existsSync(program.path('node_modules/rounding/main.js'))).to.equal(false)
    const quit = remote(() => process.kill(process.pid, 'SIGKILL'), { maxRetries: 0 })
    await Promise.allSettled(items.map(() => quit.run()))
    const far = remote((x: number) => round(model.predict(x) / factor))
    expect(await Promise.all(items.map((x) => far.run(x)))).deep.equal(
      items.map((x) => round(model.predict(x) / factor)),
    )
  })

  it('see what was changed between two maps, and nothing of it in between', async () => {
    const weights = [1]
    const model = new Model(weights)
    await using pool = new Pool(2)
    const first = pool.map((x: number) => model.predict(x), [1, 2, 3], 1)
    weights[0] = 5
    expect(await first).deep.equal([1, 1, 1])
    expect(await pool.map((x: number) => model.predict(x), [1, 2, 3], 1)).deep.equal([5, 5, 5])
  })
})
