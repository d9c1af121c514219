import { execFileSync } from 'node:child_process'
import { inspect } from 'node:util'
import { expect } from 'chai'
import { changedBuiltIns } from '../../../runtime/code/analysis/changed-built-ins.ts'
import { analyse } from '../../../runtime/code/analysis/verdict.ts'

/** The same, of one that is taken away. */
function withDeleted(of: object, key: string, use: () => void): void {
  const before = Object.getOwnPropertyDescriptor(of, key) as PropertyDescriptor
  Reflect.deleteProperty(of, key)
  try {
    use()
  } finally {
    Object.defineProperty(of, key, before)
  }
}

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

  it('are told of where they were deleted', () => {
    const last = (): unknown => [1, 2].at(-1)
    expect(verdict(last)).equal('ship')
    withDeleted(Array.prototype, 'at', () => {
      expect([...changedBuiltIns()]).deep.equal([['at', 'Array.prototype.at']])
      expect(verdict(last)).equal('maybe')
    })
    withDeleted(Array.prototype, 'toString', () => {
      expect([...changedBuiltIns()], 'where another one is inherited').deep.equal([['', 'Array.prototype.toString']])
    })
    expect(verdict(last)).equal('ship')
  })

  it('are told of where another accessor took their place', () => {
    const count = (): number => new Set([1]).size
    const before = Object.getOwnPropertyDescriptor(Set.prototype, 'size') as PropertyDescriptor
    Object.defineProperty(Set.prototype, 'size', { get: () => 7 })
    try {
      expect([...changedBuiltIns()]).deep.equal([['size', 'Set.prototype.size']])
      expect(verdict(count)).equal('maybe')
    } finally {
      Object.defineProperty(Set.prototype, 'size', before)
    }
    expect(verdict(count)).equal('ship')
  })

  it('are functions of the language, too', () => {
    const seven = (): number => parseInt('7', 10)
    withChanged(
      globalThis,
      'parseInt',
      () => 1,
      () => {
        expect([...changedBuiltIns()]).deep.equal([['parseInt', 'globalThis.parseInt']])
        expect(verdict(seven)).equal('maybe')
      },
    )
    expect(verdict(seven)).equal('ship')
  })

  it('are found where it was done before anybody asked', () => {
    const script = `
      delete Array.prototype.at
      Object.defineProperty(Map.prototype, 'size', { get: () => 1 })
      globalThis.isNaN = () => true
      Array.prototype.kind = 'a list'
      Intl.DisplayNames = class {}
      Intl.Collator.prototype.name = () => 'mine'
      const { changedBuiltIns } = await import(${JSON.stringify(new URL('../../../runtime/code/analysis/changed-built-ins.ts', import.meta.url).href)})
      console.log([...changedBuiltIns().values()].join())`
    const told = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      encoding: 'utf8',
    })
    expect(told.trim().split(',')).to.have.members([
      ...['Array.prototype.at', 'Array.prototype.kind', 'Map.prototype.size', 'globalThis.isNaN'],
      ...['Intl.DisplayNames', 'Intl.Collator.prototype.name'],
    ])
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

  it('keep only what prints from being known, where printing calls them', () => {
    const fails = (text: string): string => new Error(text).message
    const shows = (error: Error): string => inspect(error)
    withChanged(
      Error.prototype,
      inspect.custom,
      () => 'an error',
      () => {
        expect(verdict(fails)).equal('ship')
        expect(analyse(shows, { args: [], changed: changedBuiltIns() }).reasons[0]?.message).match(/Error\.prototype\[/)
      },
    )
  })

  it('keep what names the constructor from being known, or what makes more of its own kind', () => {
    const half = (n: number): number => n / 2
    const made = (): unknown => new Map().constructor
    for (const [of, expected] of [
      [Map.prototype, ['ship', 'maybe']],
      [Date.prototype, ['ship', 'maybe']],
      [Array.prototype, ['maybe', 'maybe']],
      [Promise.prototype, ['maybe', 'maybe']],
    ] as const)
      withChanged(
        of,
        'constructor',
        () => 5,
        () => {
          expect([verdict(half), verdict(made)]).deep.equal(expected)
        },
      )
  })

  it('counts the time zone among them, for what depends on it', () => {
    const hours = (at: Date): number => at.getHours()
    const day = (at: number): string => new Date(at).toISOString()
    const sum = (x: number): number => x + 1
    const before = process.env['TZ']
    changedBuiltIns()
    process.env['TZ'] = before === 'Asia/Tokyo' ? 'UTC' : 'Asia/Tokyo'
    try {
      expect([verdict(hours), verdict(day), verdict(sum)]).deep.equal(['maybe', 'maybe', 'ship'])
    } finally {
      if (before === undefined) delete process.env['TZ']
      else process.env['TZ'] = before
    }
    expect(verdict(hours)).to.equal('ship')
  })
})
