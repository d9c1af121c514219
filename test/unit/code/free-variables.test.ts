import vm from 'node:vm'
import { expect } from 'chai'
import fc from 'fast-check'
import { capturedNames } from '../../../runtime/code/captures/scopes.ts'
import { analyseFunction, freeVariables } from '../../../runtime/code/free-variables.ts'

/** Each row: what the text shows, the text, and the names that are free in it, `=` where written, `?` where only typeof. */
type Row = readonly [string, string, string]

const rows: Readonly<Record<string, readonly Row[]>> = {
  variables: [
    ['var hoists out of blocks', 'function () { x = 1; if (y) { var x } }', 'y'],
    ['var hoists out of loops and try', '() => { for (;;) { try { var x } finally { x } } }', ''],
    ['var of an inner function stays there', '() => { (() => { var x })(); return x }', 'x'],
    ['let stays in its block', '() => { { let x = 1; x } return x }', 'x'],
    ['let shadows in its whole block', '() => { { x; let x = 1 } }', ''],
    ['const in a for head', '() => { for (const x of xs) x; x }', 'xs x'],
    ['let in a for head', '() => { for (let i = 0, n = m; i < n; i++) i; return i }', 'm i'],
    ['the iterated expression sees the loop variable (in its TDZ)', '() => { for (const x of x) x }', ''],
    ['a bare target of for-of is written', '() => { for (x of []) ; }', 'x='],
    ['a function declaration hoists', '() => { f(); function f() {} }', ''],
    ['a function in a block stays there, as in strict code', '() => { { function f() {} } f() }', 'f'],
    ['a class declaration is a block name', '() => { { class A {} new A() } new A() }', 'A'],
    ['all cases of a switch are one block', '(v) => { switch (v) { case 1: let x; break; default: x } x }', 'x'],
    ['the discriminant of a switch is outside it', '() => { switch (x) { case 1: let x } }', 'x'],
  ],
  functions: [
    ['parameters', '(a, b) => a + b + c', 'c'],
    ['the own name of a function expression', 'function f(n) { return n ? f(n - 1) : g }', 'g'],
    ['the name of a variable that holds an arrow is not its own', '(n) => fact(n)', 'fact'],
    ["an inner function expression's name is not outside it", '() => { (function f() { f })(); f }', 'f'],
    ['arguments of a function', 'function () { return arguments.length }', ''],
    ['a default sees earlier parameters', '(a, b = a) => b', ''],
    ['a default does not see variables of the body', '(a = x) => { var x = 1; return a + x }', 'x'],
    ['a closure in a default does not see the body either', '(a = () => x) => { let x = 1; return a() + x }', 'x'],
    ['rest parameters', '(...rest) => rest', ''],
    ['closures see the outer function', '(a) => () => () => a + z', 'z'],
    ['an async generator', 'async function* g() { for await (const x of y) yield x }', 'y'],
    ['a method', 'm(a) { return a + b }', 'b'],
    ['a method does not see its own name', 'm() { return m() }', 'm'],
    ["a computed method's key is not part of it", '[key](a) { return a + b }', 'b'],
  ],
  patterns: [
    ['object patterns', '({ a, b: { c }, ...d }) => [a, b, c, d]', 'b'],
    ['array patterns', '([a, , [b = e], ...c]) => [a, b, c]', 'e'],
    ['defaults and computed keys are read', '() => { const { [k]: v = w } = o; return v }', 'k w o'],
    ['catch parameters', '() => { try { f() } catch ({ message: m }) { return m } return m }', 'f m'],
    ['catch without parameter', '() => { try {} catch { e } }', 'e'],
    ['var in a catch block', '() => { try {} catch (e) { var v = e } return v + e }', 'e'],
    ['targets of destructuring assignment are written', '() => { ({ a, b: [c = d], ...e } = f) }', 'a= c= d e= f'],
    ['a member as target is read', '() => { [o.p, q[r]] = s }', 'o q r s'],
  ],
  names: [
    ['labels are no names', '() => { x: for (;;) { break x } }', ''],
    ['continue to a label', '() => { x: for (;;) continue x; y }', 'y'],
    ['a labelled function is declared', 'function () { f() \n with_: { 1 } }', 'f'],
    ['object shorthand is a read', '() => ({ a, b: 1 })', 'a'],
    ['keys and members are no names', '(o) => ({ k: o.p, "q": o?.r, m() {}, get g() { return 1 } })', ''],
    ['computed keys and members are', '(o) => ({ [k]: o[p] })', 'k p'],
    ['assignments write', '() => { a = 1; b += 1; c++; --d; e ??= f }', 'a= b= c= d= e= f'],
    ['typeof of a missing name is noted', '() => typeof a', 'a?'],
    ['a name that is also used is no mere typeof', '() => typeof a === "undefined" ? 0 : a', 'a'],
    ['typeof of a member reads the object', '() => typeof a.b', 'a'],
    ['template literals and tags', '() => t`${a}` + `${b}`', 't a b'],
    ['options of an import are read', '(p) => import(p, opts)', 'opts'],
    ['a name is reported once', '() => a + a + a', 'a'],
    ['a shadowed name is only free outside', '() => [x, (x) => x]', 'x'],
  ],
  classes: [
    ['the heritage and computed keys are read', '() => class extends B { [k] = 1 }', 'B k'],
    ['a class sees its own name', '() => class A { static a = A; m() { return A } }', ''],
    ["a class expression's name is not outside it", '() => { (class A {}); return A }', 'A'],
    ['fields are read', '() => class { a = x; static b = y; #c = z }', 'x y z'],
    ['field names are no variables', '() => { class A { a = 1; m() { return a } } }', 'a'],
    ['static blocks have variables of their own', '() => { class A { static { var v = w; v } } v }', 'w v'],
    ['private names are no variables', '() => class { #p = 1; m(o) { return #p in o && o.#p } }', ''],
    ['accessors and methods', '() => class { get a() { return x } set a(v) { y = v } }', 'x y='],
  ],
}

