/** Functions of every form, with what they use. */
import type { Case, Table } from './types.ts'

const rate = 3
let moduleLevel = 1
const unit = { n: 1 }

const zero = { isEven: true }
const isEven = (n: number): boolean => (n === 0 ? zero.isEven : isOdd(n - 1))
const isOdd = (n: number): boolean => (n === 0 ? !zero.isEven : isEven(n - 1))
function factorial(n: number): number {
  return n < 2 ? unit.n : n * factorial(n - 1)
}
const more = (): number => ++unit.n

/** The method itself, without what it belongs to. */
export function methodOf(object: object, name: string): Case['fn'] {
  return Object.getOwnPropertyDescriptor(object, name)?.value as Case['fn']
}

export const functions: Table<Case> = {
  'arrow functions': {
    'with a variable of the file': () => ({ fn: () => moduleLevel, change: () => (moduleLevel += 5) }),
    'with a variable of a function': () => {
      let local = 'a'
      return { fn: (tail: string) => local + tail, args: ['z'], change: () => (local = 'b') }
    },
    'in an arrow': () => {
      const outer = [2]
      return { fn: (x: number) => [1, 2].map((y) => x * y * (outer[0] ?? 0)), args: [3], change: () => (outer[0] = 4) }
    },
    'with a parameter of what made it': () => {
      const made = ((base: { n: number }) => ({ base, fn: (x: number) => base.n + x }))({ n: 40 })
      return { fn: made.fn, args: [2], change: () => (made.base.n = 50) }
    },
    'with a caught value': () => {
      try {
        throw new TypeError('caught')
      } catch (error) {
        return { fn: () => (error as Error).message, change: () => ((error as Error).message = 'changed') }
      }
    },
    'with a variable that shadows a global': () => {
      let URL = 'mine'
      return { fn: () => URL, change: () => (URL = 'yours') }
    },
    'with a parameter that has a default from outside': () => {
      const start = [5]
      return { fn: (x = start[0]) => x, change: () => (start[0] = 6) }
    },
    'with destructured variables': () => {
      let { a, ...others } = { a: 1, b: 2, c: [3] }
      return { fn: () => [a, others], change: () => ([a, others] = [5, { b: 9, c: [] }]) }
    },
    'in a loop': () => {
      const all: (() => number)[] = []
      const added = { n: 0 }
      for (let i = 0; i < 3; i++) all.push(() => i * 10 + added.n)
      return { fn: all[2] as () => number, change: () => (added.n = 1) }
    },
  },
  constants: {
    'a number': () => ({ fn: (x: number) => x * rate * unit.n, args: [2], change: more }),
    'a string': () => {
      const label = 'é\u{1F600}'
      let count = 1
      return { fn: () => label.repeat(count), change: () => count++ }
    },
    'a boolean and null': () => {
      const [yes, nothing] = [true, null]
      let no = false
      return { fn: () => [yes, no, nothing], change: () => (no = true) }
    },
    'an object': () => {
      const table: Record<string, number> = { a: 1, b: 2 }
      return { fn: (key: string) => table[key], args: ['a'], change: () => (table['a'] = 9) }
    },
    'a frozen object': () => {
      let limits: { readonly low: number; readonly high: readonly number[] } = Object.freeze({
        low: 1,
        high: Object.freeze([2]),
      })
      return { fn: () => limits.low + limits.high.length, change: () => (limits = Object.freeze({ low: 5, high: [] })) }
    },
    'a template': () => {
      const word = 'x'
      let text = `${word}${rate}`
      return { fn: () => `<${text}>`, change: () => (text += '!') }
    },
  },
  'async functions': {
    arrow: () => {
      const by = { n: 2 }
      return { fn: async (x: number) => (await Promise.resolve(x)) * by.n * rate, args: [2], change: () => by.n++ }
    },
    declared: () => {
      let unitName = 'ms'
      async function label(x: number): Promise<string> {
        await Promise.resolve()
        return `${x} ${unitName}`
      }
      return { fn: label, args: [5], change: () => (unitName = 's') }
    },
    'with an async helper': () => {
      let plus = 1
      const wait = async (x: number): Promise<number> => (await Promise.resolve(x)) + plus
      return { fn: async (x: number) => [await wait(x), await wait(x + 1)], args: [1], change: () => (plus = 9) }
    },
    'with all of many': () => {
      const items = [1, 2]
      const slow = async (x: number): Promise<number> => x + items.length
      return { fn: async () => Promise.all(items.map(slow)), change: () => items.push(9) }
    },
    'that catch': () => {
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
      let first = 1
      async function* count(): AsyncGenerator<number> {
        yield first
        yield rate + 1
      }
      return {
        fn: async () => {
          const all: number[] = []
          for await (const one of count()) all.push(one)
          return all
        },
        change: () => (first = 8),
      }
    },
    delegating: () => {
      let greeting = 'hello'
      function* inner(): Generator<string> {
        yield greeting
      }
      function* outer(): Generator<string> {
        yield* inner()
        yield* inner()
      }
      return { fn: () => Array.from(outer()), change: () => (greeting = 'bye') }
    },
    'with a return value': () => {
      const last = ['end']
      function* one(): Generator<number, string | undefined> {
        yield 1
        return last[0]
      }
      return {
        fn: () => {
          const it = one()
          it.next()
          return it.next()
        },
        change: () => (last[0] = 'over'),
      }
    },
    methods: () => {
      const source = {
        to: 2,
        *items(): Generator<number> {
          yield* [this.to, rate]
        },
      }
      return { fn: () => [...source.items()], change: () => source.to++ }
    },
    'written as an expression': () => {
      let step = 2
      const steps = function* (): Generator<number> {
        yield step
      }
      return { fn: () => [...steps(), steps.constructor.name], change: () => (step = 4) }
    },
  },
  methods: {
    'of an object': () => {
      const by = { n: 1 }
      return { fn: { m: (x: number) => x + by.n }.m, args: [1], change: () => by.n++ }
    },
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
      let times = 2
      const object = {
        [name](x: number): number {
          return x * times
        },
      }
      return { fn: methodOf(object, 'run'), args: [2], change: () => (times = 5) }
    },
    async: () => {
      let less = 1
      const object = {
        async m(x: number): Promise<number> {
          await Promise.resolve()
          return x - less
        },
      }
      return { fn: methodOf(object, 'm'), args: [1], change: () => (less = 2) }
    },
    static: () => {
      const by = [2]
      class Tool {
        static twice(x: number): number {
          return x * (by[0] ?? 0)
        }
      }
      return { fn: methodOf(Tool, 'twice'), args: [4], change: () => (by[0] = 3) }
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
    anonymous: () => {
      let by = 2
      return {
        fn: (x: number) =>
          new (class {
            v = x * by
          })().v,
        args: [2],
        change: () => (by = 3),
      }
    },
    'extending a captured class': () => {
      class Base {
        static word = 'wow'
        say(): string {
          return Base.word
        }
      }
      return { fn: () => new (class extends Base {})().say(), change: () => (Base.word = 'meow') }
    },
    'captured by name': () => {
      let factor = 2
      const Box = class {
        readonly value: number
        constructor(value: number) {
          this.value = value
        }
        times(): number {
          return this.value * factor
        }
      }
      return { fn: () => new Box(3).times(), change: () => (factor = 5) }
    },
    'with a private field': () => {
      let code = 7
      class Safe {
        #code = code
        open(): number {
          return this.#code
        }
      }
      return { fn: () => new Safe().open(), change: () => (code = 8) }
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
      const factor = { n: 8 }
      const make = (by: { n: number }): { new (): { v: number } } =>
        class {
          v = by.n
        }
      const Made = make(factor)
      return { fn: () => new Made().v, change: () => factor.n++ }
    },
  },
  'helper functions': {
    plain: () => {
      let more = 1
      const square = (x: number): number => x * x + more
      return { fn: (x: number) => square(x) + rate, args: [3], change: () => (more = 2) }
    },
    'three deep': () => {
      let base = 1
      const a = (x: number): number => x + base
      const b = (x: number): number => a(x) * 2
      const c = (x: number): number => b(x) + a(x)
      return { fn: (x: number) => c(x), args: [1], change: () => (base = 10) }
    },
    'in an object': () => {
      const operations = { by: 2, add: (a: number, b: number) => a + b, scale: (a: number) => a * operations.by }
      return { fn: (x: number) => operations.scale(operations.add(x, 1)), args: [1], change: () => operations.by++ }
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
      return { fn: () => [same(shared), shared.n], change: () => shared.n++ }
    },
    'exchanged for another': () => {
      let helper = (x: number): number => x + 1
      return { fn: (x: number) => helper(x), args: [1], change: () => (helper = (x) => x * 100) }
    },
  },
  'recursive helpers': {
    declared: () => ({ fn: (n: number) => factorial(n), args: [6], change: more }),
    'the function itself': () => {
      let zero = 0
      const sum = (n: number): number => (n === 0 ? zero : n + sum(n - 1))
      return { fn: sum, args: [10], change: () => (zero = 100) }
    },
    'an expression with a name of its own': () => {
      const by = { n: 2 }
      return {
        fn: function power(n: number): number {
          return n === 0 ? 1 : by.n * power(n - 1)
        },
        args: [5],
        change: () => by.n++,
      }
    },
    async: () => {
      const step = [1]
      const count = async (n: number): Promise<number> => (n <= 0 ? 0 : (step[0] ?? 0) + (await count(n - 1)))
      return { fn: count, args: [4], change: () => (step[0] = 3) }
    },
    'over a tree': () => {
      interface Tree {
        readonly value: number
        readonly leaves: Tree[]
      }
      const tree: Tree = { value: 1, leaves: [{ value: 2, leaves: [] }] }
      const total = ({ value, leaves }: Tree): number => leaves.reduce((sum, leaf) => sum + total(leaf), value)
      return { fn: () => total(tree), change: () => tree.leaves.push({ value: 5, leaves: [] }) }
    },
  },
  'mutually recursive helpers': {
    arrows: () => ({ fn: (n: number) => [isEven(n), isOdd(n)], args: [7], change: () => (zero.isEven = false) }),
    declarations: () => {
      const end = { text: '.' }
      function ping(n: number): string {
        return n === 0 ? end.text : `i${pong(n - 1)}`
      }
      function pong(n: number): string {
        return n === 0 ? end.text : `o${ping(n - 1)}`
      }
      return { fn: (n: number) => ping(n), args: [3], change: () => (end.text = '!') }
    },
    'three in a ring': () => {
      let stop = 0
      const a = (n: number): string => (n <= stop ? '' : `a${b(n - 1)}`)
      const b = (n: number): string => (n <= stop ? '' : `b${c(n - 1)}`)
      const c = (n: number): string => (n <= stop ? '' : `c${a(n - 1)}`)
      return { fn: a, args: [7], change: () => (stop = 3) }
    },
    'methods of two objects': () => {
      const left = { n: 1, go: (n: number): number => (n === 0 ? left.n : right.go(n - 1) + 1) }
      const right = { n: 10, go: (n: number): number => (n === 0 ? right.n : left.go(n - 1) + 2) }
      return { fn: (n: number) => [left.go(n), right.go(n)], args: [4], change: () => (left.n = right.n = 7) }
    },
    'a class and a function': () => {
      const depth = { n: 2 }
      class Pair {
        readonly inner: Pair | undefined
        constructor(level: number) {
          this.inner = build(level + 1)
        }
      }
      function build(level: number): Pair | undefined {
        return level > depth.n ? undefined : new Pair(level)
      }
      return { fn: () => build(0)?.inner?.inner?.inner === undefined, change: () => (depth.n = 9) }
    },
  },
}
