/** The migration guide against the packages: its tables name every export and option, its pairs of programs agree. */
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readText, root } from '../tools/tree.ts'
import { withoutStoreLine } from '../tools/native.ts'

const run = promisify(execFile)

/** Names in the first column of the tables whose head begins with one of `heads`: `like this`, without arguments. */
function namesIn(page: string, ...heads: string[]): string[] {
  const names: string[] = []
  let inside = false
  for (const line of readText(`migration-guide/${page}.md`).split('\n')) {
    if (!line.startsWith('|')) {
      inside = false
      continue
    }
    const [, first = ''] = line.split('|')
    if (/^\s*[a-z][^`]*$/.test(first)) inside = heads.some((head) => first.trim().startsWith(head))
    else if (inside) names.push(...[...first.matchAll(/`([\w$]+)`/g)].map((match) => match[1] as string))
  }
  return [...new Set(names)].sort()
}

/** The names of the members of object types in a declaration file, from `begin` on; of a package, or of our own. */
function membersOf(file: string, ...begins: string[]): string[] {
  const text = readFileSync(join(root, file.startsWith('dist/') ? '' : 'node_modules', file), 'utf8')
  return begins.flatMap((begin) => {
    const start = text.indexOf(begin)
    if (start < 0) throw new Error(`${file} has no '${begin}'`)
    const body = text.slice(start, text.indexOf('\n}', start)).replace(/\/\*[^]*?\*\//g, '')
    return [...body.matchAll(/^\s+(?:readonly )?(\w+)\??:/gm)].map((match) => match[1] as string)
  })
}

const exportsOf = async (name: string): Promise<string[]> =>
  Object.keys((await import(name)) as object).filter((key) => key !== '__esModule' && key !== 'module.exports')
const sorted = (...lists: readonly (readonly string[])[]): string[] => [...new Set(lists.flat())].sort()

const queueOptions = (folder: string): string[] =>
  membersOf(`${folder}/dist/options.d.ts`, 'type TimeoutOptions', 'export type Options<')
const taskOptions = (folder: string): string[] =>
  membersOf(
    `${folder}/dist/options.d.ts`,
    'type TimeoutOptions',
    'export type QueueAddOptions',
    'export type TaskOptions',
  )

describe('the migration guide', () => {
  for (const name of ['workerpool', 'p-queue', 'p-map', 'p-limit']) {
    it(`names every export of ${name} and of its shim`, async () => {
      const both = sorted(await exportsOf(name), await exportsOf(`outpool/${name}`))
      expect(namesIn(name, 'export')).to.deep.equal(both)
    })
  }

  it('names every export of outpool/executor', async () => {
    expect(namesIn('executor', 'export')).to.deep.equal(sorted(await exportsOf('outpool/executor')))
  })

  it('names every option of workerpool', () => {
    const original = membersOf('workerpool/types/types.d.ts', 'export type WorkerPoolOptions')
    // Two that work, and are not in the types; and Outpool's own.
    expect(namesIn('workerpool', 'option of the pool')).to.deep.equal(
      sorted(original, ['nodeWorker', 'debugPortStart', 'maxRetries']),
    )
    const call = membersOf('workerpool/types/types.d.ts', 'export type ExecOptions')
    expect(namesIn('workerpool', 'option of a call')).to.deep.equal(sorted(call))
    const worker = membersOf('workerpool/types/types.d.ts', 'export type WorkerRegisterOptions')
    expect(namesIn('workerpool', 'option of a worker script')).to.deep.equal(sorted(worker))
  })

  it('names every option of outpool/executor', () => {
    const own = membersOf('dist/compat/executor/executor.d.ts', 'export interface ExecutorOptions')
    expect(namesIn('executor', 'option')).to.deep.equal(sorted(own))
    const calls = [
      ...membersOf('dist/compat/executor/executor.d.ts', 'export interface MapOptions'),
      ...membersOf('dist/compat/executor/executor.d.ts', 'export interface ShutdownOptions'),
      ...membersOf('dist/compat/executor/wait.d.ts', 'export interface WaitOptions'),
    ]
    const page = readText('migration-guide/executor.md')
    expect(calls.filter((name) => !new RegExp(`[{,] ${name}\\b`).test(page))).to.deep.equal([])
  })

  it('names every export, method and option of outpool/multiprocessing', async () => {
    const exported = await exportsOf('outpool/multiprocessing')
    const { Pool } = (await import('outpool/multiprocessing')) as { Pool: { prototype: object } }
    const methods = Object.getOwnPropertyNames(Pool.prototype).filter((name) => name !== 'constructor')
    const options = membersOf('dist/compat/multiprocessing/pool-options.d.ts', 'export interface PoolOptions')
    const page = readText('migration-guide/multiprocessing.md')
    const missing = [...exported, ...methods, ...options].filter((name) => !new RegExp(`\\b${name}\\b`).test(page))
    expect(missing).to.deep.equal([])
  })

  it('names every option of p-queue 9 and 10, of queues and of tasks', () => {
    const queue = sorted(queueOptions('p-queue'), queueOptions('p-queue-10'), ['name', 'placement'])
    expect(namesIn('p-queue', 'option of the queue')).to.deep.equal(queue)
    const task = sorted(taskOptions('p-queue'), taskOptions('p-queue-10'), ['placement'])
    expect(namesIn('p-queue', 'option of a task')).to.deep.equal(task)
  })

  it('names every option of p-map and p-limit', () => {
    const map = membersOf('p-map/index.d.ts', 'type BaseOptions', 'export type Options', 'export type IterableOptions')
    expect(namesIn('p-map', 'option')).to.deep.equal(sorted(map, ['placement']))
    const limit = membersOf('p-limit/index.d.ts', 'export type Options')
    expect(namesIn('p-limit', 'option')).to.deep.equal(sorted(limit, ['placement']))
  })

  for (const page of ['workerpool', 'p-queue', 'p-map', 'p-limit', 'executor']) {
    it(`has no row for ${page} that its conformance suite does not know`, () => {
      const folder = join(root, 'test/conformance', page)
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.m?[jt]s$/.test(name))
      const tests = files.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n')
      const rows = namesIn(page, 'export', 'option', 'member', 'method', 'pool', 'worker')
      expect(rows).to.not.be.empty
      expect(rows.filter((name) => !new RegExp(`\\b${name}\\b`).test(tests))).to.deep.equal([])
    })
  }

  it('names every public member of p-queue, 9 and 10', async () => {
    const members = (original: { default: { prototype: object } }): string[] =>
      Object.getOwnPropertyNames(original.default.prototype).filter((name) => name !== 'constructor')
    const both = sorted(members(await import('p-queue')), members(await import('p-queue-10')), ['timeout'])
    expect(namesIn('p-queue', 'member')).to.include.members(both.filter((name) => !/^(?:on|once|off|emit)$/.test(name)))
  })

  it('has a page for each entry of the package, and its first page names it', () => {
    const { exports } = JSON.parse(readText('package.json')) as { exports: Record<string, unknown> }
    const entries = Object.keys(exports).filter((path) => path !== '.' && !path.endsWith('.json'))
    const first = readText('migration-guide/README.md')
    for (const entry of entries) expect(first, entry).to.include(`outpool${entry.slice(1)}`)
    const shims = entries.map((entry) => entry.slice(2)).filter((name) => name !== 'register')
    for (const name of shims) expect(existsSync(join(root, `migration-guide/${name}.md`)), name).to.equal(true)
  })

  const examples = readdirSync(join(root, 'migration-guide/examples'))
  const pairs = examples.filter((name) => existsSync(join(root, 'migration-guide', `${name}.md`)))

  it('has a pair of programs for each shim of a package', () => {
    expect(pairs).to.include.members(['executor', 'p-limit', 'p-map', 'p-queue', 'workerpool'])
  })

  for (const name of pairs) {
    const folder = join(root, 'migration-guide/examples', name)
    it(`has a pair of programs for ${name} that print the same`, async function () {
      const isPython = existsSync(join(folder, 'before.py'))
      const python = await run('python3', ['--version']).catch(() => undefined)
      if (isPython && python === undefined) this.skip()
      const before = isPython ? run('python3', [join(folder, 'before.py')]) : run('node', [join(folder, 'before.mjs')])
      const after = await run('node', [join(folder, 'after.mjs')])
      expect(after.stdout).to.equal((await before).stdout)
      expect(withoutStoreLine(after.stderr)).to.equal('')
    })

    if (existsSync(join(folder, 'before.mjs'))) {
      it(`changes nothing but the import in ${name}`, () => {
        const before = readFileSync(join(folder, 'before.mjs'), 'utf8')
        const after = readFileSync(join(folder, 'after.mjs'), 'utf8')
        expect(after.replaceAll(`'outpool/${name}'`, `'${name}'`)).to.equal(before)
      })
    }
  }
})
