import { AsyncLocalStorage } from 'node:async_hooks'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import vm from 'node:vm'
import { expect } from 'chai'
import lodash from 'lodash'
import type { FunctionVerdict } from '../../../runtime/code/analysis/reasons.ts'
import { analyse } from '../../../runtime/code/analysis/verdict.ts'
import { functions } from './fixtures/computing.mjs'

/** What stands around the functions of the rows; nothing in this text changes any of it. */
const around = `
  const factor = 3
  const config = { rate: 2, nested: { list: [1, 2, 3], objects: [{ a: 1 }] } }
  const cache = new Map([['a', 1]])
  const list = [1, 2, 3]
  function square(x) { return x * x }
  function factorial(n) { return n < 2 ? 1 : n * factorial(n - 1) }
  const even = (n) => n === 0 || odd(n - 1)
  const odd = (n) => n !== 0 && even(n - 1)
  function spoil(o) { o.x = 1 }
  function spoilIn({ c }) { c.x = 1 }
  function pass(o) { return o }
  class Model {
    constructor() { this.w = [1, 2]; this.calls = 0 }
    predict(x) { return this.w.reduce((a, b) => a + b * x, 0) }
    count(x) { this.calls++; return x }
  }
  const model = new Model()
  const bytes = new Uint8Array(8)
  const buffer = Buffer.alloc(8)
  const pattern = /a/g
  const sticky = /a/y
  const counted = { n: 0, toString() { return String(++this.n) } }
  const walked = { n: 0, [Symbol.iterator]() { return this }, next() { return { done: this.n++ > 2 } } }
  const money = { cents: 5, toJSON() { return this.cents }, valueOf() { return this.cents } }
  class Group { constructor() { this.items = [1] } [Symbol.iterator]() { return this.items[Symbol.iterator]() } }
  const group = new Group()
  class Counting { constructor(c) { c.rate++ } }
  class Keeper { constructor(c) { this.c = c } change() { this.c.rate = 2 } }
  class Numbered { static n = 0; constructor() { new.target.n++ } }
  class Told { static n = 0; constructor() { this.constructor.n++ } }
  class Stack {
    constructor(c) { this.c = c; this.items = [] }
    push(x) { this.items.push(x * this.c.rate) }
    size() { return this.items.length }
  }
  class Point {
    constructor(x, y) { this.x = x; this.y = y }
    norm() { return Math.hypot(this.x, this.y) }
  }
`

/** Each text stands in a scope of its own, so that no row changes what another one reads. */
function verdictOf(text: string, more = ''): FunctionVerdict {
  const make = vm.runInThisContext(`(function (als, readFileSync, path) {\n${around}\n${more}\nreturn ${text}\n})`) as (
    ...given: unknown[]
  ) => Function
  return analyse(make(new AsyncLocalStorage(), readFileSync, path))
}

