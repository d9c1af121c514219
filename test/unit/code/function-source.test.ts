import { execFile } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { basename } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { format, promisify } from 'node:util'
import vm from 'node:vm'
import { expect } from 'chai'
import fc from 'fast-check'
import { FunctionCaptureError, ProtocolError } from '../../../runtime/base/errors.ts'
import { createDefinition } from '../../../runtime/code/definition.ts'
import {
  decodeDefinition,
  defineFunction,
  describeFunction,
  markFunction,
  moduleExport,
} from '../../../runtime/code/function-source.ts'

const require = createRequire(import.meta.url)
const fixture = (name: string): string => new URL(`./fixtures/${name}`, import.meta.url).href

type Fn = (...args: unknown[]) => unknown

/** A function with exactly this text, in the scope of globals alone. */
function fn(text: string): Fn {
  return vm.runInThisContext(`(${text}\n)`) as Fn
}
/** The only property of an object literal, where the text is a method or accessor. */
function member(text: string): Fn {
  const object = vm.runInThisContext(`({${text}
})`) as object
  const [key = ''] = Reflect.ownKeys(object)
  const property: PropertyDescriptor = Object.getOwnPropertyDescriptor(object, key) ?? {}
  return Object.values(property).find((value) => typeof value === 'function') as Fn
}

function staticMember(text: string, name: string): Fn {
  return (fn(text) as unknown as Record<string, Fn>)[name] as Fn
}

function refusal(target: unknown): string {
  try {
    defineFunction(target as Function)
  } catch (error) {
    expect(error).to.be.instanceOf(FunctionCaptureError)
    return (error as Error).message
  }
  throw new Error(`it was not refused: ${String(target)}`)
}

