/** Data of every kind, captured. */
import type { Case, Table } from './types.ts'

const table: Record<string, number> = { a: 1 }

export const data: Table<Case> = {
  'plain data': {
    nested: () => {
      const value = { a: [{ b: { c: [1, [2]] } }], n: null, u: undefined, t: true, s: 'ü\u{1F600}' }
      return { fn: () => value, change: () => (value.t = false) }
    },
    arrays: () => {
      const list = [3, 1, 2]
      return { fn: () => [...list].sort((a, b) => a - b), change: () => list.push(0) }
    },
    'arrays with holes': () => {
      const list = [1, , 3]
      return { fn: () => [list, 1 in list], change: () => (list[1] = 2) }
    },
    'special numbers': () => {
      const all = [-0, NaN, Infinity, -Infinity, 2 ** 53, 1e-7]
      return { fn: () => all, change: () => (all[0] = 0) }
    },
    cycles: () => {
      const ring: { self?: object; n: number } = { n: 1 }
      ring.self = ring
      return { fn: () => [ring.self === ring, ring.n], change: () => ring.n++ }
    },
    'objects without a prototype': () => {
      const bare = Object.assign(Object.create(null) as Record<string, number>, { a: 1 })
      return { fn: () => bare, change: () => (bare['b'] = 2) }
    },
    'keys that look dangerous': () => {
      const value = JSON.parse('{"__proto__": 1, "constructor": 2, "0": 3}') as Record<string, number>
      return { fn: () => [value, Object.keys(value)], change: () => (value['constructor'] = 9) }
    },
  },
  'much data': {
    'ten thousand numbers': () => {
      const many = Array.from({ length: 10_000 }, (_, i) => i)
      return { fn: () => many.reduce((a, b) => a + b, 0), change: () => (many[5] = 0) }
    },
    'ten thousand strings': () => {
      const many = Array.from({ length: 10_000 }, (_, i) => `n${i}`)
      return { fn: () => many.join('').length, change: () => (many[5] = '') }
    },
    'ten thousand fractions': () => {
      const many = Array.from({ length: 10_000 }, (_, i) => i / 3)
      return { fn: () => many.reduce((a, b) => a + b, 0), change: () => (many[5] = -0.5) }
    },
    'more objects than travel inline': () => {
      const many = Array.from({ length: 60_000 }, (_, i) => ({ i }))
      return { fn: () => many.length + (many[7]?.i ?? 0), change: () => many.push({ i: 1 }) }
    },
    'a large typed array': () => {
      const many = new Float64Array(100_000).fill(1)
      return { fn: () => many.reduce((a, b) => a + b, 0), change: () => (many[0] = 5) }
    },
  },
  Map: {
    read: () => {
      const map = new Map([['a', 1]])
      return { fn: (key: string) => map.get(key), args: ['a'], change: () => map.set('a', 2) }
    },
    nested: () => {
      const map = new Map([[new Set([1]), new Map([['x', new Date(5)]])]])
      return { fn: () => map, change: () => map.set(new Set(), new Map()) }
    },
    'with object keys': () => {
      const key = { k: 1 }
      const map = new Map([[key, 'v']])
      return { fn: () => map.get(key), change: () => map.set(key, 'w') }
    },
    'with functions': () => {
      const map = new Map([['by', (x: number) => x * 2]])
      return { fn: () => map.get('by')?.(3), change: () => map.set('by', (x) => x * 5) }
    },
    'as an argument and a result': () => {
      const map = new Map<unknown, unknown>([[NaN, -0]])
      return { fn: (given: Map<unknown, unknown>) => given, args: [map], change: () => map.set('self', [map.size]) }
    },
  },
  Set: {
    read: () => {
      const set = new Set([1])
      return { fn: () => [...set], change: () => set.add(2) }
    },
    returned: () => {
      const set = new Set<unknown>(['a', 1n])
      return { fn: () => set, change: () => set.delete('a') }
    },
    asked: () => {
      const set = new Set(['a'])
      return { fn: (key: string) => set.has(key), args: ['b'], change: () => set.add('b') }
    },
    'of objects that are captured too': () => {
      const [one, two] = [{ n: 1 }, { n: 2 }]
      const set = new Set([one])
      return { fn: () => [set.has(one), set.has(two)], change: () => set.add(two) }
    },
    'as an argument': () => {
      const set = new Set<unknown>([[1], new Set()])
      return { fn: (given: Set<unknown>) => [given.size, given], args: [set], change: () => set.add(undefined) }
    },
  },
  Date: {
    read: () => {
      const day = new Date(0)
      return { fn: () => day.getTime(), change: () => day.setFullYear(2001) }
    },
    returned: () => {
      const days = [new Date(1), new Date(8e12)]
      return { fn: () => days, change: () => days.pop() }
    },
    invalid: () => {
      const day = new Date(NaN)
      return { fn: () => [String(day), Number.isNaN(day.getTime())], change: () => day.setTime(1) }
    },
    'as an argument': () => {
      const day = new Date(86_400_000)
      return { fn: (given: Date) => given.toISOString(), args: [day], change: () => day.setTime(0) }
    },
    'as a key': () => {
      const day = new Date(3)
      const map = new Map([[day, 'd']])
      return { fn: () => map.get(day), change: () => map.set(day, 'e') }
    },
  },
  BigInt: {
    assigned: () => {
      let big = 2n ** 70n
      return { fn: (x: bigint) => big + x, args: [1n], change: () => (big = -1n) }
    },
    'in data': () => {
      const value = { a: [1n, -(2n ** 64n)] }
      return { fn: () => value, change: () => value.a.push(0n) }
    },
    'as a key': () => {
      const map = new Map([[10n ** 30n, 'much']])
      return { fn: () => map.get(10n ** 30n), change: () => map.clear() }
    },
    'as a result': () => {
      let power = 3n
      return { fn: (x: bigint) => x ** power, args: [-7n], change: () => (power = 40n) }
    },
    'in a typed array': () => {
      const numbers = new BigInt64Array([1n, -1n])
      return { fn: () => numbers, change: () => (numbers[0] = 2n ** 62n) }
    },
  },
  'typed arrays': {
    Uint8Array: () => {
      const bytes = new Uint8Array([1, 2, 3])
      return { fn: () => bytes.reduce((a, b) => a + b, 0), change: () => (bytes[0] = 9) }
    },
    Float64Array: () => {
      const numbers = new Float64Array([1.5, -0])
      return { fn: () => numbers, change: () => (numbers[0] = 2) }
    },
    'views of one buffer': () => {
      const memory = new ArrayBuffer(8)
      const bytes = new Uint8Array(memory)
      const words = new Uint16Array(memory)
      bytes[0] = 1
      return { fn: () => [words[0], bytes.buffer === words.buffer], change: () => (bytes[1] = 1) }
    },
    DataView: () => {
      const view = new DataView(new ArrayBuffer(4))
      view.setInt16(1, -5)
      return { fn: () => view.getInt16(1), change: () => view.setInt16(1, 6) }
    },
    Buffer: () => {
      const buffer = Buffer.from('abc')
      return { fn: () => buffer.toString('hex'), change: () => buffer.write('x') }
    },
    'as an argument and a result': () => {
      const clamped = new Uint8ClampedArray([300, -1])
      return { fn: (given: Uint8ClampedArray) => given, args: [clamped], change: () => (clamped[1] = 77) }
    },
  },
  'registered symbols': {
    captured: () => {
      let mark = Symbol.for('outpool.test')
      return { fn: () => mark, change: () => (mark = Symbol.for('outpool.other')) }
    },
    'as keys': () => {
      const mark = Symbol.for('outpool.key')
      const object = { [mark]: 1, plain: 2 }
      return { fn: () => object[mark], change: () => (object[mark] = 5) }
    },
    'as arguments': () => {
      let wanted = Symbol.for('outpool.argument')
      const args = [Symbol.for('outpool.argument')]
      return { fn: (given: symbol) => given === wanted, args, change: () => (wanted = Symbol.for('another')) }
    },
    'in a Map': () => {
      const map = new Map([[Symbol.for('k'), 1]])
      return { fn: () => map.get(Symbol.for('k')), change: () => map.set(Symbol.for('k'), 2) }
    },
    'as results': () => {
      let key = 'a'
      return { fn: () => [Symbol.for(key), Symbol.keyFor(Symbol.for(key))], change: () => (key = 'ü') }
    },
  },
  'well-known symbols': {
    captured: () => {
      const symbols: symbol[] = [Symbol.iterator, Symbol.asyncIterator, Symbol.hasInstance]
      return { fn: () => symbols, change: () => symbols.push(Symbol.toPrimitive) }
    },
    'of an iterable': () => {
      const range = {
        to: 3,
        *[Symbol.iterator](): Generator<number> {
          for (let i = 0; i < this.to; i++) yield i
        },
      }
      return { fn: () => [...range], change: () => (range.to = 4) }
    },
    'of an async iterable': () => {
      const range = {
        to: 2,
        async *[Symbol.asyncIterator](): AsyncGenerator<number> {
          for (let i = 0; i < this.to; i++) yield i
        },
      }
      return {
        fn: async () => {
          let sum = 0
          for await (const one of range) sum += one + 1
          return sum
        },
        change: () => range.to++,
      }
    },
    'of a class': () => {
      const even = { by: 2 }
      class Even {
        static [Symbol.hasInstance](value: unknown): boolean {
          return typeof value === 'number' && value % even.by === 0
        }
      }
      return { fn: () => [1, 2, 3].map((x) => (x as unknown) instanceof Even), change: () => (even.by = 3) }
    },
    'of a tag': () => {
      const tagged = { [Symbol.toStringTag]: 'Tagged', [Symbol.toPrimitive]: () => tagged.n, n: 4 }
      return { fn: () => [String(Object.prototype.toString.call(tagged)), +tagged], change: () => tagged.n++ }
    },
  },
  'boxed primitives': {
    number: () => {
      let boxed: unknown = Object(5)
      return { fn: () => boxed, change: () => (boxed = Object(6) as unknown) }
    },
    string: () => {
      let boxed = Object('text') as string
      return { fn: () => [typeof boxed, boxed.length, boxed], change: () => (boxed = Object('longer') as string) }
    },
    boolean: () => {
      const held = { boxed: Object(false) as unknown }
      return { fn: () => [held.boxed ? 'true' : 'false', held], change: () => (held.boxed = false) }
    },
    bigint: () => {
      let boxed: unknown = Object(5n)
      return { fn: () => boxed, change: () => (boxed = Object(-5n) as unknown) }
    },
    'as arguments': () => {
      const args: unknown[] = [Object(1)]
      return { fn: (given: object) => [typeof given, given], args, change: () => (args[0] = Object('1') as unknown) }
    },
  },
  'regular expressions and errors': {
    groups: () => {
      let pattern = /^(?<y>\d+)-\d+$/u
      return {
        fn: (text: string) => pattern.exec(text)?.groups?.['y'],
        args: ['2024-01'],
        change: () => (pattern = /(?<y>0\d)/),
      }
    },
    flags: () => {
      const patterns = [/A/gi]
      return { fn: () => patterns.map((one) => ['aA'.replace(one, '-'), one.flags]), change: () => patterns.push(/a/) }
    },
    'an error': () => {
      const error = Object.assign(new TypeError('t', { cause: new RangeError('r') }), { code: 1 })
      return {
        fn: () => [error instanceof TypeError, error.cause instanceof RangeError, error.code],
        change: () => error.code++,
      }
    },
    'an aggregate': () => {
      const all = new AggregateError([new Error('a'), 'b'])
      return { fn: () => all.errors.map(String), change: () => all.errors.push('c') }
    },
    'a URL': () => {
      const url = new URL('http://a.b/c?d=e')
      return { fn: () => [url.searchParams.get('d'), url.href], change: () => (url.search = '?d=f') }
    },
  },
  'variables that are undefined': {
    'declared without a value': () => {
      let later: number | undefined
      return { fn: () => later, change: () => (later = 1) }
    },
    'given undefined': () => {
      let nothing = undefined as number | undefined
      return { fn: () => nothing ?? 'none', change: () => (nothing = 0) }
    },
    'given what is not there': () => {
      let missing = table['zzz']
      return { fn: () => String(missing), change: () => (missing = table['a']) }
    },
    'a parameter left out': () => {
      const { fn, set } = ((given?: number) => ({ fn: () => given, set: () => (given = 2) }))()
      return { fn, change: set }
    },
    'only asked for its type': () => {
      let known: unknown = 1
      return { fn: () => [typeof nowhere, typeof known], change: () => (known = 'text') }
    },
  },
}

declare const nowhere: unknown