const rows: Readonly<Record<'ship' | 'maybe' | 'keep', Readonly<Record<string, string>>>> = {
  ship: {
    'a constant': '(x) => x * factor',
    'a property': '(x) => x * config.rate',
    'an array, mapped': '() => list.map((v) => v * factor).filter(Boolean)',
    'elements of nested data': '() => { let s = 0; for (const o of config.nested.objects) s += o.a; return s }',
    'helpers, recursive and mutual': '(x) => square(x) + factorial(x) + (even(x) ? 1 : 0)',
    'a method of an instance': '(x) => model.predict(x)',
    'changes of what it made':
      '(n) => { const out = []; for (let i = 0; i < n; i++) out.push(i * factor); return out.sort() }',
    'changes of its arguments, which are copies': '(xs) => { xs.push(1); return xs }',
    'an instance of a captured class': '(a) => new Point(a, factor).norm()',
    'a module of Node that computes': "(a) => path.join(a, 'b')",
    'a number out of an object': '() => config.rate',
    'a copy by spread': '() => ({ ...config.nested.list })',
    'a sorted copy': '() => [...list].sort()',
    'changes of a deep copy': '() => { const own = structuredClone(config); own.nested.list.push(1); return own }',
    'a helper as callback': '() => list.map(square)',
    'an async function': 'async (x) => { await Promise.resolve(); return x * factor }',
    'a promise of its own': '(x) => new Promise((done) => done(x * factor))',
    'a generator': 'function* (x) { yield x * factor }',
    'a value of a Map': '(k) => cache.get(k) ?? 0',
    'a text of data': '() => JSON.stringify(config)',
    'its own variables in a closure': '() => { let n = 0; const up = () => { n += 1 }; up(); return n }',
    'a helper that returns its argument': '(x) => pass(x)',
    'what is set on something new that holds a capture':
      '() => Object.keys(Object.assign({ list }, { n: Object.freeze([model]).length })).length',
    'recursion with a callback': 'function walk(x, f) { return x < 1 ? typeof f : walk(x - 1, (y) => y) }',
    'an instance that is given something and keeps more of its own':
      '() => { const s = new Stack(config); s.push(1); return s.size() }',
    'the number of its arguments': 'function (x) { return arguments.length }',
    'a copy of numbers': '() => { const copy = new Uint8Array(bytes); copy[0] = 1; return copy.length }',
    'a pattern, to its end':
      '(text) => { let n = 0, found; while ((found = pattern.exec(text)) !== null) n += found.index; return n }',
    'a pattern that is replaced with': "(text) => text.replace(pattern, 'b')",
    'methods that no text names, and that only read': '() => [`${money}`, JSON.stringify(money), [...group]].length',
  },
  maybe: {
    'a callback that changes elements': '() => { config.nested.objects.forEach((o) => { o.a = 3 }) }',
    'an instance that counts': '(x) => model.count(x)',
    'what it hands out': '() => config',
    'what it hands out, inside': '() => ({ c: config.nested })',
    'what a helper hands out': '() => pass(config)',
    files: '(p) => readFileSync(p)',
    'its process': '() => process.pid',
    'the network': "() => fetch('http://x')",
    timers: '() => new Promise((r) => setTimeout(r, 10))',
    'a promise that nothing settles': 'async () => { await new Promise(() => {}) }',
    'a listener of its signal': "({ signal }) => new Promise((_, no) => signal.addEventListener('abort', no))",
    printing: "() => console.log('x')",
    'an import': "() => import('node:fs')",
    'an argument that is called': '(f) => f(1)',
    'one of two': '(b) => { const t = b ? config : { rate: 1 }; t.rate = 4 }',
    'something inside something new': '() => { [config][0].rate = 5 }',
    'globals of its process': '() => { globalThis.x = 1 }',
    'something inside something new, by the values of it': '() => { Object.values({ config })[0].rate = 5 }',
    'something inside something new, after a spread':
      '() => { const all = { ...{ config } }; Object.values(all)[0].n = 1 }',
    'something inside what is awaited': 'async () => { const [c] = await Promise.all([config]); c.rate = 5 }',
    'something inside what a helper is given': '() => { const set = ({ c }) => { c.rate = 5 }; set({ c: config }) }',
    'something inside what another helper is given': '() => { spoilIn({ c: config }) }',
    'memory under another view': '() => { new DataView(bytes.buffer).setInt8(0, 1) }',
    'memory under another array': '() => { const same = new Uint8Array(bytes.buffer); same[0] = 1 }',
    'memory under a slice': '() => { buffer.slice(0, 2)[0] = 1 }',
    'what an instance is given': '() => { new Keeper(config).change() }',
    'what an instance is given, of a class inside':
      '() => { class Inner { constructor(c) { this.c = c } go() { this.c.rate = 1 } } new Inner(config).go() }',
    'what a class counts, by its instances': '() => { new Told() }',
    'a Buffer that is copied to': "() => { Buffer.from('a').copy(buffer) }",
    'a property of itself': 'function count() { count.n = (count.n ?? 0) + 1; return count.n }',
    'a pattern that goes on': '(text) => pattern.exec(text)?.index',
    'a pattern that goes on, too': '(text) => pattern.test(text)',
    'a pattern, not to its end':
      '(text) => { let found; while ((found = pattern.exec(text))) if (found.index > 3) return found.index }',
    'a sticky pattern': "(text) => String(text).replace(sticky, 'b')",
    'a method that a template calls': '() => `${counted}`',
    'methods that a loop calls': '() => { let n = 0; for (const x of walked) n += x; return n }',
  },
  keep: {
    'a Buffer': '() => { buffer.writeUInt8(1, 0) }',
    'what a constructor is given': '() => { new Counting(config) }',
    'what a class counts, by new.target': '() => { new Numbered() }',
    'random bytes': '() => { crypto.getRandomValues(bytes) }',
    'an assignment': '() => { factor = 2 }',
    'a property': '() => { config.rate = 3 }',
    'a method': '() => { list.push(4) }',
    'a Map': '(k) => { cache.set(k, 1) }',
    'an alias': '() => { const c = config.nested; c.list = [] }',
    'an alias by destructuring': '() => { const { list: l } = config.nested; l.push(3) }',
    'elements in a loop': '() => { for (const o of config.nested.objects) o.a++ }',
    'a helper that changes it': '() => spoil(config)',
    'a deletion': '() => { delete config.rate }',
    'Object.assign': '() => { Object.assign(config, { a: 1 }) }',
    'sorting in place': '() => list.sort()',
    'a closure': '() => { const f = () => { list.length = 0 }; f() }',
    destructuring: '() => { [config.rate] = [5] }',
    AsyncLocalStorage: '() => als.getStore()',
    defineProperty: "() => { Object.defineProperty(list, 'x', { value: 1 }) }",
  },
}