describe('freeVariables', () => {
  for (const [group, list] of Object.entries(rows)) {
    describe(group, () => {
      for (const [title, text, expected] of list) {
        it(`${title}: ${text}`, () => {
          expect(show(text)).to.equal(expected)
        })
      }
    })
  }

  it('gives the line and column of the first use, both from 1, in the text itself', () => {
    const [db, log] = freeVariables('function f(a) {\n  const b = a\n  return db.get(b, log)\n}')
    expect(db).to.include({ name: 'db', line: 3, column: 10 })
    expect(log).to.include({ name: 'log', line: 3, column: 20 })
    expect(freeVariables('() => x')[0]).to.include({ line: 1, column: 7 })
    expect(freeVariables('m() { x }')[0]).to.include({ line: 1, column: 7 })
    expect(freeVariables('() => {\r\n x }')[0]).to.include({ line: 2, column: 2 })
  })

  it('marks the standard globals', () => {
    const found = freeVariables('() => { console.log(URL, db) }')
    expect(found.filter(({ standardGlobal }) => standardGlobal).map(({ name }) => name)).to.eql(['console', 'URL'])
  })

  it('reads sloppy code by the sloppy rules, when it is no strict code', () => {
    expect(show('function () { var o = 010; { function f() {} } return f(o, x) }')).to.equal('x')
  })

  it('throws a SyntaxError with the line, when the text is no function', () => {
    expect(() => freeVariables('() => {\n  a b\n}')).to.throw(SyntaxError, /line 2/)
    expect(() => freeVariables('1 + 1')).to.throw(SyntaxError)
    expect(() => freeVariables('')).to.throw(SyntaxError)
    expect(() => freeVariables('get a() {}')).to.throw(SyntaxError, 'accessor')
  })

  it('finds exactly the variables that V8 finds, in any nesting of scopes', () => {
    fc.assert(
      fc.property(functionText, (text) => {
        let fn: Function
        try {
          fn = vm.runInThisContext(`(() => { 'use strict'; let a, b, c, d; return (${text}) })()`) as Function
        } catch {
          return fc.pre(false)
        }
        const analysis = analyseFunction(text)
        // V8 overlooks some redeclarations in functions that it has not compiled yet; acorn does not.
        fc.pre(analysis.kind !== 'unparsable' || !analysis.reason.includes('already been declared'))
        const ours = freeVariables(text).map(({ name }) => name)
        const theirs = capturedNames(fn)
        expect(ours.toSorted(), text).to.eql([...(theirs ?? [])].toSorted())
      }),
      { numRuns: 400 },
    )
  })

  it('stays within its bounds on text without end, and answers alike on the second time', () => {
    const text = `() => [${Array.from({ length: 2000 }, (_, i) => `n${String(i)}`).join(', ')}]`
    expect(freeVariables(text)).to.have.length(2000)
    expect(freeVariables(text)).to.equal(freeVariables(text))
    expect(analyseFunction(`() => ${'('.repeat(50_000)}1${')'.repeat(50_000)}`).kind).to.equal('unparsable')
  })
})

