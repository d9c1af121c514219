import { expect } from 'chai'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { check, type Checked } from '../../../lib/cli/check.ts'

describe('outpool check', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'check-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  async function verdicts(name: string, text: string): Promise<[call: string, verdict: string, reason: string][]> {
    writeFileSync(join(folder, name), text)
    const said: string[] = []
    const log = console.log
    console.log = (line: string) => void said.push(line)
    try {
      await check([folder], { json: true })
    } finally {
      console.log = log
    }
    const { calls } = JSON.parse(said.join('\n')) as { calls: Checked[] }
    return calls.map(({ call, verdict, line, reasons }) => [`${call}:${line}`, verdict, reasons.join('; ')])
  }

  it('says of tasks of a queue whether they ship, may stay or stay', async () => {
    const text = `import PQueue from 'p-queue'
const queue = new PQueue()
const rate = 3
const total = (n) => n * rate
let count = 0
queue.add(() => total(2) + rate)
queue.add(() => { count++ })
queue.add(() => fetch('http://x'))
queue.add(elsewhere)
queue.addAll([() => 1, () => { count++ }])`
    const found = await verdicts('a.mjs', text)
    expect(found.map(([call, verdict]) => `${call} ${verdict}`)).to.deep.equal([
      'queue.add:6 ships',
      'queue.add:7 stays',
      'queue.add:8 may stay',
      'queue.add:9 unknown',
      'queue.addAll:10 ships',
      'queue.addAll:10 stays',
    ])
    expect(found[1]?.[2]).to.match(/count/)
    expect(found[2]?.[2]).to.match(/fetch/)
  })

  it('says that a function stays which its syntax ties to its place, and that a name is no method but of workerpool', async () => {
    const text = `import PQueue from 'p-queue'
import workerpool from 'workerpool'
import { Pool } from 'outpool/multiprocessing'
const queued = new PQueue()
const many = new Pool()
const scripted = workerpool.pool('/x/worker.js')
class Job {
  #n = 1
  run() {
    queued.add(() => this.m())
    many.map((x) => x + this.#n, [1])
    many.map(async (x) =>
      (await import('./other.mjs')).f(x), [1])
    many.map((x) => require('node:os').cpus().length, [1])
    many.map('add', [1])
    scripted.exec('add', [1])
  }
}`
    const found = await verdicts('c.mjs', text)
    expect(found).to.deep.equal([
      ['queued.add:10', 'stays', "it uses 'this' of the code around the arrow function (line 10)"],
      [
        'many.map:11',
        'stays',
        "it uses 'this' of the code around the arrow function (line 11); it uses the private name '#n' of the class around it (line 11)",
      ],
      [
        'many.map:12',
        'stays',
        "it uses import('./other.mjs'), a path relative to the module that it was written in (line 13)",
      ],
      ['many.map:14', 'stays', "it uses 'require' (line 14), which a shipped function does not have"],
      ['many.map:15', 'unknown', 'the function is not written in this file'],
      ['scripted.exec:16', 'ships', "'add' is a method of the worker script"],
    ])
  })

  it('leaves it open for CommonJS, where a function may travel as an export of its file', async () => {
    const text = `const { Pool } = require('outpool/multiprocessing')
const pool = new Pool()
pool.map((x) => require('node:os').cpus().length, [1])`
    const [found] = await verdicts('d.cjs', text)
    expect(found?.[1]).to.equal('ships')
  })

  it('knows the packages by require, by their shims, and in members', async () => {
    const text = `const { pool } = require('workerpool')
const pLimit = require('p-limit').default
const workers = pool('/x/worker.js')
const limit = pLimit(2)
class Job {
  async run() {
    this.executor = new Executor()
    this.executor.submit((a) => a + 1, 1)
    workers.exec('resize', [1])
    workers.exec((a) => a, [1])
    return limit((n) => n * 2, 3)
  }
}
const { Executor } = require('outpool/executor')`
    const found = await verdicts('b.cjs', text)
    expect(found.map(([call, verdict]) => `${call} ${verdict}`)).to.deep.equal([
      'executor.submit:8 ships',
      'workers.exec:9 ships',
      'workers.exec:10 ships',
      'limit:11 ships',
    ])
  })

  it('knows them in private members, in properties, and behind import()', async () => {
    const text = `import * as workerpool from 'workerpool'
import { ProcessPoolExecutor } from 'outpool/executor'
const { default: PQueue } = await import('p-queue')
class Job {
  #queue = new PQueue()
  jobs = { limit: require('p-limit').default(2) }
  run = () => this.#queue.add(() => 1)
  more = () => this.jobs.limit(() => 2)
}
const { default: map } = await import('p-map')
map([1], (n) => n)
const executor = new ProcessPoolExecutor()
executor.map((n) => n, [1])
const pool = workerpool.pool()
pool.exec((n) => n, [1])
const other = new Map()
other.add(() => 1)`
    const found = await verdicts('e.mjs', text)
    expect(found.map(([call, verdict]) => `${call} ${verdict}`)).to.deep.equal([
      'queue.add:7 ships',
      'limit:8 ships',
      'map:11 ships',
      'executor.map:13 ships',
      'pool.exec:15 ships',
    ])
  })

  it('names the lines of the file, of TypeScript too', async () => {
    const text = `import PQueue from 'p-queue'

/** What a compiler drops. */
interface Counter {
  readonly count: number
}
let total: number = 0
const print = (counter: Counter): void => {
  // Nor does it keep this.
  console.log(counter.count)
}
const queue = new PQueue()
queue.add(() => { total += 1 })
queue.add(() => print({ count: 1 }))`
    const found = await verdicts('f.ts', text)
    expect(found).to.deep.equal([
      ['queue.add:13', 'stays', "it assigns to 'total' (line 13), which would only change in the worker"],
      ['queue.add:14', 'may stay', found[1]?.[2]],
    ])
    expect(found[1]?.[2]).to.match(/console.*\(line 10\)/)
  })

  it('reads TypeScript', async () => {
    const text = `import pMap, { type Mapper } from 'outpool/p-map'
const double: Mapper<number, number> = (n: number): number => n * 2
export const all: Promise<number[]> = pMap([1, 2], double)`
    expect((await verdicts('c.ts', text)).map(([, verdict]) => verdict)).to.deep.equal(['ships'])
  })

  it('reads JSX, with and without types', async () => {
    const script = `import pMap from 'p-map'
import pLimit from 'p-limit'
const limit = pLimit(2)

export const List = ({ items }) => <ul>{items.map((item) => <li key={item}>{item}</li>)}</ul>
export const all = pMap([1, 2], (n) => n * 2)
export const shown = limit(() => String(<List items={['a']} />))`
    const typed = script.replace('({ items })', '({ items }: { items: string[] })').replace('(n)', '(n: number)')
    for (const [name, text] of [
      ['g.jsx', script],
      ['g.tsx', typed],
    ] as const) {
      const found = await verdicts(name, text)
      expect(found.map(([call, verdict]) => `${call} ${verdict}`)).to.deep.equal(['pMap:6 ships', 'limit:7 may stay'])
      rmSync(join(folder, name))
    }
  })

  it('tells of what functions and worker scripts read of the environment, and workers are not given', async () => {
    const text = `import workerpool from 'workerpool'
import { Pool } from 'outpool/multiprocessing'
const { DATABASE_URL, PATH } = process.env
new Pool(2).map((n) => n + process.env.OFFSET.length + process.env['LANG'].length, [1])
workerpool.worker({ look: () => globalThis.process.env.API_URL + DATABASE_URL + process.env.NODE_ENV })`
    const found = await verdicts('f.mjs', text)
    expect(found.map(([call, verdict]) => `${call} ${verdict}`)).to.deep.equal([
      'pool.map:4 ships',
      'workerpool.worker:5 ships',
    ])
    expect(found[0]?.[2]).to.match(/not given OFFSET \(line 4\) of the environment: .*runtimeEnv/)
    expect(found[1]?.[2]).to.match(/not given DATABASE_URL \(line 3\), OFFSET \(line 4\), API_URL \(line 5\) of/)
  })

  it('runs nothing of what it reads', async () => {
    const text = `import pMap from 'p-map'
globalThis.ran = true
const make = (() => { globalThis.ran = true })()
pMap([1], (n) => make(n))`
    const [only] = await verdicts('d.mjs', text)
    expect(only?.slice(1)).to.deep.equal(['may stay', 'it calls make (line 4), which is not written in this file'])
    expect('ran' in globalThis).to.equal(false)
  })

  it('looks into classes of the file, and runs nothing of them', async () => {
    const text = `import pMap from 'p-map'
class Refused extends Error { constructor(text, field) { super(text); this.field = field } }
class Ran { static { globalThis.ran = true } }
class Counted { static made = (globalThis.ran = true) }
pMap([1], (n) => { if (n < 0) throw new Refused('no', n); return n * 2 })
pMap([1], (n) => new Ran(n).total)
pMap([1], (n) => new Counted(n).total)`
    const found = await verdicts('e.mjs', text)
    expect(found.map(([, verdict]) => verdict)).to.deep.equal(['ships', 'may stay', 'may stay'])
    expect('ran' in globalThis).to.equal(false)
  })

  it('goes on behind a file that it cannot read', async () => {
    writeFileSync(join(folder, 'broken.js'), 'this is no ( JavaScript')
    const found = await verdicts('z.mjs', `import pMap from 'p-map'\npMap([1], (n) => n)`)
    expect(found.map(([, verdict]) => verdict)).to.deep.equal(['unknown', 'ships'])
  })
})
