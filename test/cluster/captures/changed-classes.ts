/** Classes that are no longer what their text says: decorators, mixins, and whoever assigns to a prototype. */
import type { Case, Table } from './types.ts'

type Method = (this: unknown, ...args: never[]) => unknown

/** What a decorator of methods does: the property stays as little enumerable as it was. */
function decorate(target: object, name: string, wrap: (method: Method) => Method): void {
  const property = Object.getOwnPropertyDescriptor(target, name)
  Object.defineProperty(target, name, { ...property, value: wrap(property?.value as Method) })
}

function marked(method: Method): Method {
  return function (this: unknown, ...args) {
    return `<${String(Reflect.apply(method, this, args))}>`
  }
}

export const changedClasses: Table<Case> = {
  'classes that were changed later': {
    'a method that was replaced, and is put back': () => {
      class Tool {
        use(): string {
          return 'written'
        }
      }
      const written = Object.getOwnPropertyDescriptors(Tool.prototype)
      Tool.prototype.use = () => 'replaced'
      const tool = new Tool()
      return { fn: () => tool.use(), change: () => Object.defineProperties(Tool.prototype, written) }
    },
    'a method at the place of another one': () => {
      class Tool {
        use(): string {
          return 'used'
        }
        take(): string {
          return 'taken'
        }
        static make(): string {
          return 'made'
        }
        static copy(): string {
          return 'copied'
        }
      }
      const { use } = Object.getOwnPropertyDescriptors(Tool.prototype)
      const { make } = Object.getOwnPropertyDescriptors(Tool)
      Object.defineProperty(Tool.prototype, 'take', use)
      Object.defineProperty(Tool.prototype, 'hold', { value: use.value })
      const tool = new Tool() as Tool & { hold(): string }
      return {
        fn: () => [tool.use(), tool.take(), tool.hold(), Tool.make(), Tool.copy()],
        change: () => Object.defineProperty(Tool, 'copy', make),
      }
    },
    'a frozen class': () => {
      class Tool {
        static readonly sizes = [1]
        use(): number {
          return Tool.sizes.length
        }
      }
      Object.freeze(Tool)
      Object.freeze(Tool.prototype)
      return { fn: () => new Tool().use(), change: () => Tool.sizes.push(2) }
    },
    'a method with a decorator': () => {
      class Tool {
        readonly weight = 2
        use(times: number): unknown {
          return this.weight * times
        }
      }
      decorate(Tool.prototype, 'use', marked)
      return {
        fn: (times: number) => new Tool().use(times),
        args: [3],
        change: () => decorate(Tool.prototype, 'use', marked),
      }
    },
    'a static method with a decorator': () => {
      class Tool {
        static made = 1
        static make(): unknown {
          return this.made
        }
      }
      decorate(Tool, 'make', marked)
      return { fn: () => Tool.make(), change: () => Tool.made++ }
    },
    'methods of a mixin': () => {
      class Named {
        name = 'n'
        hello(): string {
          return `hello ${this.name}`
        }
      }
      class Tool {
        name = 'tool'
      }
      const mixin = Object.getOwnPropertyDescriptors(Named.prototype)
      Object.defineProperty(Tool.prototype, 'hello', mixin.hello)
      const tool = new Tool() as Tool & Named
      return { fn: () => tool.hello(), change: () => (tool.name = 'other') }
    },
    'a method under a symbol': () => {
      class Box {
        readonly items = [1, 2]
      }
      const items = function* (this: Box): Generator<number> {
        yield* this.items
      }
      ;(Box.prototype as Partial<Iterable<number>>)[Symbol.iterator] = items
      const box = new Box() as Box & Iterable<number>
      return { fn: () => [...box], change: () => box.items.push(3) }
    },
    'a static value that nobody lists': () => {
      class Tool {
        declare static kind: string
      }
      Object.defineProperty(Tool, 'kind', { value: 'saw', configurable: true })
      return {
        fn: () => Tool.kind,
        change: () => Object.defineProperty(Tool, 'kind', { value: 'file', configurable: true }),
      }
    },
  },
}
