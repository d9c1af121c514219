import { expect } from 'chai'
import { changedBuiltIns } from '../../../runtime/code/analysis/changed-built-ins.ts'
import { analyse } from '../../../runtime/code/analysis/verdict.ts'

type Changeable = Record<string | symbol, unknown>

/** Whatever `use` does, the built-in is afterwards what it was. */
function withChanged(of: object, key: string | symbol, value: unknown, use: () => void): void {
  const before = Object.getOwnPropertyDescriptor(of, key)
  Object.defineProperty(of, key, { value, configurable: true, writable: true, enumerable: false })
  try {
    use()
  } finally {
    if (before === undefined) Reflect.deleteProperty(of, key)
    else Object.defineProperty(of, key, before)
  }
}

function verdict(fn: Function): string {
  return analyse(fn, { args: [], changed: changedBuiltIns() }).verdict
}

describe('built-ins that the program has changed', () => {
  it('are none, where nothing was changed', () => {
    expect([...changedBuiltIns()]).deep.equal([])
  })

  it('keep a function that names them from being known, and no other', () => {
    const sums = (): unknown => ([1, 2] as unknown as { total(): number }).total()
    const roots = (): number => Math.sqrt(16)
    withChanged(
      Array.prototype,
      'total',
      () => 3,
      () => {
        expect([...changedBuiltIns()]).deep.equal([['total', 'Array.prototype.total']])
        expect([verdict(sums), verdict(roots)]).deep.equal(['maybe', 'ship'])
      },
    )
    withChanged(
      Math,
      'sqrt',
      () => 77,
      () => {
        expect([verdict(sums), verdict(roots)]).deep.equal(['ship', 'maybe'])
      },
    )
    expect(verdict(roots)).equal('ship')
  })

  it('keep every function from being known, where they are called without being named', () => {
    const text = (): string => JSON.stringify([1])
    withChanged(
      BigInt.prototype,
      'toJSON',
      function (this: bigint) {
        return String(this)
      },
      () => {
        expect(verdict(text)).equal('maybe')
      },
    )
    withChanged(
      Date.prototype,
      Symbol.toPrimitive,
      () => 1,
      () => {
        expect(verdict(text)).equal('maybe')
      },
    )
    expect((BigInt.prototype as unknown as Changeable)['toJSON']).equal(undefined)
    expect(verdict(text)).equal('ship')
  })
})