describe('defineFunction', () => {
  const shipped: readonly string[] = [
    '(a, b) => a + b',
    'async (a) => { await null; return a }',
    'function add(a, b) { return a + b }',
    'function* count() { yield 1 }',
    'async function* count() { yield this }',
    'function f() { return [f, this, new.target, arguments] }',
    '() => [console, process, Buffer, URL, fetch, structuredClone, performance, queueMicrotask, crypto, globalThis]',
    '() => (0, eval)("1") + new Function("return 1")()',
    '() => import("node:fs")',
    '(path) => import(path)',
    '() => typeof somewhere',
    '() => class { #p = 1; get() { return super.toString() + this.#p } }',
    '() => { const require = 1, exports = 2; return require + exports }',
    '() => { const f = __name(() => 1, "f"); return f }',
  ]
  for (const text of shipped) {
    it(`ships as it is written: ${text}`, () => {
      const { source } = defineFunction(fn(text))
      expect(source).to.include({ kind: 'source', text })
    })
  }

  for (const text of [
    'm() { return 1 }',
    'async m() {}',
    '*m() {}',
    'async *m() {}',
    'async() {}',
    'get() {}',
    '"a b"() {}',
  ]) {
    it(`ships a method as it is written: ${text}`, () => {
      expect(defineFunction(member(text)).source).to.include({ kind: 'source', text })
    })
  }

  it('replaces a key that means nothing elsewhere, keeping the lines', () => {
    const { source, name } = defineFunction(member('async *[\nSymbol.iterator]\n(a) { return a }'))
    expect(source).to.include({ kind: 'source', text: 'async *m\n\n(a) { return a }' })
    expect(name).to.equal('[Symbol.iterator]')
    const secret = vm.runInThisContext(
      'new (class { #secret() { return 1 } show() { return this.#secret } })().show()',
    ) as Function
    expect(defineFunction(secret).source).to.include({ kind: 'source', text: 'm() { return 1 }', name: '#secret' })
  })

  const reading: readonly (readonly [string, boolean])[] = [
    ['function f() { return f.n }', true],
    ['async function* f() { yield f?.n }', true],
    ['function f$(n) { return n > 0 ? f$(n - 1) : f$ [n] }', true],
    ['function f() { return new f.Of() }', true],
    ['function F() { return new F().m() }', true],
    ['function f() { const { n } = f; return n }', true],
    ['function f(n) { return n > 0 ? f(n - 1) : f.name + f.length }', false],
    ['function f(o) { return o.f + o.ff + ff$(1); function ff$() {} }', false],
    ['function f() { return this.n }', false],
    ['function f(x) { f.seen ??= new Map(); return f.seen.get(x) ?? f.seen.set(x, x).size }', false],
    ['function f() { return ++f.n }', false],
  ]
  for (const [text, isReading] of reading) {
    it(`ships ${isReading ? 'with' : 'without'} what was set on it: ${text}`, () => {
      expect(defineFunction(fn(text)).source).to.include({ kind: 'source' })
      const more = Object.assign(fn(text), { n: 1 })
      expect(defineFunction(more).source).to.include({ kind: isReading ? 'closure' : 'source' })
    })
  }

  const uses = (what: string): string => `it uses ${what}`
  const refused: readonly (readonly [string, () => unknown, string, string])[] = [
    ['a class', () => fn('class A {}'), 'it is a class', 'makes the instance'],
    ['an anonymous class with a private method', () => fn('class { #m() {} }'), 'it is a class', 'makes the instance'],
    ['a getter', () => member('get a() { return 1 }'), 'it is a getter', 'reads the property'],
    ['a setter', () => member('set a(v) {}'), 'it is a getter or setter', 'reads the property'],
    ['a native function', () => Math.max, 'it is a native function', 'Wrap it'],
    ['a proxy', () => new Proxy(() => 1, {}), 'it is a native function or a proxy', 'Wrap it'],
    ['a bound function', () => fn('function f() {}').bind(1), 'it is a bound function', 'as arguments'],
    ['no function', () => 5, 'it is no function but number', 'Pass a function'],
    ['null', () => null, 'it is no function but null', 'Pass a function'],
    ['this of an arrow', () => fn('() => this.x'), uses("'this' of the code around"), 'as an argument'],
    ['this in an arrow in an arrow', () => fn('() => () => { this }'), uses("'this'"), 'as an argument'],
    [
      'new.target of an arrow',
      () => fn('function () { return () => new.target }')(),
      uses("'new.target'"),
      'as an argument',
    ],
    [
      'arguments of an arrow',
      () => fn('function () { return () => arguments[0] }')(),
      uses("'arguments'"),
      '(...args)',
    ],
    ['super', () => member('m() { return super.toString() }'), uses("'super'"), 'the object as an argument'],
    ['super in an arrow in a method', () => member('m() { return () => super.x }'), uses("'super'"), 'Pass the object'],
    [
      'a private name',
      () => staticMember('class { #s; static m() { return this.#s } }', 'm'),
      uses("the private name '#s'"),
      'public method',
    ],
    [
      'a private brand check',
      () => staticMember('class { #s; static m(o) { return #s in o } }', 'm'),
      "'#s'",
      'public method',
    ],
    ['direct eval', () => fn('(t) => eval(t)'), uses("a direct 'eval'"), '(0, eval)(text)'],
    ['with', () => fn('function (o) { with (o) { a } }'), "a 'with' statement", 'object.property'],
    ['a relative import', () => fn('() => import("./helper.js")'), "import('./helper.js')", 'a package by its name'],
    [
      'a relative import in a template',
      () => fn('() => import(`../helper.js`)'),
      "import('../helper.js')",
      'import.meta.url',
    ],
    ['require', () => fn('() => {\n require("fs") }'), uses("'require' (line 2)"), "await import('node:fs')"],
    [
      'require, where it cannot await',
      () => fn('() => require("fs")'),
      "'require'",
      "process.getBuiltinModule('node:fs')",
    ],
    ['module', () => fn('() => { module.exports = 1 }'), uses("'module' (line 1)"), 'Return a value'],
    ['exports', () => fn('() => { exports.a = 1 }'), uses("'exports' (line 1)"), 'Return a value'],
    ['__dirname', () => fn('() => __dirname'), uses("'__dirname' (line 1)"), 'Pass the path'],
    ['__filename', () => fn('() => __filename'), uses("'__filename' (line 1)"), 'Pass the path'],
    [
      'a coverage counter',
      () => fn('() => { cov_1a2b3c().s[0]++; return 1 }'),
      "instrumented for coverage: 'cov_1a2b3c'",
      'c8',
    ],
    [
      'a mutation tester',
      () => fn('() => stryMutAct_9fa48("1") ? 1 : 2'),
      'instrumented for coverage',
      'Exclude its file',
    ],
    ["a compiler's helper", () => fn('() => __awaiter(this_)'), "'__awaiter' (line 1), a helper", 'newer target'],
    [
      'a global of the test runner',
      () => fn('() => describe("x")'),
      uses("'describe' (line 1), which is not defined"),
      'Pass it',
    ],
  ]
  for (const [what, make, reason, remedy] of refused) {
    it(`refuses ${what}, with the reason and a remedy`, () => {
      const message = refusal(make())
      expect(message).to.match(/^remote\([^)]+\): it /)
      expect(message).to.include(reason).and.to.include(remedy)
    })
  }

  it('refuses a free variable by its name and line, and says what to do', () => {
    expect(refusal(fn('function handler(id) {\n  const key = String(id)\n  return db.get(key)\n}'))).to.equal(
      "remote(handler): it uses 'db' (line 3), which is not defined inside it. Pass it as an argument, " +
        'define it inside the function, or export the function from a module and use ' +
        "remote(new URL('./tasks.js', import.meta.url), 'handler').",
    )
  })

  it('names all free variables, and every other reason, in one message', () => {
    expect(refusal(fn('() => {\n  a()\n  b(this)\n  return c\n}'))).to.match(
      /^remote\(anonymous function\): it uses 'a' \(line 2\), 'b' \(line 3\) and 'c' \(line 4\), which are not defined inside it\. Pass them as arguments, define them .* It uses 'this' .*$/,
    )
  })

  it('lets what a function captures go along with each call: a variable of its own name too', () => {
    const fact = fn('() => { const fact = (n) => fact; return fact }')() as Function
    expect(defineFunction(fact).source).to.include({ kind: 'closure', name: 'fact' })
  })

  it('begins the message with the call that was made', () => {
    expect(() => defineFunction(fn('() => db'), { caller: 'pool.exec' })).to.throw(
      /^pool\.exec\(anonymous function\): /,
    )
  })

  it('carries the reasons as details', () => {
    try {
      defineFunction(fn('() => db'))
      expect.fail('not refused')
    } catch (error) {
      expect((error as FunctionCaptureError).details.reasons).to.have.length(1)
    }
  })

  it('tells a global from a variable or import of the same name around the function', async () => {
    const shadows = (await import(fixture('shadows.mjs'))) as Record<string, Function>
    for (const name of ['usesImportedTimer', 'usesImportedCrypto', 'usesConstant', 'asksTypeof'])
      expect(defineFunction(shadows[name] as Function).source.kind, name).to.equal('closure')
    expect(defineFunction(shadows.usesGlobals as Function).source.kind).to.equal('source')
    expect(Object.getOwnPropertySymbols(globalThis).map(String)).not.to.include('Symbol(outpool.scopes.probe)')
  })

  it('gives the same definition for the same function, and for the same text and name', () => {
    const one = fn('(a) => a + 1')
    expect(defineFunction(one)).to.equal(defineFunction(one))
    expect(defineFunction(fn('(a) => a + 1'))).to.equal(defineFunction(one))
    expect(defineFunction(fn('(a) => a + 2')).id).not.to.equal(defineFunction(one).id)
    expect(defineFunction(fn('function f() {}')).id).to.match(/^[0-9a-f]{32}$/)
  })

  it('is refused again when asked again', () => {
    const f = fn('() => db')
    expect(refusal(f)).to.equal(refusal(f))
  })

  it('takes the module form of a marked function, whatever its text', () => {
    const marked = fn('() => db')
    const definition = moduleExport(fixture('tasks.mjs'), 'add')
    markFunction(marked, definition)
    expect(defineFunction(marked)).to.equal(definition)
  })

  it('finds what cannot be shipped otherwise among the exports of loaded CommonJS modules', () => {
    const { sub, bound } = require('./fixtures/tasks.cjs') as Record<string, Function>
    const { mul } = require('./fixtures/compiled.cjs') as Record<string, Function>
    const url = fixture('tasks.cjs')
    expect(defineFunction(sub as Function).source.kind).to.equal('closure')
    expect(defineFunction(bound as Function).source).to.eql({ kind: 'module', url, exportName: 'default.bound' })
    expect(defineFunction(mul as Function).source.kind).to.equal('closure')
  })

  it('ships an export of the main module with what it captures', async () => {
    const tsx = pathToFileURL(require.resolve('tsx')).href
    const main = fileURLToPath(fixture('main.cjs'))
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', tsx, main])
    const [own, sub] = JSON.parse(stdout) as { ships: boolean; how?: string; reasons: string[] }[]
    expect(own).to.include({ ships: true, how: 'captures' })
    expect(sub).to.include({ ships: true, how: 'captures' })
  })

  it('refuses a class, exported or not', () => {
    const { Tool } = require('./fixtures/tasks.cjs') as Record<string, Function>
    expect(refusal(Tool)).to.include('it is a class')
  })
})

