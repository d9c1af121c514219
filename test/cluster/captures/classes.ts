/** Classes, and instances of them as captures, arguments and results. */
import { EventEmitter } from 'node:events'
import { Shape } from './helpers.ts'
import type { Case, Table } from './types.ts'

const shared = { rate: 3 }
const faster = (): number => ++shared.rate

class Animal {
  readonly legs: number = 4
  speak(): string {
    return `${this.legs} legs at ${shared.rate}`
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
    return this.name.toUpperCase().repeat(shared.rate)
  }
}

class Model {
  weights: number[]
  constructor(weights: number[]) {
    this.weights = weights
  }
  predict(x: number): number {
    return this.weights.reduce((sum, weight) => sum + weight * x, 0) * shared.rate
  }
}

class Stack<T> extends Array<T> {
  label = 'stack'
  top(): T | undefined {
    return this.at(-1)
  }
}
class Index extends Map<string, unknown> {
  names(): string[] {
    return [...this.keys()].map((key) => key.toUpperCase())
  }
}
class Tags extends Set<unknown> {
  readonly since = new Date(1)
}
class Failure extends Error {
  readonly code: string
  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }
}
class Day extends Date {
  next(): Day {
    return new Day(this.getTime() + 864e5)
  }
}
class Vector extends Float64Array {
  sum(): number {
    return this.reduce((a, b) => a + b, 0)
  }
}
class Bus extends EventEmitter {
  topic = 'news'
}

const stack = <T>(...items: T[]): Stack<T> => Stack.from(items) as Stack<T>

