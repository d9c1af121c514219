/** What functions capture of the packages that have shims is in their workers what it is in the program. */
import { expect } from 'chai'
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import { TestCluster } from '../../cluster/support.ts'
import { runProgram, type ProgramOptions } from '../shim-programs.ts'

const packages = { workerpool: 'workerpool', 'p-queue': 'p-queue', 'p-map': 'p-map', 'p-limit': 'p-limit' }

/** Plays each case here and there, and prints what differs, and how often each kind of thing was seen. */
const play = `
  const differing = []
  const seen = {}
  await init()
  for (const [name, play] of Object.entries(cases)) {
    const here = await play()
    const there = await remote(play).run().catch((error) => error.message)
    if (JSON.stringify(here) !== JSON.stringify(there)) differing.push([name, here, there])
    for (const kind of [here].flat()) seen[kind] = (seen[kind] ?? 0) + 1
  }
  console.log(JSON.stringify([differing, seen]))
  await shutdown()`

const kindOf = `(target) => { try { return explain(target).kind ?? 'plain' } catch { return 'plain' } }`

const esm = `
  import pMap, { pMapSettled, pMapSkip } from 'p-map'
  import * as allOfMap from 'p-map'
  import pLimit, { limitFunction } from 'p-limit'
  import PQueue, { TimeoutError } from 'p-queue'
  import * as allOfQueue from 'p-queue'
  import workerpool, { pool } from 'workerpool'
  import * as allOfPool from 'workerpool'
  import { createRequire } from 'node:module'
  import { explain, init, remote, shutdown } from 'outpool'
  import { PQueue as throughModule, square } from './own.mjs'
  import { limit } from 'maker'
  import required from './required.cjs'
  const kindOf = ${kindOf}
  const require = createRequire(import.meta.url)
  const mapByRequire = require('p-map')
  const QueueByRequire = require('p-queue').default
  const poolByRequire = require('workerpool')
  const nested = { pMap, list: [pLimit] }
  const cases = {
    'default': () => [pMap, pLimit(1), new PQueue(), workerpool.pool()].map(kindOf),
    'named': () => [pMapSettled, limitFunction(Math.sqrt, 1), pool()].map(kindOf),
    'named, what is no function': () => [typeof pMapSkip, new TimeoutError('x') instanceof Error],
    'the namespace': () => [allOfMap.default, allOfMap.pMapSettled, new allOfQueue.default(), allOfPool.pool()].map(kindOf),
    'by require': () => [mapByRequire.default, new QueueByRequire(), poolByRequire.pool()].map(kindOf),
    'in an object': () => [nested.pMap, nested.list[0](1)].map(kindOf),
    'passed on by a module': () => kindOf(new throughModule()),
    'used by a function of a module': () => square([1, 2, 3]),
    'used by a function of a package': () => kindOf(limit()),
    'used by a function of a CommonJS module': () => required(),
    'one thing by all ways': () => [allOfMap.default === pMap, mapByRequire.default === pMap, nested.pMap === pMap],
  }
  ${play}`

const files = {
  'main.mjs': esm,
  'own.mjs': `
    import pMap from 'p-map'
    import { explain } from 'outpool'
    export { default as PQueue } from 'p-queue'
    export const square = async (list) => [explain(pMap).kind ?? 'plain', ...(await pMap(list, (x) => x * x))]`,
  'required.cjs': `
    const { default: pLimit } = require('p-limit')
    const { explain } = require('outpool')
    const kindOf = ${kindOf}
    module.exports = () => kindOf(pLimit(1))`,
  'node_modules/maker/package.json': JSON.stringify({ name: 'maker', version: '1.0.0', exports: './index.mjs' }),
  'node_modules/maker/index.mjs': `import pLimit from 'p-limit'\nexport const limit = () => pLimit(1)`,
}
const registered = ['--import', 'outpool/register']
/** How often each is seen by the cases above. */
const seen = { 'p-map': 7, 'p-limit': 5, 'p-queue': 4, workerpool: 4 }
const others = { symbol: 1, true: 4, 1: 1, 4: 1, 9: 1 }

const run = async (options: Partial<ProgramOptions>): Promise<unknown> => {
  const { stdout, stderr } = await runProgram({ packages, files, main: 'main.mjs', ...options })
  // What may change what it captured is shipped with a warning.
  return stdout === '' ? stderr : JSON.parse(stdout)
}

/** A p-map of the program's own that is on no node, and says so. */
const marked = `
  const it = async () => 'of the program'
  export default it
  export const pMapIterable = it, pMapSettled = it, pMapKeyed = it, pMapSettledKeyed = it
  export const pMapSkip = Symbol('of the program'), pMapStop = () => 'stop'`
const explicit: Partial<ProgramOptions> = {
  packages: {},
  files: {
    'node_modules/p-map/package.json': JSON.stringify({ name: 'p-map', version: '7.9.9', exports: './index.mjs' }),
    'node_modules/p-map/index.mjs': marked,
    'own.mjs': `import pMap from 'outpool/p-map'\nexport const map = () => pMap([1], Math.sqrt)`,
    'main.mjs': `
      import pMap, * as all from 'outpool/p-map'
      import { pMapSkip } from 'outpool/p-map'
      import { explain, init, remote, shutdown } from 'outpool'
      import { map } from './own.mjs'
      const cases = {
        'captured': async () => [explain(pMap).kind, await pMap([1], Math.sqrt), await all.pMapSettled([1], Math.sqrt)],
        'captured by a function of a module': () => map(),
        'a symbol': () => [pMapSkip.description],
      }
      const there = remote(new URL('./own.mjs', import.meta.url), 'map')
      cases.module = () => there.run()
      ${play}`.replace('remote(play).run()', "(name === 'module' ? play() : remote(play).run())"),
  },
}

describe('what functions capture of packages that have shims', () => {
  it('is a shim in a worker where it is one in the program, however it was captured', async () => {
    expect(await run({ node: registered })).to.deep.equal([[], { ...seen, ...others }])
  })

  it('is the original in a worker where it is that in the program', async () => {
    expect(await run({})).to.deep.equal([[], { plain: 7 + 5 + 4 + 4, ...others }])
  })

  it("is made over the program's own package, where it is imported from outpool", async () => {
    expect(await run(explicit)).to.deep.equal([[], { 'p-map': 1, 'of the program': 5 }])
  })

  describe('on three nodes', () => {
    let cluster: TestCluster
    let env: Record<string, string>
    let head: DaemonFacts

    before(async () => {
      cluster = new TestCluster()
      // The node that the program joins has no CPU: what runs on a worker runs on another.
      head = await cluster.start({ head: true, numCpus: 0 })
      await Promise.all([1, 2].map(() => cluster.start({ head: false, address: head.url })))
      env = { OUTPOOL_ADDRESS: head.url, OUTPOOL_TOKEN: cluster.token }
    })
    after(() => cluster.close())

    it('is a shim in a worker where it is one in the program, however it was captured', async () => {
      expect(await run({ node: registered, env })).to.deep.equal([[], { ...seen, ...others }])
    })

    it('is a shim or the original, as OUTPOOL_SHIMS selects', async () => {
      const some = { plain: 7 + 4, 'p-queue': 4, 'p-limit': 5, ...others }
      const selected = { ...env, OUTPOOL_SHIMS: 'p-queue,p-limit' }
      expect(await run({ node: registered, env: selected })).to.deep.equal([[], some])
    })

    it("is made over the program's own package, where it is imported from outpool", async () => {
      expect(await run({ ...explicit, env })).to.deep.equal([[], { 'p-map': 1, 'of the program': 5 }])
    })
  })
})
