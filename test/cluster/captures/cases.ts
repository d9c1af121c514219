/**
 * Functions that capture, by kind. Each is called here and in a worker, and both must be the same, prototypes included;
 * after `change` the same again.
 */
import * as acorn from 'acorn'
import { tokTypes, parse as parseText, type Options } from 'acorn'
import lodash from 'lodash'
import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash } from 'node:crypto'
import * as nodePath from 'node:path'
import path, { join } from 'node:path'
import square, { advance, bump, counter, greeting, settings, Shape } from './helpers.ts'
import * as helpers from './helpers.ts'

export interface Case {
  readonly fn: (...args: never[]) => unknown
  readonly args?: readonly unknown[]
  /** Done between the two calls; the result must then be another one. */
  readonly change?: () => void
}

export type Cases = Readonly<Record<string, Readonly<Record<string, () => Case>>>>

const rate = 3
let moduleLevel = 1
const table: Record<string, number> = { a: 1, b: 2 }

const isEven = (n: number): boolean => n === 0 || isOdd(n - 1)
const isOdd = (n: number): boolean => n !== 0 && isEven(n - 1)
function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1)
}

class Animal {
  readonly legs: number = 4
  speak(): string {
    return `${this.constructor.name} with ${this.legs} legs at ${rate}`
  }
}
class Dog extends Animal {
  static count = 7
  readonly name: string
  constructor(name: string) {
    super()
    this.name = name
  }
  override speak(): string {
    return `${this.name}: ${super.speak()}`
  }
  static make(name: string): Dog {
    return new Dog(name)
  }
  get loud(): string {
    return this.name.toUpperCase()
  }
}

class Model {
  weights: number[]
  constructor(weights: number[]) {
    this.weights = weights
  }
  predict(x: number): number {
    return this.weights.reduce((sum, weight) => sum + weight * x, 0) * rate
  }
}

const load = process.getBuiltinModule('node:module').createRequire(`${process.cwd()}/`)

/** The method itself, without what it belongs to. */
function methodOf(object: object, name: string): Case['fn'] {
  return Object.getOwnPropertyDescriptor(object, name)?.value as Case['fn']
}

