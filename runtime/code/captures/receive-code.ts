/** Reads what `send-code.ts` wrote: functions with their variables, classes, instances. */
import { Pending, type PartReader } from '../../protocol/code-values.ts'
import { evaluateWithVariables, type Evaluated } from '../evaluate-source.ts'
import { parentName } from './class-made-again.ts'
import { form, parts } from './code-forms.ts'
import { copyOf, noteCopy, ownFunction } from './origins.ts'
import { readExtended } from './extended-objects.ts'
import { loadedModule } from './loaded-modules.ts'
import { readMembers, readParents, readProperties, writtenMember } from './read-members.ts'

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
    case form.member:
      return readMember(reader)
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
    readMembers(reader, undefined, false)
    readParents(reader, undefined)
    return own
  }
  const made = evaluateWithVariables(text, name, names)
  const fn = made.make() as Function
  noteCopy(fn, origin)
  reader.add(fn)
  setVariables(reader, made, readValues(reader, names))
  readMembers(reader, fn, false)
  readParents(reader, fn)
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
    readMembers(reader, changed, true)
    readParents(reader, changed, values[names.indexOf(parentName)])
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
  readMembers(reader, fn, true)
  readParents(reader, fn)
  return fn
}

/** A method of the text of a class, which may be waiting for its variables. */
function readMember(reader: PartReader): unknown {
  const pending = reader.reserve()
  const made = reader.value()
  const side = reader.count() === 0 ? 'own' : 'inherited'
  const part = parts[reader.count()] ?? 'value'
  const key = reader.value() as string | symbol
  const fill = (of: unknown): Function => {
    let method = writtenMember(of as Function, side, part, key)
    // Of a class of this process nothing is read but its name.
    method ??= () => undefined
    reader.fill(pending, method)
    return method
  }
  if (!(made instanceof Pending)) return fill(made)
  reader.finally(() => fill(made.value))
  return pending
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