export const classes: Table<Case> = {
  classes: {
    made: () => ({ fn: (name: string) => new Dog(name).speak(), args: ['Rex'], change: faster }),
    'with statics': () => ({ fn: () => Dog.make('a').name + Dog.count, change: () => (Dog.count = 8) }),
    'with accessors': () => ({ fn: () => Dog.make('rex').loud, change: faster }),
    'asked with instanceof': () => {
      let asked: Function = Animal
      return {
        fn: () => [Dog.make('x') instanceof asked, Dog.prototype instanceof Animal],
        change: () => (asked = Model),
      }
    },
    'that know each other': () => {
      const extra: object[] = []
      class Tree {
        readonly leaves = [new Leaf(this), ...extra]
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
      return {
        fn: () => [(new Tree().leaves[0] as Leaf).isOf(), new Tree().leaves.length],
        change: () => extra.push({}),
      }
    },
    'in a registry': () => {
      const registry: Record<string, new (name: string) => Dog> = { Dog }
      return {
        fn: (kind: string) => new (registry[kind] as typeof Dog)('r').speak(),
        args: ['Dog'],
        change: () => {
          registry['Dog'] = class extends Dog {}
          faster()
        },
      }
    },
    'written as functions': () => {
      function Old(this: { x: number }, x: number): void {
        this.x = x
      }
      ;(Old.prototype as Record<string, unknown>)['get'] = function (this: { x: number }) {
        return this.x * shared.rate
      }
      const Made = Old as unknown as new (x: number) => { get(): number }
      return { fn: () => new Made(4).get(), change: faster }
    },
  },
  'instances as captures': {
    'with a method': () => {
      const model = new Model([1, 2])
      return { fn: (x: number) => model.predict(x), args: [2], change: () => model.weights.push(3) }
    },
    'and results at once': () => {
      const model = new Model([1])
      return { fn: () => model, change: () => (model.weights = [2]) }
    },
    'inside data': () => {
      const fleet = { dogs: [new Dog('a'), new Dog('b')], by: new Map([['m', new Model([1])]]) }
      return { fn: () => fleet, change: () => fleet.dogs.push(new Dog('c')) }
    },
    frozen: () => {
      let point = Object.freeze(new Shape('p'))
      return { fn: () => [Object.isFrozen(point), point.describe()], change: () => (point = new Shape('q')) }
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
      const proto = { hello: () => `hi ${shared.rate}` }
      const made = Object.create(proto) as typeof proto
      return { fn: () => made.hello(), change: faster }
    },
    'of a class that is not named': () => {
      const made = new (class {
        v = 1
        get twice(): number {
          return this.v * 2
        }
      })()
      return { fn: () => [made.twice, made], change: () => (made.v = 4) }
    },
  },
  'instances as arguments': {
    'with a method': () => ({ fn: (m: Model) => m.predict(1), args: [new Model([5])], change: faster }),
    'of the same class as a capture': () => {
      let expected: Function = Dog
      return {
        fn: (dog: Dog) => dog instanceof expected && Object.getPrototypeOf(dog) === expected.prototype,
        args: [new Dog('x')],
        change: () => (expected = Animal),
      }
    },
    'in a list': () => ({
      fn: (all: Dog[]) => all.map((dog) => dog.speak()),
      args: [[new Dog('a'), new Dog('b')]],
      change: faster,
    }),
    'changed between the calls': () => {
      const model = new Model([1])
      return { fn: (m: Model) => [m, m.weights.length], args: [model], change: () => model.weights.push(2) }
    },
    'in a Map': () => {
      const map = new Map([['dog', new Dog('m')]])
      return {
        fn: (given: Map<string, Dog>) => [...given.values()].map((dog) => dog.name),
        args: [map],
        change: () => map.set('other', new Dog('n')),
      }
    },
  },
  'instances as results': {
    made: () => {
      let name = 'back'
      return { fn: () => new Dog(name), change: () => (name = 'again') }
    },
    'in data': () => {
      const names = ['a']
      return { fn: () => ({ dogs: names.map((name) => new Dog(name)) }), change: () => names.push('b') }
    },
    'of a class of the function itself': () => {
      let v = 1
      return {
        fn: () => {
          class Inner {
            v = v
          }
          return new Inner().v
        },
        change: () => (v = 2),
      }
    },
    'that were arguments': () => {
      const dog = Object.assign(new Dog('same'), { age: 1 })
      return { fn: (given: Dog) => given, args: [dog], change: () => dog.age++ }
    },
    'with a cycle': () => {
      const model = new Model([1])
      return {
        fn: () => {
          const made = Object.assign(new Model(model.weights), { self: {} })
          made.self = made
          return made
        },
        change: () => model.weights.push(4),
      }
    },
  },
  'instances of a class that extends Array': {
    'with a method': () => {
      const items = stack(1, 2)
      return { fn: () => [items.top(), items.length], change: () => items.push(7) }
    },
    returned: () => {
      const items = stack('a')
      return { fn: () => items, change: () => (items.label = 'other') }
    },
    'as an argument': () => {
      const items = stack<unknown>({ a: 1 }, new Dog('x'))
      return {
        fn: (given: Stack<unknown>) => [given instanceof Stack, given],
        args: [items],
        change: () => items.pop(),
      }
    },
    'that is mapped': () => {
      const items = stack(1, 2)
      return { fn: () => items.map((x) => x * 2), change: () => items.push(5) }
    },
    'with holes and properties': () => {
      const items = Object.assign(stack(1), { note: 'n' })
      items[4] = 9
      return { fn: () => [items, 2 in items], change: () => (items[2] = 1) }
    },
  },
  'instances of classes that extend Map and Set': {
    'a Map with a method': () => {
      const index = new Index([['a', 1]])
      return { fn: () => index.names(), change: () => index.set('b', 2) }
    },
    'a Map returned': () => {
      const index = new Index([['dog', new Dog('i')]])
      return { fn: () => index, change: () => index.delete('dog') }
    },
    'a Map as an argument': () => {
      const index = new Index()
      return { fn: (given: Index) => [given.size, given], args: [index], change: () => index.set('self', index.size) }
    },
    'a Set': () => {
      const tags = new Tags(['x'])
      return { fn: () => [tags.has('x'), tags.since.getTime(), tags], change: () => tags.clear() }
    },
    'a Map in itself': () => {
      const index = new Index()
      index.set('self', index)
      return { fn: () => [index.get('self') === index, index.size], change: () => index.set('more', 1) }
    },
  },
  'instances of classes that extend Error, Date and others': {
    'an error': () => {
      const failure = new Failure('no', 'E_NO')
      return {
        fn: () => [failure instanceof Failure, failure.code, failure],
        change: () => Object.assign(failure, { code: 'E_NEVER' }),
      }
    },
    'an error returned': () => {
      let code = 'E_A'
      return { fn: () => Object.assign(new Failure('made', code), { stack: '' }), change: () => (code = 'E_B') }
    },
    'a date': () => {
      const day = new Day(0)
      return { fn: () => [day.next(), day.next().next().getTime()], change: () => day.setTime(5) }
    },
    'a typed array': () => {
      const vector = new Vector([1, 2])
      return { fn: () => [vector.sum(), vector], change: () => (vector[0] = 10) }
    },
    'a regular expression': () => {
      class Word extends RegExp {
        note = 'w'
      }
      const word = new Word('b+', 'g')
      return { fn: () => ['abbab'.replace(word, '-'), word], change: () => (word.note = 'x') }
    },
    'an emitter to which nobody listens': () => {
      const bus = new Bus()
      return { fn: () => [bus.emit('x'), bus.topic, bus instanceof EventEmitter], change: () => (bus.topic = 'old') }
    },
  },
}
