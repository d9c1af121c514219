import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import vm from 'node:vm'
import { expect } from 'chai'
import { RuntimeEnvSetupError } from '../../../runtime/base/errors.ts'
import { createDefinition, type FunctionDefinition } from '../../../runtime/code/definition.ts'
import { decodeDefinition, defineFunction, moduleExport } from '../../../runtime/code/function-source.ts'
import { loadFunction } from '../../../runtime/code/load.ts'

const fixture = (name: string): string => new URL(`./fixtures/${name}`, import.meta.url).href
const make = (text: string): unknown => vm.runInThisContext(`(${text}\n)`)
type Fn = (...args: unknown[]) => unknown
const fn = (text: string): Fn => make(text) as Fn

function ship(target: Function): Promise<Fn> {
  return loadFunction(decodeDefinition(defineFunction(target).bytes))
}

async function failure(definition: FunctionDefinition): Promise<RuntimeEnvSetupError> {
  try {
    await loadFunction(definition)
  } catch (error) {
    expect(error).to.be.instanceOf(RuntimeEnvSetupError)
    return error as RuntimeEnvSetupError
  }
  throw new Error('it was loaded')
}

describe('loadFunction of a source', () => {
  const rows: readonly (readonly [string, () => Function, readonly unknown[], unknown])[] = [
    ['an arrow', () => fn('(a, b) => a + b'), [1, 2], 3],
    ['an arrow that returns an object', () => fn('(a) => ({ a })'), [1], { a: 1 }],
    ['an async arrow', () => fn('async (a) => (await a) * 2'), [4], 8],
    ['an arrow without parentheses', () => fn('async a => a'), [4], 4],
    ['a comment at its end', () => fn('(a) => { return a // the end\n}'), [4], 4],
    ['a function', () => fn('function (a) { return a }'), [1], 1],
    ['a recursive function', () => fn('function f(n) { return n < 2 ? 1 : n * f(n - 1) }'), [5], 120],
    [
      'a function with defaults and rest',
      () => fn('function (a = 1, ...b) { return [a, b] }'),
      [undefined, 2, 3],
      [1, [2, 3]],
    ],
    ['an async function', () => fn('async function f(a) { return a }'), [1], 1],
    ['a method', () => (make('{ m(a) { return a } }') as { m: Function }).m, [1], 1],
    ['an async method', () => (make('{ async m(a) { return a } }') as { m: Function }).m, [1], 1],
    ['a method with a computed key', () => (make('{ ["a" + "b"](a) { return a } }') as { ab: Function }).ab, [1], 1],
    ['a method named like a keyword', () => (make('{ class(a) { return a } }') as { class: Function }).class, [1], 1],
    ['a method named async', () => (make('{ async(a) { return a } }') as { async: Function }).async, [1], 1],
    [
      'a method named by a string',
      () => (make('{ "a b"(a) { return a } }') as Record<string, Function>)['a b'] as Function,
      [1],
      1,
    ],
    ['a static method', () => (make('class { static m(a) { return a } }') as { m: Function }).m, [1], 1],
    [
      'a private method',
      () => make('class { static #m(a) { return a } static get() { return this.#m } }.get()') as Function,
      [1],
      1,
    ],
    ['a function made from text', () => make(`new Function('a', 'b', 'return a * b')`) as Fn, [3, 4], 12],
    ['sloppy code that is not strict code', () => fn('function (a) { return 010 + a }'), [1], 9],
  ]
  for (const [what, target, args, expected] of rows) {
    it(`calls ${what}`, async () => {
      const loaded = await ship(target())
      expect(await loaded(...args)).to.eql(expected)
    })
  }

  it('iterates generators, sync and async, functions and methods', async () => {
    const collect = async (target: Function): Promise<unknown[]> => {
      const out: unknown[] = []
      for await (const item of (await ship(target))(3) as AsyncIterable<unknown>) out.push(item)
      return out
    }
    const body = '(n) { for (let i = 0; i < n; i++) yield i }'
    expect(await collect(fn(`function* ${body}`))).to.eql([0, 1, 2])
    expect(await collect(fn(`async function* ${body}`))).to.eql([0, 1, 2])
    expect(await collect((make(`{ *m${body} }`) as { m: Function }).m)).to.eql([0, 1, 2])
    expect(await collect((make(`{ async *m${body} }`) as { m: Function }).m)).to.eql([0, 1, 2])
    expect(await collect((make(`{ async *[1]${body} }`) as Function[])[1] as Function)).to.eql([0, 1, 2])
  })

  it('runs strict code', async () => {
    expect(await (await ship(fn('function () { return this }')))()).to.equal(undefined)
  })

  it('keeps the name, of functions and of what they define inside', async () => {
    const named = (make('{ add: (a) => a }') as { add: Function }).add
    expect((await ship(named)).name).to.equal('add')
    expect((await ship(fn('function f() {}'))).name).to.equal('f')
    expect((await ship(fn('() => 1'))).name).to.equal('')
    expect(await (await ship(fn('() => __name(() => 1, "inner").name')))()).to.equal('inner')
  })

  it('shows nothing of the runtime to the function', async () => {
    const names = ['require', 'module', 'exports', 'text', 'name', 'prefix', 'vm', 'nameFunction']
    const seen = await ship(fn(`() => [${names.map((name) => `typeof ${name}`).join(', ')}]`))
    expect(new Set(seen() as string[])).to.eql(new Set(['undefined']))
  })

  it("counts lines and columns in the function's own text, in stack traces", async () => {
    const thrower = await ship(fn('function thrower(a) {\n  if (a) return\n  throw new Error("here")\n}'))
    expect(() => thrower())
      .to.throw()
      .with.property('stack')
      .that.matches(/at thrower \(outpool:fn\/thrower@\w+\+\d+:3:9\)/)
    const short = await ship(fn('() => { throw new Error("here") }'))
    expect(() => short())
      .to.throw()
      .with.property('stack')
      .that.matches(/outpool:fn\/anonymous@\w+\+\d+:1:\d+/)
  })

  it('loads a definition once, also when asked twice at the same time', async () => {
    const definition = defineFunction(fn('() => "once"'))
    const [one, two] = await Promise.all([loadFunction(definition), loadFunction(definition)])
    expect(one).to.equal(two)
    expect(await loadFunction(decodeDefinition(definition.bytes))).to.equal(one)
  })

  it('rejects with what is wrong, when the text is no function here', async () => {
    const broken = await failure(createDefinition({ kind: 'source', text: '(a => {', name: 'f' }))
    expect(broken.message).to.match(/^function f could not be loaded from its text: SyntaxError: .*Node/)
    expect(broken.cause).to.be.instanceOf(SyntaxError)
    await failure(createDefinition({ kind: 'source', text: '1 + 1', name: 'f' }))
  })
})

