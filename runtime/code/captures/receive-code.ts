/** Reads what `send-code.ts` wrote: functions with their variables, classes, instances. */
import { Pending, type PartReader } from '../../protocol/code-values.ts'
import { evaluateWithVariables, type Evaluated } from '../evaluate-source.ts'
import { form } from './code-forms.ts'
import { copyOf, noteCopy, ownFunction } from './origins.ts'
import { readExtended } from './extended-objects.ts'
import { loadedModule } from './loaded-modules.ts'

/** Texts that a value was sent without, by number. */
export type TextSource = (number: number) => string

export function readCode(reader: PartReader, textOf: TextSource): unknown {
  const kind = reader.count()
  switch (kind) {
    case form.intrinsic:
      return added(reader, followPath(globalThis, reader.text().split('.')))
    case form.module:
      return added(reader, readReference(reader))
    case form.function:
      return readFunction(reader, textOf)
    case form.class:
      return readClass(reader, textOf)
    case form.object:
      return readObject(reader)
    case form.namespace:
      return readNamespace(reader)
    case form.wrapper:
      return readWrapper(reader)
    case form.extended:
      return readInstance(reader)
    case form.made:
      return readMade(reader)
    default:
      throw new TypeError(`code of the kind ${kind}, which this version does not know`)
  }
}

function added(reader: PartReader, value: unknown): unknown {
  reader.add(value as object)
  return value
}

function followPath(from: unknown, path: readonly string[]): unknown {
  let at = from
  for (const step of path) {
    if (at === undefined || at === null) break
    at = (at as Record<string, unknown>)[step]
  }
  if (at === undefined) throw new TypeError(`this Node has no ${path.join('.')}; run the same version everywhere`)
  return at
}

function readReference(reader: PartReader): unknown {
  const url = reader.text()
  return loadedModule(url, reader.text())
}

interface Head {
  readonly origin: string
  readonly text: string
  readonly name: string
}

function readHead(reader: PartReader, textOf: TextSource): Head {
  const origin = reader.text()
  const number = reader.count()
  const text = number === 0 ? reader.text() : textOf(number - 1)
  return { origin, text, name: reader.text() }
}

function readFunction(reader: PartReader, textOf: TextSource): unknown {
  const { origin, text, name } = readHead(reader, textOf)
  const names = readNames(reader)
  const own = ownFunction(origin)
  if (own !== undefined) {
    reader.add(own)
    readValues(reader, names)
    readProperties(reader, undefined)
    readPrototype(reader, undefined)
    return own
  }
  const made = evaluateWithVariables(text, name, names)
  const fn = made.make() as Function
  noteCopy(fn, origin)
  reader.add(fn)
  setVariables(reader, made, readValues(reader, names))
  readProperties(reader, fn)
  readPrototype(reader, fn)
  return fn
}

/** The variables of classes that were made here, so that they follow those of the original. */
const classes = new WeakMap<Function, Evaluated>()

function readClass(reader: PartReader, textOf: TextSource): unknown {
  const { origin, text, name } = readHead(reader, textOf)
  const names = readNames(reader)
  const own = ownFunction(origin)
  const copy = own ?? copyOf(origin)
  if (copy !== undefined) {
    reader.add(copy)
    const values = readValues(reader, names)
    const made = classes.get(copy)
    if (own === undefined && made !== undefined) setVariables(reader, made, values)
    const changed = own === undefined ? copy : undefined
    const before = changed === undefined ? undefined : replacedIn(changed)
    readProperties(reader, changed, before?.own)
    readPrototype(reader, changed, before?.inherited)
    return copy
  }
  // What it extends has to be there before it is made.
  const pending = reader.reserve()
  const made = evaluateWithVariables(text, name, names)
  setVariables(reader, made, readValues(reader, names))
  const fn = made.make() as Function
  reader.fill(pending, fn)
  classes.set(fn, made)
  noteCopy(fn, origin)
  const { own: ofClass, inherited } = replacedIn(fn)
  readProperties(reader, fn, ofClass)
  readPrototype(reader, fn, inherited)
  return fn
}

/** What stood where something else was put: undefined where nothing did. It is back as soon as that does not come. */
type Replaced = Map<string | symbol, PropertyDescriptor | undefined>

const replaced = new WeakMap<Function, { readonly own: Replaced; readonly inherited: Replaced }>()

function replacedIn(copy: Function): { readonly own: Replaced; readonly inherited: Replaced } {
  let found = replaced.get(copy)
  if (found === undefined) replaced.set(copy, (found = { own: new Map(), inherited: new Map() }))
  return found
}

function restore(target: object, before: Replaced, came: ReadonlySet<string | symbol>): void {
  for (const [key, property] of before) {
    if (came.has(key)) continue
    before.delete(key)
    if (property === undefined) Reflect.deleteProperty(target, key)
    else Reflect.defineProperty(target, key, property)
  }
}

function readNames(reader: PartReader): string[] {
  const names: string[] = []
  for (let left = reader.count(); left > 0; left--) names.push(reader.text())
  return names
}

function readValues(reader: PartReader, names: readonly string[]): unknown[] {
  return names.map(() => (reader.count() === 0 ? reader.value() : readReference(reader)))
}

