import { EventEmitter } from 'node:events'
import { expect } from 'chai'
import fc from 'fast-check'
import { codeCodec } from '../../../../runtime/code/captures/send-code.ts'
import { decodeValue, encodeValue, type RefCodec } from '../../../../runtime/objects/value.ts'
import { difference } from '../../objects/same-value.ts'

const none = (): never => {
  throw new Error('no refs here')
}
const codec: RefCodec = {
  isRef: () => false,
  describe: none,
  revive: none,
  code: codeCodec(undefined, undefined, true),
}

/** There and back; classes of this process come back as themselves. */
function sent<T>(value: T): T {
  return decodeValue(encodeValue(value, 'value', codec), codec) as T
}

let made = 0
class Stack extends Array<unknown> {
  label = 'stack'
  top(): unknown {
    return this.at(-1)
  }
}
class Index extends Map<unknown, unknown> {
  constructor() {
    super()
    made++
  }
  override set(key: unknown, value: unknown): this {
    made++
    return super.set(key, value)
  }
}
class Bag extends Set<unknown> {
  override add(): never {
    throw new Error('it is closed')
  }
}
class Day extends Date {
  zone = 'UTC'
}
class Pattern extends RegExp {
  note = 1
}
class Vector extends Float64Array {
  norm(): number {
    return Math.hypot(...this)
  }
}
class Meters extends Number {
  unit = 'm'
}
class Name extends String {
  kind = 'name'
}
class Failure extends Error {
  readonly code: number
  constructor(message: string, code: number) {
    super(message)
    made++
    this.name = 'Failure'
    this.code = code
  }
}
class Many extends AggregateError {}
class Bus extends EventEmitter {
  name = 'bus'
}

function same(value: object): void {
  const before = made
  const copy = sent(value)
  expect(made, 'a constructor or a method was called').to.equal(before)
  expect(copy).not.to.equal(value)
  expect(Object.getPrototypeOf(copy)).to.equal(Object.getPrototypeOf(value))
  expect(Object.getOwnPropertyNames(copy)).to.have.members(Object.getOwnPropertyNames(value))
  expect(copy).deep.equal(value)
}

describe('instances of classes that extend a built-in one', () => {
  it('are what they were: of Array, Map, Set, Date, RegExp, typed arrays, Number, String', () => {
    same(Stack.from([1, { a: 2 }, 'x']))
    same(new Stack())
    same(Object.assign(new Stack(), { label: 'other', extra: [1] }))
    same(new Index().set('a', 1).set({ k: 1 }, new Set([2])))
    same(Object.setPrototypeOf(new Set([1, 'a']), Bag.prototype) as object)
    same(new Day(5))
    same(new Day(Number.NaN))
    same(new Pattern('a(?<n>b)', 'gi'))
    same(new Vector([3, 4]))
    same(new Meters(5))
    same(new Name('abc'))
    expect(sent(new Vector([3, 4])).norm()).to.equal(5)
    expect(sent(new Meters(5)).valueOf()).to.equal(5)
    expect(sent(Object.assign(new Pattern('b', 'g'), { lastIndex: 2 }))).to.include({ lastIndex: 2, note: 1 })
  })

  it('are what they were: of Error, with stack, cause and what was set on them', () => {
    const failure = Object.assign(new Failure('no', 7), { cause: new RangeError('far') })
    same(failure)
    expect(sent(failure)).to.be.instanceOf(Failure)
    expect(sent(failure).stack).to.equal(failure.stack)
    expect(sent(failure).cause).to.be.instanceOf(RangeError)
    expect(Object.keys(sent(failure))).deep.equal(Object.keys(failure))
    const many = new Many([new Failure('a', 1), 2], 'both')
    expect(sent(many).errors[0]).to.be.instanceOf(Failure)
    expect(Object.prototype.toString.call(sent(many))).to.equal('[object Error]')
  })

  it('are told by name alone where their class cannot travel', () => {
    class Secret extends Error {
      #key = 1
      get(): number {
        return this.#key
      }
    }
    const copy = sent(new Secret('hidden')) as Error
    expect(copy).not.to.be.instanceOf(Secret)
    expect(copy).to.include({ message: 'hidden', originalName: 'Secret' })
  })

  it('are EventEmitters to which nobody listens', () => {
    same(new Bus({ captureRejections: true }))
    const copy = sent(new Bus())
    copy.setMaxListeners(2).on('x', () => made++)
    expect(copy.emit('x')).to.equal(true)
    expect(sent(new EventEmitter())).to.be.instanceOf(EventEmitter)
    expect(() => sent({ bus: new Bus().once('tick', () => undefined) })).to.throw(
      "value -> bus: an EventEmitter with a listener for 'tick', which would not be called in this process; make the emitter inside",
    )
  })

  it('keep cycles, holes, shared items and whether they can be changed', () => {
    const stack = new Stack()
    const index = new Index()
    stack.push(stack, index, index)
    index.set('stack', stack).set(index, 1)
    stack[5] = 'far'
    const copy = sent(stack)
    expect(copy[0]).to.equal(copy)
    expect(copy[1]).to.equal(copy[2])
    expect((copy[1] as Index).get('stack')).to.equal(copy)
    expect((copy[1] as Index).get(copy[1])).to.equal(1)
    expect([copy.length, 3 in copy, copy[5]]).deep.equal([6, false, 'far'])
    expect(Object.isFrozen(sent(Object.freeze(Stack.of(1, 2))))).to.equal(true)
    expect(Object.isExtensible(sent(Object.preventExtensions(new Index())))).to.equal(false)
    class Loop extends Map<unknown, unknown> {
      static readonly own = new Loop()
    }
    Loop.own.set(Loop, Loop.own)
    expect(sent(Loop.own).get(Loop)).to.be.instanceOf(Loop)
  })

  it('are refused by the way to them where what they keep cannot be read, or their class has private fields', () => {
    class Later extends Promise<number> {}
    class Weak extends WeakMap<object, number> {}
    class Hidden extends Map<string, number> {
      #n = 1
      get n(): number {
        return this.#n
      }
    }
    class Text extends Buffer {}
    const refused: readonly (readonly [object, string])[] = [
      [Later.resolve(1), 'a Promise; await it first'],
      [new Weak(), 'a WeakMap'],
      [new Hidden(), 'the private field #n'],
      [Object.setPrototypeOf(Buffer.from('x'), Text.prototype) as object, 'Text'],
      [Stack.of(Symbol('s')), 'value -> [0]: a symbol'],
      [new Index().set('k', new WeakSet()), 'value -> get("k"): a WeakSet'],
    ]
    for (const [value, why] of refused) expect(() => sent(value)).to.throw(why)
  })

  it('have the items that they had, whatever those are', () => {
    const anything = fc.anything({ withDate: true, withMap: true, withSet: true, withTypedArray: true })
    fc.assert(
      fc.property(fc.array(anything), fc.array(fc.tuple(anything, anything)), (items, entries) => {
        const stack = Object.assign(new Stack(), items)
        const index = new Index()
        for (const [key, value] of entries) Map.prototype.set.call(index, key, value)
        expect(difference([...sent(stack)], [...stack])).to.equal(undefined)
        expect(difference([...sent(index)], [...index])).to.equal(undefined)
      }),
      { numRuns: 100 },
    )
  })
})
