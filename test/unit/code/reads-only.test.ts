import { expect } from 'chai'
import { onlyReads } from '../../../runtime/code/analysis/reads-only.ts'

const certain = [
  '(a) => a[0] + a[a.length - 1] + a.length',
  'function ends(array) { return array[0] + array[array.length - 1] + array.length }',
  '(a) => { let sum = 0; for (let i = 0; i < a.length; i += 512) sum += a[i]; return sum }',
  '(a) => { let sum = 0; for (const x of a) sum += x; return sum }',
  'async (a, n) => { await n; return a.reduce((s, x) => s + x, 0) }',
  '(a) => Math.max(...a) + a[(a.length / 2) | 0] + a[-1 + 2]',
  '(a) => { const half = a.length >> 1; let at = half; at++; at -= 2; return a[at] + a.at(-1) }',
  '(a) => a.slice(2, 9)',
  '(a) => { const f = () => a[0]; return f() }',
  '({ x }, a) => a.indexOf(x)',
]
const uncertain = [
  '(a) => a',
  '(a) => a.fill(0)',
  '(a) => { a[0] = 1 }',
  '(a) => { a[0]++ }',
  '(a) => { delete a[0] }',
  '(a) => { [a[0]] = [1] }',
  '(a) => { ({ x: a[0] } = { x: 1 }) }',
  '(a) => { for (a[0] of [1, 2]); }',
  '(a) => { for (a[0] in { x: 1 }); }',
  '(a) => a.buffer',
  '(a, name) => a[name]',
  "(a) => a['buf' + 'fer']",
  "(a) => { let i = 0; i = 'buffer'; return a[i] }",
  '(a) => { for (const i in { buffer: 1 }) a[i] }',
  "(a) => { for (const i of ['buffer']) a[i] }",
  "(a) => { let i = 1; i += 'x'; return a[i] }",
  '(a) => { const [i] = ["buffer"]; return a[i] }',
  '(a) => sum(a)',
  '(a) => a[Math.floor(1)]',
  '(a) => ({ a })',
  '(a) => [a]',
  '(a) => a.map((x, i, all) => all.fill(0))',
  '(a) => a.map(function () { return arguments[2] })',
  '(a) => a.map((...all) => all)',
  '(a) => a.map(store)',
  '(a) => a.subarray(1)',
  '(a) => a[0]()',
  '(a) => a.at`x`',
  '(a) => eval("a")',
  '(a) => { const f = (a) => a.fill(0); return f(a) }',
  '(a) => { var a; return a[0] }',
  '(a = []) => a[0]',
  '([a]) => a[0]',
  '(...a) => a[0]',
  'function f(a) { return arguments[0].fill(0), a[0] }',
  'function f(a) { with (a) { fill(0) } return a[0] }',
  '(a) => { b = a; return a[0] }',
  '(a) => a === b',
  '(a) => a?.fill(0)',
  'function () { [native code] }',
  'not a function',
]

describe('runtime/code/analysis/reads-only', () => {
  for (const text of certain)
    it(`is certain of ${text}`, () => {
      expect(onlyReads(text)).to.include(true)
    })

  for (const text of uncertain)
    it(`is not certain of ${text}`, () => {
      expect(onlyReads(text)).not.to.include(true)
    })

  it('tells each parameter by itself', () => {
    expect(onlyReads('(a, b, c) => { b.fill(a[0]); return c }')).to.deep.equal([true, false, false])
    expect(onlyReads('(a, b) => b[0] + a.length')).to.deep.equal([true, true])
  })
})