export const cases: Cases = {
  'arrow functions': {
    'with a constant': () => ({ fn: (x: number) => x * rate, args: [2] }),
    'with a variable of the file': () => ({ fn: () => moduleLevel, change: () => (moduleLevel += 5) }),
    'with a variable of a function': () => {
      let local = 'a'
      return { fn: (tail: string) => local + tail, args: ['z'], change: () => (local = 'b') }
    },
    'in an arrow': () => {
      const outer = 2
      return { fn: (x: number) => [1, 2].map((y) => x * y * outer), args: [3] }
    },
    'with a parameter of what made it': () => ({
      fn: (
        (base: number) => (x: number) =>
          base + x
      )(40),
      args: [2],
    }),
    'with a caught value': () => {
      try {
        throw new TypeError('caught')
      } catch (error) {
        return { fn: () => (error as Error).message }
      }
    },
    'with a variable that shadows a global': () => {
      const URL = 'mine'
      return { fn: () => URL }
    },
  },
  'async functions': {
    arrow: () => ({ fn: async (x: number) => (await Promise.resolve(x)) * rate, args: [2] }),
    declared: () => {
      let unit = 'ms'
      async function label(x: number): Promise<string> {
        await Promise.resolve()
        return `${x} ${unit}`
      }
      return { fn: label, args: [5], change: () => (unit = 's') }
    },
    'with an async helper': () => {
      const wait = async (x: number): Promise<number> => (await Promise.resolve(x)) + rate
      return { fn: async (x: number) => [await wait(x), await wait(x + 1)], args: [1] }
    },
    'with all of many': () => {
      const items = [1, 2]
      const slow = async (x: number): Promise<number> => x + items.length
      return { fn: async () => Promise.all(items.map(slow)), change: () => items.push(9) }
    },
    'that throw': () => {
      const reason = { code: 'E_X' }
      return {
        fn: async () => {
          try {
            await Promise.reject(new RangeError(reason.code))
          } catch (error) {
            return (error as Error).message
          }
        },
        change: () => (reason.code = 'E_Y'),
      }
    },
  },
  'generators as helpers': {
    plain: () => {
      const top = { n: 3 }
      function* count(): Generator<number> {
        for (let i = 0; i < top.n; i++) yield i * rate
      }
      return { fn: () => [...count()], change: () => (top.n = 5) }
    },
    async: () => {
      async function* count(): AsyncGenerator<number> {
        yield rate
        yield rate + 1
      }
      return {
        fn: async () => {
          const all: number[] = []
          for await (const one of count()) all.push(one)
          return all
        },
      }
    },
    delegating: () => {
      function* inner(): Generator<string> {
        yield greeting
      }
      function* outer(): Generator<string> {
        yield* inner()
        yield* inner()
      }
      return { fn: () => Array.from(outer()) }
    },
    'with a return value': () => {
      function* one(): Generator<number, string> {
        yield 1
        return greeting
      }
      return {
        fn: () => {
          const it = one()
          it.next()
          return it.next()
        },
      }
    },
    methods: () => {
      const source = {
        *items(): Generator<number> {
          yield* [rate, rate]
        },
      }
      return { fn: () => [...source.items()] }
    },
  },
  methods: {
    'of an object': () => ({ fn: { m: (x: number) => x + rate }.m, args: [1] }),
    concise: () => {
      const add = { n: 1 }
      const object = {
        m(x: number): number {
          return x + add.n
        },
      }
      return { fn: methodOf(object, 'm'), args: [1], change: () => (add.n = 4) }
    },
    'with a computed name': () => {
      const name = 'run'
      const object = {
        [name](x: number): number {
          return x * rate
        },
      }
      return { fn: methodOf(object, 'run'), args: [2] }
    },
    async: () => {
      const object = {
        async m(x: number): Promise<number> {
          await Promise.resolve()
          return x - rate
        },
      }
      return { fn: methodOf(object, 'm'), args: [1] }
    },
    static: () => {
      class Tool {
        static twice(x: number): number {
          return 2 * x * rate
        }
      }
      return { fn: methodOf(Tool, 'twice'), args: [4] }
    },
    'of a captured object, on it': () => {
      const account = {
        balance: 5,
        report(): string {
          return `${this.balance} at ${rate}`
        },
      }
      return { fn: () => account.report(), change: () => (account.balance = 6) }
    },
  },
  'class expressions': {
    anonymous: () => ({
      fn: (x: number) =>
        new (class {
          v = x * rate
        })().v,
      args: [2],
    }),
    'extending a captured class': () => ({ fn: () => new (class extends Dog {})('Rex').speak() }),
    'captured by name': () => {
      const Box = class {
        readonly value: number
        constructor(value: number) {
          this.value = value
        }
        times(): number {
          return this.value * rate
        }
      }
      return { fn: () => new Box(3).times() }
    },
    'with a private field': () => {
      class Safe {
        #code = rate
        open(): number {
          return this.#code
        }
      }
      return { fn: () => new Safe().open() }
    },
    'with a static block': () => {
      class Setup {
        static list: number[] = []
        static {
          this.list.push(1, 2)
        }
      }
      return { fn: () => Setup.list.length, change: () => Setup.list.push(3) }
    },
    'made by a function': () => {
      const make = (factor: number): { new (): { v: number } } =>
        class {
          v = factor
        }
      const Made = make(8)
      return { fn: () => new Made().v }
    },
  },
  'helper functions': {
    plain: () => ({ fn: (x: number) => square(x) + rate, args: [3] }),
    recursive: () => ({ fn: (n: number) => factorial(n), args: [6] }),
    'recursive itself': () => {
      const sum = (n: number): number => (n === 0 ? 0 : n + sum(n - 1))
      return { fn: sum, args: [10] }
    },
    mutual: () => ({ fn: (n: number) => [isEven(n), isOdd(n)], args: [7] }),
    'three deep': () => {
      let base = 1
      const a = (x: number): number => x + base
      const b = (x: number): number => a(x) * 2
      const c = (x: number): number => b(x) + a(x)
      return { fn: (x: number) => c(x), args: [1], change: () => (base = 10) }
    },
    'in an object': () => {
      const operations = { add: (a: number, b: number) => a + b, scale: (a: number) => a * rate }
      return { fn: (x: number) => operations.scale(operations.add(x, 1)), args: [1] }
    },
    'in an array': () => {
      const steps = [(x: number) => x + 1, (x: number) => x * rate]
      return { fn: (x: number) => steps.reduce((v, f) => f(v), x), args: [1], change: () => steps.push((x) => -x) }
    },
    'with a property of its own': () => {
      const tagged = Object.assign((x: number) => x + 1, { unit: 'kg' })
      return { fn: () => [tagged(1), tagged.unit], change: () => (tagged.unit = 'g') }
    },
    'sharing an object with the function': () => {
      const shared = { n: 1 }
      const same = (o: object): boolean => o === shared
      return { fn: () => same(shared) }
    },
  },
  classes: {
    made: () => ({ fn: (name: string) => new Dog(name).speak(), args: ['Rex'] }),
    'with statics': () => ({ fn: () => Dog.make('a').name + Dog.count, change: () => (Dog.count = 8) }),
    'with accessors': () => ({ fn: () => Dog.make('rex').loud }),
    'asked with instanceof': () => ({ fn: () => [Dog.make('x') instanceof Animal, Dog.prototype instanceof Animal] }),
    'that know each other': () => {
      class Tree {
        readonly leaves = [new Leaf(this)]
      }
      class Leaf {
        readonly tree: object
        constructor(tree: object) {
          this.tree = tree
        }
        isOf(): boolean {
          return this.tree instanceof Tree
        }
      }
      return { fn: () => new Tree().leaves[0]?.isOf() }
    },
    'in a registry': () => {
      const registry: Record<string, new (name: string) => Dog> = { Dog }
      return { fn: (kind: string) => new (registry[kind] as typeof Dog)('r').speak(), args: ['Dog'] }
    },
    'written as functions': () => {
      function Old(this: { x: number }, x: number): void {
        this.x = x
      }
      ;(Old.prototype as Record<string, unknown>)['get'] = function (this: { x: number }) {
        return this.x * rate
      }
      const Made = Old as unknown as new (x: number) => { get(): number }
      return { fn: () => new Made(4).get() }
    },
  },
  'instances of classes': {
    captured: () => {
      const model = new Model([1, 2])
      return { fn: (x: number) => model.predict(x), args: [2], change: () => model.weights.push(3) }
    },
    'as an argument': () => ({ fn: (m: Model) => m.predict(1), args: [new Model([5])] }),
    'as a result': () => ({ fn: () => new Dog('back') }),
    'captured and returned': () => {
      const model = new Model([1])
      return { fn: () => model, change: () => (model.weights = [2]) }
    },
    'of the same class, as argument and capture': () => ({
      fn: (dog: Dog) => dog instanceof Dog && Object.getPrototypeOf(dog) === Dog.prototype,
      args: [new Dog('x')],
    }),
    'inside data': () => {
      const fleet = { dogs: [new Dog('a'), new Dog('b')], by: new Map([['m', new Model([1])]]) }
      return { fn: () => fleet, change: () => fleet.dogs.push(new Dog('c')) }
    },
    frozen: () => {
      const point = Object.freeze(new Shape('p'))
      return { fn: () => [Object.isFrozen(point), point.describe()] }
    },
    'with a cycle': () => {
      class Node {
        next: Node | undefined
        readonly n: number
        constructor(n: number) {
          this.n = n
        }
      }
      const first = new Node(1)
      first.next = new Node(2)
      first.next.next = first
      return { fn: () => [first.next?.next === first, first.next?.n], change: () => (first.next = new Node(3)) }
    },
    'made from a prototype': () => {
      const proto = { hello: () => `hi ${rate}` }
      const made = Object.create(proto) as typeof proto
      return { fn: () => made.hello() }
    },
  },
  'imports of the program': {
    named: () => ({ fn: (x: number) => advance(x), args: [1], change: () => bump() }),
    'a live binding': () => ({ fn: () => counter, change: () => bump() }),
    default: () => ({ fn: (x: number) => square(x), args: [5] }),
    namespace: () => ({ fn: (x: number) => helpers.default(x) + helpers.greeting.length, args: [5] }),
    'a class': () => ({ fn: () => new Shape('s').describe() }),
    'an object': () => ({
      fn: () => [settings.level, settings.tags.join()],
      change: () => {
        settings.level++
        settings.tags.push('b')
      },
    }),
  },
  'imports of packages': {
    named: () => ({ fn: () => parseText('1+1', { ecmaVersion: 2020 }).type }),
    namespace: () => ({ fn: () => acorn.parse('a', { ecmaVersion: 2020 }).body.length }),
    default: () => ({ fn: () => lodash.chunk([1, 2, 3], 2) }),
    'an object': () => ({ fn: () => tokTypes.name.label }),
    'in a helper': () => {
      const options: Options = { ecmaVersion: 2020 }
      const size = (text: string): number => parseText(text, options).body.length
      return { fn: (text: string) => size(text), args: ['a;b'] }
    },
    required: () => {
      const loaded = load('lodash') as typeof lodash
      return { fn: () => loaded.sum([1, 2, rate]) }
    },
    'required, one export': () => {
      const { sortBy: sorted } = load('lodash') as { sortBy: (items: number[]) => number[] }
      return { fn: () => sorted([3, 1, rate - 1]) }
    },
  },
  'imports of Node': {
    named: () => ({ fn: () => join('a', greeting) }),
    default: () => ({ fn: () => path.basename('/x/y.txt') }),
    namespace: () => ({ fn: () => nodePath.extname('a.ts') }),
    'a function of node:crypto': () => ({
      fn: (text: string) => createHash('sha256').update(text).digest('hex'),
      args: ['x'],
    }),
    required: () => {
      const util = load('node:util') as { format(...parts: unknown[]): string }
      return { fn: () => util.format('%s-%d', 'a', rate) }
    },
    'a class of Node': () => ({ fn: () => new AsyncLocalStorage().run(1, () => 2) }),
  },
  'plain data': {
    objects: () => ({ fn: (key: string) => table[key], args: ['a'], change: () => (table['a'] = 9) }),
    nested: () => {
      const data = { a: [{ b: { c: [1, [2]] } }], n: null, u: undefined, t: true, s: 'ü\u{1F600}' }
      return { fn: () => data, change: () => (data.t = false) }
    },
    arrays: () => {
      const list = [3, 1, 2]
      return { fn: () => [...list].sort((a, b) => a - b), change: () => list.push(0) }
    },
    'arrays with holes': () => {
      const list = [1, , 3]
      return { fn: () => [list, 1 in list] }
    },
    'special numbers': () => {
      const all = [-0, NaN, Infinity, -Infinity, 2 ** 53, 1e-7]
      return { fn: () => all }
    },
    cycles: () => {
      const ring: { self?: object; n: number } = { n: 1 }
      ring.self = ring
      return { fn: () => [ring.self === ring, ring.n], change: () => ring.n++ }
    },
    'objects without a prototype': () => {
      const bare = Object.assign(Object.create(null) as object, { a: 1 })
      return { fn: () => bare }
    },
    'ten thousand numbers': () => {
      const many = Array.from({ length: 10_000 }, (_, i) => i)
      return { fn: () => many.reduce((a, b) => a + b, 0), change: () => (many[5] = 0) }
    },
    'more than travels inline': () => {
      const many = Array.from({ length: 60_000 }, (_, i) => ({ i }))
      return {
        fn: () => many.length + (many[7]?.i ?? 0),
        change: () => many.push({ i: 1 }),
      }
    },
  },
  'Map and Set': {
    map: () => {
      const map = new Map([['a', 1]])
      return { fn: (key: string) => map.get(key), args: ['a'], change: () => map.set('a', 2) }
    },
    set: () => {
      const set = new Set([1])
      return { fn: () => [...set], change: () => set.add(2) }
    },
    nested: () => {
      const map = new Map([[new Set([1]), new Map([['x', new Date(5)]])]])
      return { fn: () => map }
    },
    'with object keys': () => {
      const key = { k: 1 }
      const map = new Map([[key, 'v']])
      return { fn: () => map.get(key) }
    },
    'with functions': () => {
      const map = new Map([['twice', (x: number) => x * 2]])
      return { fn: () => map.get('twice')?.(rate) }
    },
    returned: () => {
      const set = new Set<unknown>(['a', 1n])
      return { fn: () => set, change: () => set.delete('a') }
    },
  },
  'Date, RegExp and BigInt': {
    date: () => {
      const day = new Date(0)
      return { fn: () => day.getTime(), change: () => day.setFullYear(2001) }
    },
    'dates returned': () => {
      const days = [new Date(1), new Date(8e12)]
      return { fn: () => days }
    },
    regexp: () => {
      const pattern = /^(?<y>\d+)-\d+$/u
      return { fn: (text: string) => pattern.exec(text)?.groups?.['y'], args: ['2024-01'] }
    },
    'regexp with flags': () => {
      const pattern = /A/gi
      return { fn: () => ['aA'.replace(pattern, '-'), pattern.flags] }
    },
    bigint: () => {
      let big = 2n ** 70n
      return { fn: (x: bigint) => big + x, args: [1n], change: () => (big = -1n) }
    },
    'bigints in data': () => {
      const data = { a: [1n, -(2n ** 64n)] }
      return { fn: () => data }
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
    BigInt64Array: () => {
      const numbers = new BigInt64Array([1n, -1n])
      return { fn: () => numbers }
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
    large: () => {
      const many = new Float64Array(100_000).fill(1)
      return { fn: () => many.reduce((a, b) => a + b, 0), change: () => (many[0] = 5) }
    },
  },
  symbols: {
    registered: () => {
      const mark = Symbol.for('outpool.test')
      return { fn: () => mark }
    },
    'well known': () => {
      const symbols = [Symbol.iterator, Symbol.asyncIterator, Symbol.hasInstance]
      return { fn: () => symbols }
    },
    'as keys': () => {
      const mark = Symbol.for('outpool.key')
      const object = { [mark]: 1, plain: 2 }
      return { fn: () => object[mark], change: () => (object[mark] = 5) }
    },
    'as an argument': () => ({
      fn: (s: symbol) => s === Symbol.for('outpool.argument'),
      args: [Symbol.for('outpool.argument')],
    }),
    'of an iterable': () => {
      const range = {
        to: 3,
        *[Symbol.iterator](): Generator<number> {
          for (let i = 0; i < this.to; i++) yield i
        },
      }
      return { fn: () => [...range], change: () => (range.to = 4) }
    },
  },
  'variables that are undefined': {
    'declared without a value': () => {
      let later: number | undefined
      return { fn: () => later, change: () => (later = 1) }
    },
    'given undefined': () => {
      const nothing = undefined as number | undefined
      return { fn: () => nothing ?? 'none' }
    },
    'given what is not there': () => {
      const missing = table['zzz']
      return { fn: () => String(missing) }
    },
    'a parameter left out': () => ({
      fn: (
        (given?: number) => () =>
          given
      )(),
    }),
    'only asked for its type': () => ({ fn: () => typeof nowhere }),
  },
}

declare const nowhere: unknown