describe('describeFunction', () => {
  it('says how a function ships and why', () => {
    const { sub } = require('./fixtures/tasks.cjs') as Record<string, Function>
    expect(describeFunction(fn('() => 1'))).to.eql({
      ships: true,
      how: 'source',
      reasons: ['it needs nothing from outside itself'],
    })
    expect(describeFunction(sub as Function)).to.deep.include({ ships: true, how: 'captures' })
  })

  it('gives every reason against it, and throws nothing', () => {
    const description = describeFunction(fn('() => [db, this]'))
    expect(description).to.include({ ships: false, how: undefined })
    expect(description.reasons).to.have.length(2)
    expect(description.reasons[0]).to.match(/^it uses 'db'/)
    expect(describeFunction(null as unknown as Function).ships).to.equal(false)
  })
})

describe("functions of Node's", () => {
  it('are exports of it, also those that have nothing but a text of their own and what is put on them', () => {
    const exports = [basename, format, EventEmitter, fileURLToPath].map(
      (each) => defineFunction(each as unknown as Function).source,
    )
    expect(exports.map((source) => (source.kind === 'module' ? source.url : source.kind))).to.eql([
      'node:path',
      'node:util',
      'node:events',
      'node:url',
    ])
  })

  it('are told from a proxy, which is not looked into', () => {
    const proxy = new Proxy(basename, { ownKeys: () => expect.fail('looked into') })
    expect(describeFunction(proxy).ships).to.equal(false)
  })
})