describe('analyse', () => {
  for (const [verdict, texts] of Object.entries(rows)) {
    for (const [what, text] of Object.entries(texts)) {
      it(`says ${verdict} of ${what}: ${text}`, () => {
        const found = verdictOf(text)
        expect(found.verdict, JSON.stringify(found.reasons)).to.equal(verdict)
        if (verdict !== 'ship') expect(found.reasons[0]?.line).to.equal(1)
      })
    }
  }

  it('names line and variable of each reason', () => {
    const { reasons } = verdictOf('() => {\n  const c = config\n  c.rate = 3\n  list.push(1)\n}')
    expect(reasons.map(({ line, variable, kind }) => [line, variable, kind])).deep.equal([
      [3, 'config', 'change'],
      [4, 'list', 'change'],
    ])
    expect(reasons[0]?.message).to.equal("it assigns .rate of 'config' (line 3), which would only change in the worker")
  })

  it('names the helper that does it', () => {
    const [reason] = verdictOf('() => spoil(config)').reasons
    expect(reason).to.include({ within: 'spoil', verdict: 'keep' })
  })

  it('tells of what other code of the file changes, with its line', () => {
    const found = verdictOf('() => total', 'let total = 0\nconst add = () => { total += 1 }')
    expect(found.verdict).to.equal('maybe')
    expect(found.reasons[0]).to.include({ kind: 'changing', variable: 'total' })
    expect(verdictOf('() => total', 'let total = 0\ntotal = 5').verdict, 'made in two steps').to.equal('ship')
  })

  it('counts the arguments of a call, where its caller goes on using them', () => {
    const spoil = (item: { n: number }): void => {
      item.n = 1
    }
    expect(analyse(spoil).verdict).to.equal('ship')
    expect(analyse(spoil, { args: [{ n: 0 }] }).verdict).to.equal('keep')
    expect(analyse((x: unknown) => x, { args: [{ n: 0 }] }).verdict).to.equal('maybe')
    expect(analyse((x: unknown) => x, { args: ['text'] }).verdict).to.equal('ship')
    const by = function (): void {
      ;(arguments[0] as { n: number }).n = 1
    }
    expect(analyse(by, { args: [{ n: 0 }] }).verdict, 'arguments').to.equal('maybe')
    const sums = (row: Record<string, number>): unknown => ({
      ...row,
      sum: Object.values(row).reduce((a, b) => a + b, 0),
    })
    expect(analyse(sums, { args: [{ a: 1, b: 2 }] }).verdict, 'numbers of an argument').to.equal('ship')
    const second = (...all: { n: number }[]): void => {
      ;(all[1] as { n: number }).n = 1
    }
    expect(analyse(second, { args: [1, { n: 0 }] }).verdict, 'the rest').to.equal('maybe')
    const text = { n: 0, toString: (): string => `${++text.n}` }
    expect(analyse((x: unknown) => `${x as string}`, { args: [text] }).verdict, 'toString').to.equal('keep')
  })

  it('does not look into what packages do, nor into what their functions give', () => {
    interface Chain {
      map(fn: unknown): Chain
      value(): unknown
    }
    const { chain } = lodash as unknown as { chain: (list: unknown) => Chain }
    const found = analyse(() => chain([1, 2]).map(String).value())
    expect(found.verdict).to.equal('maybe')
    expect(found.reasons.map(({ message }) => message)).to.include('it calls chain of lodash, which is not looked into')
  })

  it('gives up on a text that is too large to be followed, its own or that of a helper', () => {
    const file = createRequire(import.meta.url).resolve('lodash/lodash.js')
    const text = readFileSync(file, 'utf8')
    const body = text.slice(text.indexOf('var undefined;'), text.lastIndexOf('}.call(this))'))
    const large = vm.runInThisContext(`(function () {${body}})`) as () => void
    expect(analyse(large)).to.deep.equal({
      verdict: 'maybe',
      reasons: [{ kind: 'unknown', verdict: 'maybe', message: 'it is too large to be looked into', line: 1 }],
    })
    const [reason] = analyse(() => large()).reasons
    expect(reason?.message).to.equal('it calls large, which is too large to be looked into')
  })

  for (const [name, [fn, args]] of Object.entries(functions))
    it(`says ship of what only computes, as exactly as shims want it: ${name}`, () => {
      const found = analyse(fn, { args, isExact: true })
      expect(found.verdict, JSON.stringify(found.reasons)).to.equal('ship')
      expect(analyse(fn).verdict).to.equal('ship')
    })

  it('follows chains of calls once each: of 300 the last is there as soon as of three', () => {
    const start = { put: (): unknown => start }
    for (const [link, around] of [
      ['.put(1)', start],
      ['.map((v) => v + 1)', [1]],
      ['.filter(Boolean)', [1]],
    ] as const) {
      // oxlint-disable-next-line typescript/no-implied-eval -- a text that is too long to be written
      const make = new Function('start', `return () => { const last = start${link.repeat(300)}; return 1 }`)
      const { reasons } = analyse((make as (around: unknown) => Function)(around))
      expect(JSON.stringify(reasons)).not.to.include('too large')
    }
  })

  it('has limits to what it looks over, and says so', () => {
    const large = Array.from({ length: 30_000 }, (_, id) => ({ id }))
    const count = (): number => large.length
    expect(analyse(count).verdict).to.equal('ship')
    const { verdict, reasons } = analyse(count, { isExact: true })
    expect(verdict).to.equal('maybe')
    expect(reasons[0]?.message).to.include('there is more to be reached from it than is looked over')
    const numbers = new Array<number>(1_000_000).fill(1)
    expect(analyse(() => numbers.length, { isExact: true }).verdict).to.equal('ship')
  })

  it('looks into nothing by running it', () => {
    let ran = 0
    const trap = Object.defineProperty({}, 'value', { get: () => ran++ })
    analyse(() => (trap as { value: { x: number } }).value.x)
    expect(ran).to.equal(0)
  })
})
