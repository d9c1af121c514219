/**
 * Functions, classes and objects that a call captures, in every form that they are sent in. Their texts are evaluated
 * here: what loads a test may write them anew, and not each version of it in the same way.
 */
import { EventEmitter } from 'node:events'
import path, { join } from 'node:path'
import { runInThisContext } from 'node:vm'
import type { form } from '../../../../runtime/code/captures/code-forms.ts'
import { noteCopy } from '../../../../runtime/code/captures/origins.ts'
import { madeAgain } from '../../../../runtime/protocol/code-values.ts'

let made = 0

/** Named as the copy of a function of another process is: with a name that is the same everywhere. */
function named<F extends Function>(fn: F): F {
  noteCopy(fn, `00112233445566ff:${(++made).toString(36)}`)
  return fn
}

function evaluated(text: string): unknown {
  return runInThisContext(`(() => { 'use strict'; ${text} })()`)
}

type Class = new (...args: never[]) => object

export const plain: Function = named(evaluated('return (a, b) => a + b') as Function)
const capturing = named(
  evaluated(
    'const factor = 2, list = [{ a: 1 }]; return function scale(n) { return n * factor * list.length }',
  ) as Function,
)
Object.assign(capturing, { unit: 'mm' })

const Shape = named(
  evaluated(`
  return class Shape {
    static count = 0
    get area() { return 1 }
    set area(value) {}
    set colour(value) {}
    describe() { return super.toString() }
    grow() {}
    left() {}
    [Symbol.for('kept')]() { return 1 }
  }`) as Class,
)
const Square = named(evaluated('return (Parent) => class Square extends Parent { side = 2 }') as Function)
const SquareClass = named((Square as (parent: Class) => Class)(Shape))
const Mixed = named(evaluated('return class Mixed {}') as Class)
const wrap = named(evaluated('return (method) => function wrapped() { return method.call(this) }') as Function)

/** What decorators, mixins and assignments do to a class. */
function changeClasses(): void {
  const { prototype } = Shape as unknown as { prototype: Record<string, () => unknown> }
  const { describe, grow } = prototype
  Object.assign(grow as object, { marked: true })
  const wrapped = named((wrap as (method: unknown) => Function)(describe))
  Object.defineProperty(prototype, 'describe', { value: wrapped, writable: true, configurable: true })
  delete prototype['left']
  const getter = named(evaluated('return function () { return 5 }') as () => unknown)
  const written = Object.getOwnPropertyDescriptor(prototype, 'colour') as PropertyDescriptor
  Object.defineProperty(prototype, 'colour', { ...written, get: getter, enumerable: true, configurable: false })
  Object.defineProperty(Shape, 'fixed', { value: 1, enumerable: true })
  Object.setPrototypeOf(Mixed.prototype, SquareClass.prototype as object)
  Object.setPrototypeOf(Mixed, { inherited: plain })
}
changeClasses()

/** An object of which another one is made, as shims have them. */
class MadeAgain {
  [madeAgain](): unknown {
    return { module: 'outpool:lib/index.js', exportName: 'limit', args: [['count', 3]] }
  }
}

const prototype = {
  get doubled(): number {
    return 2
  },
}
const accessor = Object.getOwnPropertyDescriptor(prototype, 'doubled') as PropertyDescriptor
Object.defineProperty(prototype, 'doubled', {
  ...accessor,
  get: named(evaluated('return function () { return 2 }') as () => number),
})

const extending = evaluated('return (Base) => class Own extends Base {}') as (base: Function) => Class

/** An object of a class that extends `base`, a built-in one. */
function extendedBy(base: Function, ...args: unknown[]): object {
  return Object.assign(Reflect.construct(base, args, named(extending(base))) as object, { label: 'x' })
}

/** An error with a stack that is the same everywhere. */
const failure = Object.assign(extendedBy(TypeError, 'wrong'), { stack: 'TypeError: wrong' })

const extended = [
  extendedBy(Array, 'a', 'b'),
  extendedBy(Map, [[1, 'one']]),
  extendedBy(Set, [1]),
  extendedBy(Date, 1_700_000_000_000),
  extendedBy(RegExp, 'a+', 'g'),
  failure,
  ...[extendedBy(Number, 1), extendedBy(String, 's'), extendedBy(Boolean, true)],
  extendedBy(Uint16Array, [1, 2]),
  extendedBy(EventEmitter),
]

export const code: Readonly<Record<Exclude<keyof typeof form, 'namespace'>, unknown>> = {
  intrinsic: [globalThis, Array.prototype.map, console],
  module: [join, path],
  function: [plain, capturing, capturing],
  class: [Shape, SquareClass, Mixed],
  object: [Object.freeze(new Shape()), Object.create(prototype)],
  wrapper: { ...path, default: path },
  extended,
  made: new MadeAgain(),
  member: Shape,
}

const ownModule = "data:text/javascript,export const answer = 42; export const names = ['a']"

/** All of a module of a program's own, as `import * as` has it; what loads a test may make another object of it. */
export function namespace(): Promise<object> {
  return import(ownModule) as Promise<object>
}
