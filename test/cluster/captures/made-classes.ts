/** Classes that did something when they were made, which is not done again, and those whose keys or parents moved. */
import type { Case, Table } from './types.ts'

type AnyClass = abstract new (...args: never[]) => object

/** What compilers make of the decorator of a method: a static block that hands the class out. */
function decorateIn(made: AnyClass, name: string, initializers: unknown[]): void {
  const prototype = made.prototype as Record<string, (...args: unknown[]) => unknown>
  const written = prototype[name] as (...args: unknown[]) => unknown
  const value = function (this: unknown, ...args: unknown[]): string {
    return `<${String(Reflect.apply(written, this, args))}>`
  }
  Object.defineProperty(prototype, name, { value, writable: true, configurable: true })
  initializers.push(initializers.length + 1)
}

export const madeClasses: Table<Case> = {
  'classes that did something when they were made': {
    'a static block that decorates, before a method was replaced': () => {
      const initializers: unknown[] = []
      class Tool {
        static {
          decorateIn(this, 'use', initializers)
        }
        use(times: number): string {
          return `used ${times}`
        }
        take(): string {
          return 'taken'
        }
        get added(): unknown[] {
          return initializers
        }
      }
      Tool.prototype.take = () => 'replaced'
      const tool = new Tool()
      return {
        fn: () => [tool.use(2), tool.take(), tool.added],
        change: () => (Tool.prototype.use = () => 'late'),
      }
    },
    'a decorated method that uses super and a private field': () => {
      class Base {
        kind = 'saw'
        use(): string {
          return `used ${this.kind}`
        }
      }
      class Tool extends Base {
        #times = 3
        static {
          decorateIn(this, 'use', [])
        }
        override use(): string {
          return super.use().repeat(this.#times)
        }
      }
      return { fn: () => new Tool().use(), change: () => (Base.prototype.use = () => 'late') }
    },
    'a static block that freezes': () => {
      class Tool {
        static readonly sizes = [1]
        static {
          Object.freeze(this)
        }
        use(): number {
          return Tool.sizes.length
        }
      }
      return { fn: () => new Tool().use(), change: () => Tool.sizes.push(2) }
    },
    'a static field that counts': () => {
      let count = 0
      const next = (): number => ++count
      class Tool {
        static readonly number = next()
        static readonly next = Tool.number + next()
      }
      return { fn: () => [Tool.number, Tool.next, count], change: next }
    },
    'a static block that tells others': () => {
      const registry: string[] = []
      class Tool {
        static {
          registry.push('Tool')
        }
        all(): string[] {
          return registry
        }
      }
      return { fn: () => new Tool().all(), change: () => registry.push('more') }
    },
    'a static value that is a method of the text, put elsewhere': () => {
      class Tool {
        static {
          Object.defineProperty(this.prototype, 'late', { value: Reflect.get(this, 'make'), configurable: true })
        }
        static make(): string {
          return 'made'
        }
      }
      const late = (): unknown => (new Tool() as unknown as { late(): unknown }).late()
      return {
        fn: () => late(),
        change: () => Object.defineProperty(Tool.prototype, 'late', { value: () => 'later', configurable: true }),
      }
    },
  },
  'classes whose members moved': {
    'a method that was deleted, and is back': () => {
      class Tool {
        use(): string {
          return 'used'
        }
        static make(): Tool {
          return new Tool()
        }
      }
      const written = Object.getOwnPropertyDescriptors(Tool.prototype)
      const made = Tool.make()
      Reflect.deleteProperty(Tool.prototype, 'use')
      Reflect.deleteProperty(Tool, 'make')
      return {
        fn: () => [typeof made.use, typeof Tool.make],
        change: () => Object.defineProperties(Tool.prototype, written),
      }
    },
    'keys that were computed': () => {
      let at = 0
      const next = (): string => `use${++at}`
      class Tool {
        [next()](): number {
          return 1
        }
        get [next()](): number {
          return 2
        }
        static [next()](): number {
          return 3
        }
      }
      const names = (of: object): unknown[] => [Object.getOwnPropertyNames(of), at]
      return { fn: () => [names(Tool.prototype), names(Tool)], change: next }
    },
    'half an accessor that was replaced': () => {
      class Tool {
        #weight = 1
        get weight(): number {
          return this.#weight
        }
        set weight(value: number) {
          this.#weight = value
        }
      }
      const weight = Object.getOwnPropertyDescriptor(Tool.prototype, 'weight') as PropertyDescriptor
      const put = (factor: number): unknown =>
        Object.defineProperty(Tool.prototype, 'weight', {
          ...weight,
          get(this: Tool): number {
            return Number(weight.get?.call(this)) * factor
          },
        })
      put(10)
      return {
        fn: () => {
          const tool = new Tool()
          tool.weight = 3
          return tool.weight
        },
        change: () => put(20),
      }
    },
    'an accessor that was put there, of the class itself, too': () => {
      class Tool {
        static weight = 2
      }
      class Saw extends Tool {
        static override weight = 5
      }
      const put = (factor: number): void => {
        for (const holder of [Tool, Tool.prototype])
          Object.defineProperty(holder, 'twice', {
            configurable: true,
            get(this: { weight: number }): number {
              return this.weight * factor
            },
          })
      }
      put(2)
      const twice = (of: object): unknown => (of as { twice: unknown }).twice
      return { fn: () => [twice(Saw), twice(Object.assign(new Tool(), { weight: 7 }))], change: () => put(3) }
    },
    'attributes, and what was set on a method': () => {
      class Tool {
        use(): unknown {
          return Object.getOwnPropertyDescriptor(Tool.prototype, 'use')
        }
      }
      const { use } = Object.getOwnPropertyDescriptors(Tool.prototype)
      Object.assign(use.value as object, { level: 3 })
      Object.defineProperty(Tool.prototype, 'use', { ...use, enumerable: true })
      return {
        fn: () => {
          const { enumerable, writable } = new Tool().use() as PropertyDescriptor
          return [
            enumerable,
            writable,
            (use.value as unknown as { level: number }).level,
            Reflect.get(Reflect.get(Tool.prototype, 'use') as object, 'level') as unknown,
          ]
        },
        change: () => Object.defineProperty(Tool.prototype, 'use', { writable: false }),
      }
    },
    'another constructor, name and length': () => {
      class Other {}
      class Tool {
        constructor(...parts: unknown[]) {
          Object.assign(this, { parts })
        }
      }
      Object.defineProperty(Tool.prototype, 'constructor', { value: Other })
      Object.defineProperty(Tool, 'length', { value: 2, configurable: true })
      return {
        fn: () => [new Tool().constructor === Other, Tool.length],
        change: () => Object.defineProperty(Tool, 'length', { value: 3 }),
      }
    },
  },
  'parents that moved': {
    'of the prototype of a class': () => {
      class Tool {}
      const said = { say: (): string => 'said' }
      const { say } = said
      Object.setPrototypeOf(Tool.prototype, said)
      const asked = (): unknown => (new Tool() as unknown as typeof said).say?.()
      return { fn: () => asked(), change: () => (said.say = () => `${say()} again`) }
    },
    'of a class, which extends another one for its instances': () => {
      class Base {
        static kind = 'base'
        of(): string {
          return 'base'
        }
      }
      class Other {
        static kind = 'other'
        of(): string {
          return 'other'
        }
      }
      class Tool extends Base {}
      Object.setPrototypeOf(Tool, Other)
      return { fn: () => [Tool.kind, new Tool().of()], change: () => Reflect.setPrototypeOf(Tool, Base) }
    },
    'of functions that are classes': () => {
      function Base(): void {}
      function Tool(): void {}
      Object.assign(Base, { kind: 'base' })
      ;(Base.prototype as Record<string, unknown>)['of'] = () => 'base'
      Object.setPrototypeOf(Tool, Base)
      Tool.prototype = Object.create(Base.prototype as object, { constructor: { value: Tool } }) as object
      const Made = Tool as unknown as { new (): { of(): unknown }; kind: string }
      return { fn: () => [Made.kind, new Made().of()], change: () => Object.assign(Base, { kind: 'other' }) }
    },
    'of a function whose prototype is an error, or another object': () => {
      function Failure(): void {}
      function Old(): void {}
      const said = { at: 1 }
      Failure.prototype = Object.create(Error.prototype) as object
      Old.prototype = Object.create(said) as object
      const make = (of: unknown): object => new (of as new () => object)()
      return {
        fn: () => [make(Failure) instanceof Error, (make(Old) as typeof said).at, make(Old).constructor === Object],
        change: () => said.at++,
      }
    },
    'accessors of an object that another one was made from': () => {
      const proto = {
        a: 0,
        get twice(): number {
          return this.a * 2
        },
      }
      const made = Object.assign(Object.create(proto) as typeof proto, { a: 4 })
      return { fn: () => made.twice, change: () => made.a++ }
    },
  },
}