describe('loadFunction of a module export', () => {
  const rows: readonly (readonly [string, string, string, readonly unknown[], unknown])[] = [
    ['a named export', fixture('tasks.mjs'), 'add', [2], 42],
    ['the default export', fixture('tasks.mjs'), 'default', [4], 2],
    ['a method, on what it belongs to', fixture('tasks.mjs'), 'service.times', [4], 12],
    ['an export of a CommonJS module', fixture('tasks.cjs'), 'sub', [8], 42],
    ['one that is a property of the default', fixture('tasks.cjs'), 'default.sub', [8], 42],
    ['an export that a compiler made', fixture('compiled.cjs'), 'default.mul', [2], 120],
    ['a function of Node', 'node:path', 'basename', ['/a/b'], 'b'],
  ]
  for (const [what, url, exportName, args, expected] of rows) {
    it(`calls ${what}`, async () => {
      const loaded = await loadFunction(decodeDefinition(moduleExport(url, exportName).bytes))
      expect(await loaded(...args)).to.equal(expected)
    })
  }

  it('calls what was found among the loaded CommonJS modules', async () => {
    const { bound } = createRequire(import.meta.url)('./fixtures/tasks.cjs') as Record<string, Function>
    expect(await (await ship(bound as Function))(8)).to.equal(42)
  })

  it('names the module and the cause, when it is missing', async () => {
    const error = await failure(moduleExport(fixture('missing.mjs'), 'add'))
    expect(error.message).to.include("function 'add' of file://").and.to.include('missing.mjs')
    expect(error.message)
      .to.include('Check the path: neither the machine of the program')
      .and.not.include('imported from')
    expect(error.message).to.include('A bundler leaves out what is named by a URL')
    expect(error.cause).to.have.property('code', 'ERR_MODULE_NOT_FOUND')
  })

  it('names the error that the module threw', async () => {
    const error = await failure(moduleExport(fixture('broken.mjs'), 'add'))
    expect(error.message).to.include('Error: broken on purpose')
    expect(error.cause).to.have.property('message', 'broken on purpose')
  })

  it('names the exports that there are, when the asked one is not', async () => {
    const error = await failure(moduleExport(fixture('tasks.mjs'), 'ad'))
    expect(error.message).to.match(/no such export; it has .*add.*service/)
    await failure(moduleExport(fixture('tasks.mjs'), 'service.factor.nothing'))
  })

  it('says what the export is, when it is no function', async () => {
    expect((await failure(moduleExport(fixture('tasks.mjs'), 'version'))).message).to.include('of type string')
    expect((await failure(moduleExport(fixture('tasks.mjs'), 'Tool'))).message).to.include('is a class')
  })

  it('tries again after a failure', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'outpool-load-'))
    try {
      const definition = moduleExport(join(folder, 'late.mjs'), 'f')
      await failure(definition)
      await writeFile(join(folder, 'late.mjs'), 'export const f = () => 1')
      // Node itself remembers a module that was missing, so what is asked anew is a module with another query.
      const later = moduleExport(`${definition.source.kind === 'module' ? definition.source.url : ''}?2`, 'f')
      expect((await loadFunction(later))()).to.equal(1)
      await failure(definition).catch(() => undefined)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('loadFunction in a worker process', () => {
  let child: ChildProcess
  let folder: string
  let stderr = ''

  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'outpool-load-')))
    await mkdir(join(folder, 'node_modules', 'only-here'), { recursive: true })
    await writeFile(
      join(folder, 'node_modules', 'only-here', 'package.json'),
      '{ "type": "module", "exports": "./i.js" }',
    )
    await writeFile(join(folder, 'node_modules', 'only-here', 'i.js'), 'export const where = "in the job folder"')
    child = fork(fileURLToPath(new URL('./fixtures/load-child.ts', import.meta.url)), {
      cwd: folder,
      execArgv: ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  })
  after(async () => {
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
    await rm(folder, { recursive: true })
  })

  interface Answer {
    value?: unknown
    error?: { name: string; message: string; stack: string; cause: string }
  }
  async function run(definition: FunctionDefinition, ...args: unknown[]): Promise<Answer> {
    const answer = once(child, 'message')
    child.send({ bytes: definition.bytes, args })
    return ((await answer) as [Answer])[0]
  }

  it('runs a shipped function', async () => {
    expect(await run(defineFunction(fn('(a, b) => a + b')), 1, 2)).to.eql({ value: 3 })
    expect((await run(defineFunction(fn('() => process.pid')))).value).to.equal(child.pid)
  })

  it('runs a function of this compiled file', async () => {
    const target = async (n: number): Promise<number[]> => {
      const twice = (x: number): number => x * 2
      const { availableParallelism } = await import('node:os')
      return [twice(n), Math.sign(availableParallelism())]
    }
    expect(await run(defineFunction(target), 4)).to.eql({ value: [8, 1] })
  })

  it('runs an export of a module', async () => {
    expect(await run(moduleExport(fixture('tasks.mjs'), 'add'), 2)).to.eql({ value: 42 })
  })

  it('imports built-in modules, and packages from the working folder, without a warning', async () => {
    const target = fn(
      'async (name) => { const m = await import(name); return Object.keys(m).includes("where") && m.where }',
    )
    expect(await run(defineFunction(target), 'only-here')).to.eql({ value: 'in the job folder' })
    expect(await run(defineFunction(fn('async () => (await import("node:path")).sep')))).to.eql({ value: '/' })
    expect((await run(defineFunction(target), 'not-there')).error?.message).to.include(
      "Cannot find package 'not-there'",
    )
    expect(stderr).to.equal('')
  })

  it('has every standard global of the list', async () => {
    const { standardGlobals } = await import('../../../runtime/code/standard-globals.ts')
    const missing = defineFunction(fn('(names) => names.filter((name) => !(name in globalThis))'))
    expect(await run(missing, [...standardGlobals()])).to.eql({ value: [] })
  })

  it('answers with the error, and its own lines in the stack', async () => {
    const { error } = await run(defineFunction(fn('function f() {\n\n  throw new TypeError("x")\n}')))
    expect(error).to.include({ name: 'TypeError', message: 'x' })
    expect(error?.stack).to.match(/at f \(outpool:fn\/f@\w+\+\d+:3:9\)/)
  })

  it('answers with the failure to load, and its cause', async () => {
    const { error } = await run(moduleExport(fixture('broken.mjs'), 'add'))
    expect(error).to.include({ name: 'RuntimeEnvSetupError', cause: 'Error: broken on purpose' })
  })
})