function show(text: string): string {
  return freeVariables(text)
    .map(({ name, write, typeofOnly }) => name + (write ? '=' : '') + (typeofOnly ? '?' : ''))
    .join(' ')
}

const name = fc.constantFrom('a', 'b', 'c', 'd')

const { functionText } = fc.letrec<Record<'functionText' | 'expression' | 'pattern' | 'statement' | 'block', string>>(
  (tie) => {
    const joined = (parts: fc.Arbitrary<string>, separator: string): fc.Arbitrary<string> =>
      fc.array(parts, { maxLength: 3 }).map((list) => list.join(separator))
    const fill = (shape: string, ...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
      fc.tuple(...parts).map((values) => values.reduce((text, value) => text.replace('_', () => value), shape))
    const expression = tie('expression')
    const pattern = tie('pattern')
    const block = tie('block')
    return {
      pattern: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        name,
        fill('{ _, k: _ }', name, pattern),
        fill('[_ = _]', pattern, expression),
        fill('{ [_]: _ = _ }', expression, pattern, expression),
        fill('[..._]', pattern),
      ),
      expression: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        name,
        fc.constant('1'),
        fill('(_ = _)', name, expression),
        fill('(_ + _)', expression, expression),
        fill('typeof _', name),
        fill('({ _, k: _ })', name, expression),
        fill('((_) => _)', pattern, expression),
        fill('(function _(_ = _) _)', name, pattern, expression, block),
        fill(
          '(class _ extends (_) { f = _; static { _ } [_](_) _ })',
          name,
          expression,
          expression,
          tie('statement'),
          expression,
          pattern,
          block,
        ),
      ),
      statement: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fill('_;', expression),
        fill('var _ = _;', pattern, expression),
        fill('let _ = _;', pattern, expression),
        fill('function _(_) _', name, pattern, block),
        fill('class _ { m() _ }', name, block),
        fill('for (let _ of _) _', pattern, expression, block),
        fill('for (var _ = _;;) _', pattern, expression, block),
        fill('try _ catch (_) _', block, pattern, block),
        fill('switch (_) { case _: _ default: _ }', expression, expression, tie('statement'), tie('statement')),
        fill('_: for (;;) { break _ }', fc.constant('d'), fc.constant('d')),
        block,
      ),
      block: joined(tie('statement'), ' ').map((text) => `{ ${text} }`),
      functionText: fc.oneof(
        fill('(_ = _) => _', pattern, expression, block),
        fill('function _(_) _', name, pattern, block),
        fill('async (_) => _', pattern, expression),
      ),
    }
  },
)