function setVariables(reader: PartReader, made: Evaluated, values: readonly unknown[]): void {
  made.set(values)
  if (values.some((value) => value instanceof Pending)) reader.finally(() => made.set(values.map(settled)))
}

function settled(value: unknown): unknown {
  return value instanceof Pending ? value.value : value
}

function readProperties(reader: PartReader, target: object | undefined, before?: Replaced): void {
  const came = new Set<string | symbol>()
  for (let left = reader.count(); left > 0; left--) {
    const key = reader.value() as string | symbol
    const flags = reader.count()
    came.add(key)
    if (target !== undefined && before?.has(key) === false)
      before.set(key, Object.getOwnPropertyDescriptor(target, key))
    // A class stays for the next call, which may bring another value for what its program has frozen.
    define(reader, target, key, before === undefined ? flags : flags & ~fixed, reader.value())
  }
  if (target !== undefined && before !== undefined) restore(target, before, came)
}

/** Of the flags of a property: it cannot be configured. */
const fixed = 4

function define(
  reader: PartReader,
  target: object | undefined,
  key: string | symbol,
  flags: number,
  value: unknown,
): void {
  if (target === undefined) return
  const set = (settledValue: unknown): void => {
    const attributes = {
      enumerable: (flags & 1) !== 0,
      writable: (flags & 2) === 0,
      configurable: (flags & fixed) === 0,
    }
    Object.defineProperty(target, key, { value: settledValue, ...attributes })
  }
  if (value instanceof Pending) reader.finally(() => set(value.value))
  else if (!isAlready(target, key, value)) set(value)
}

/** What cannot be changed any more may be as it should be. */
function isAlready(target: object, key: string | symbol, value: unknown): boolean {
  const known = Object.getOwnPropertyDescriptor(target, key)
  return known !== undefined && 'value' in known && Object.is(known.value, value) && known.configurable === false
}

/** What was put on the prototype of a function, and what that inherits from. */
function readPrototype(reader: PartReader, fn: Function | undefined, before?: Replaced): void {
  const prototype = fn === undefined ? undefined : (fn.prototype as object | undefined)
  readProperties(reader, prototype, before)
  if (reader.count() === 0) return
  const parent = settled(reader.value())
  if (prototype !== undefined && typeof parent === 'function')
    Object.setPrototypeOf(prototype, parent.prototype as object)
}

/** What is made may be used by the function that it is made of: that one is there, without its variables, by then. */
function readMade(reader: PartReader): unknown {
  const pending = reader.reserve()
  const make = readReference(reader) as (...args: unknown[]) => object
  const args: unknown[] = []
  for (let left = reader.count(); left > 0; left--) args.push(reader.value())
  const made = make(...args)
  reader.fill(pending, made)
  return made
}

function readObject(reader: PartReader): unknown {
  const object: object = {}
  reader.add(object)
  const ofClass = reader.count() === 1
  setPrototype(reader, object, reader.value(), ofClass)
  readProperties(reader, object)
  readLock(reader, object)
  return object
}

/** Of a class that extends a built-in one. */
function readInstance(reader: PartReader): unknown {
  const number = reader.count()
  const pending = reader.reserve()
  const { object, fill } = readExtended(number, reader)
  reader.fill(pending, object)
  const inherit = reader.value()
  // While it is of the built-in class, nothing of its own is called.
  fill()
  setPrototype(reader, object, inherit, true)
  readProperties(reader, object)
  readLock(reader, object)
  return object
}

function setPrototype(reader: PartReader, object: object, from: unknown, ofClass: boolean): void {
  const inherit = (base: unknown): void => {
    Object.setPrototypeOf(object, ofClass ? ((base as Function).prototype as object) : (base as object))
  }
  if (from instanceof Pending) reader.finally(() => inherit(from.value))
  else inherit(from)
}

/** Whether it can be changed. */
function readLock(reader: PartReader, object: object): void {
  const locked = reader.count()
  if (locked > 0)
    reader.finally(() => (locked === 3 ? Object.freeze : locked === 2 ? Object.seal : Object.preventExtensions)(object))
}

/** All of a module of the program's own, as `import * as` has it. */
function readNamespace(reader: PartReader): unknown {
  const namespace = Object.create(null) as object
  reader.add(namespace)
  readProperties(reader, namespace)
  reader.finally(() => Object.freeze(namespace))
  return namespace
}

/** What a compiler's import of a CommonJS module is: its exports, and all of them as `default`. */
function readWrapper(reader: PartReader): unknown {
  const url = reader.text()
  const whole = loadedModule(url, '=')
  const wrapper = Object.create(Object.getPrototypeOf(whole) as object) as object
  const isThing = (typeof whole === 'object' && whole !== null) || typeof whole === 'function'
  const properties = isThing ? Object.entries<PropertyDescriptor>(Object.getOwnPropertyDescriptors(whole)) : []
  for (const [key, property] of properties) Object.defineProperty(wrapper, key, { ...property, configurable: true })
  Object.defineProperty(wrapper, 'default', { value: whole, enumerable: true })
  return added(reader, wrapper)
}