describe('moduleExport', () => {
  it('takes URLs, absolute paths and node: modules', () => {
    const url = fixture('tasks.mjs')
    const source = { kind: 'module', url, exportName: 'add' }
    expect(moduleExport(url, 'add').source).to.eql(source)
    expect(moduleExport(new URL(url), 'add').source).to.eql(source)
    expect(moduleExport(new URL(url).pathname, 'add').source).to.eql(source)
    expect(moduleExport('node:path', 'basename').source).to.include({ url: 'node:path' })
    expect(moduleExport(url, 'add').id).to.equal(moduleExport(new URL(url), 'add').id)
  })

  it('is named after the export, or the file where that is the default', () => {
    expect(moduleExport(fixture('tasks.mjs'), 'service.times').name).to.equal('times')
    expect(moduleExport(fixture('tasks.mjs'), 'default').name).to.equal('tasks')
    expect(moduleExport(`${fixture('tasks.mjs')}?v=1.2`, 'default').name).to.equal('tasks')
  })

  for (const url of ['./tasks.js', 'https://example.org/tasks.js', 'lodash', 'data:text/javascript,1', '']) {
    it(`refuses what does not exist on every node: ${url}`, () => {
      expect(() => moduleExport(url, 'f')).to.throw(FunctionCaptureError, 'Use a file: URL')
    })
  }

  for (const name of ['', '.', 'a.', '.a', 'a..b']) {
    it(`refuses an empty name of an export: '${name}'`, () => {
      expect(() => moduleExport(fixture('tasks.mjs'), name)).to.throw(FunctionCaptureError, 'no name of an export')
    })
  }
})

describe('decodeDefinition', () => {
  it('gives back what was defined, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (text, name) => {
        const definition = createDefinition({ kind: 'source', text: `${text}\ud800`, name })
        const decoded = decodeDefinition(definition.bytes)
        expect(decoded).to.eql(definition)
      }),
    )
    const exported = moduleExport('file:///a%20b.js', 'x.y')
    expect(decodeDefinition(exported.bytes)).to.eql(exported)
  })

  it('keeps no hold on the bytes that it was given', () => {
    const definition = createDefinition({ kind: 'source', text: '() => 1', name: 'f' })
    const given = Buffer.from(definition.bytes)
    const decoded = decodeDefinition(given)
    given.fill(0)
    expect(decoded).to.eql(definition)
  })

  it('refuses content that is not what its id says, whichever byte was changed', () => {
    const { bytes } = createDefinition({ kind: 'source', text: '() => 1', name: 'f' })
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(() => decodeDefinition(changed)).to.throw(ProtocolError, 'another id')
    }
    expect(() => decodeDefinition(bytes.subarray(0, -1))).to.throw(ProtocolError)
    expect(() => decodeDefinition(bytes.subarray(0, 16))).to.throw(ProtocolError)
    expect(() => decodeDefinition(new Uint8Array())).to.throw(ProtocolError)
  })

  it('refuses a source of a kind or shape that it does not know', () => {
    const contents = [
      '["bundle","a","b"]',
      '["source",1,"b"]',
      '["source","() => 1"]',
      '["module","https://example.org/a.js","b"]',
      '["module","file:///a.js",""]',
      '{"kind":"source"}',
      'null',
      '["source"',
    ]
    for (const content of contents) {
      const id = createHash('sha256').update(content).digest().subarray(0, 16)
      const bytes = Buffer.concat([id, Buffer.from(content)])
      expect(() => decodeDefinition(bytes), content).to.throw(
        ProtocolError,
        'no function source that this version knows',
      )
    }
  })
})
