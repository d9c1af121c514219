/** Reads what `write-members.ts` wrote. */
import { Pending, type PartReader } from '../../protocol/code-values.ts'
import type { Key, Part, Side } from '../class-members.ts'
import { half, inherits, mark } from './code-forms.ts'

/** What stood where something else was put: undefined where nothing did. It is back as soon as that does not come. */
type Replaced = Map<Key, PropertyDescriptor | undefined>
type Sides = Readonly<Record<Side, Replaced>>

const replaced = new WeakMap<Function, Sides>()

function replacedIn(made: Function): Sides {
  let found = replaced.get(made)
  if (found === undefined) replaced.set(made, (found = { own: new Map(), inherited: new Map() }))
  return found
}

function restore(target: object, before: Replaced, came: ReadonlySet<Key>): void {
  for (const [key, property] of before) {
    if (came.has(key)) continue
    before.delete(key)
    const method = property?.value as unknown
    const added = typeof method === 'function' ? replaced.get(method)?.own : undefined
    if (added !== undefined) restore(method as Function, added, new Set())
    if (property === undefined) Reflect.deleteProperty(target, key)
    else Reflect.defineProperty(target, key, property)
  }
}

/** The method that the text of a class made there. */
export function writtenMember(made: Function, side: Side, part: Part, key: Key): Function | undefined {
  const before = replaced.get(made)?.[side]
  const of = side === 'own' ? made : (made.prototype as object)
  const property = before?.has(key) === true ? before.get(key) : Object.getOwnPropertyDescriptor(of, key)
  return property?.[part] as Function | undefined
}

/**
 * What was set on a function or class, then on its prototype; without one it is read and forgotten. `stays`: it is kept
 * for the next call, which may bring other things.
 */
export function readMembers(reader: PartReader, made: Function | undefined, stays: boolean): void {
  const before = made !== undefined && stays ? replacedIn(made) : undefined
  readProperties(reader, made, before?.own)
  readProperties(reader, made?.prototype as object | undefined, before?.inherited)
}

/** `target` undefined: they are read and forgotten. */
export function readProperties(reader: PartReader, target: object | undefined, before?: Replaced): void {
  const came = new Set<Key>()
  for (let left = reader.count(); left > 0; left--) {
    const key = reader.value() as Key
    came.add(key)
    if (target !== undefined && before?.has(key) === false)
      before.set(key, Object.getOwnPropertyDescriptor(target, key))
    readProperty(reader, target, key, before)
  }
  if (target !== undefined && before !== undefined) restore(target, before, came)
}

function readProperty(reader: PartReader, target: object | undefined, key: Key, before: Replaced | undefined): void {
  const marks = reader.count()
  // A class stays for the next call, which may bring another value for what its program has frozen.
  const flags = before === undefined ? marks : marks & ~mark.fixed
  if ((marks & mark.deleted) !== 0) {
    if (target !== undefined) Reflect.deleteProperty(target, key)
    return
  }
  const written =
    target === undefined ? undefined : before ? before.get(key) : Object.getOwnPropertyDescriptor(target, key)
  if ((marks & mark.accessor) !== 0) return readAccessor(reader, target, key, flags, written)
  if ((marks & mark.written) === 0) return define(reader, target, key, flags, reader.value())
  const method = written?.value as unknown
  const isMethod = typeof method === 'function'
  readProperties(reader, isMethod ? method : undefined, isMethod ? replacedIn(method).own : undefined)
  if (isMethod) define(reader, target, key, flags, method)
}

function readAccessor(
  reader: PartReader,
  target: object | undefined,
  key: Key,
  flags: number,
  written: PropertyDescriptor | undefined,
): void {
  const readHalf = (part: 'get' | 'set'): unknown => {
    const kind = reader.count()
    return kind === half.given ? reader.value() : kind === half.written ? written?.[part] : undefined
  }
  const get = readHalf('get')
  const set = readHalf('set')
  if (target === undefined) return
  const put = (): void => {
    const halves = { get: settled(get) as () => unknown, set: settled(set) as (value: unknown) => void }
    Object.defineProperty(target, key, { ...halves, ...attributesOf(flags) })
  }
  if (get instanceof Pending || set instanceof Pending) reader.finally(put)
  else put()
}

function attributesOf(flags: number): { enumerable: boolean; configurable: boolean } {
  return { enumerable: (flags & mark.enumerable) !== 0, configurable: (flags & mark.fixed) === 0 }
}

function define(reader: PartReader, target: object | undefined, key: Key, flags: number, value: unknown): void {
  if (target === undefined) return
  const set = (settledValue: unknown): void => {
    const writable = (flags & mark.readOnly) === 0
    Object.defineProperty(target, key, { value: settledValue, writable, ...attributesOf(flags) })
  }
  if (value instanceof Pending) reader.finally(() => set(value.value))
  else if (!isAlready(target, key, value)) set(value)
}

/** What cannot be changed any more may be as it should be. */
function isAlready(target: object, key: Key, value: unknown): boolean {
  const known = Object.getOwnPropertyDescriptor(target, key)
  return known !== undefined && 'value' in known && Object.is(known.value, value) && known.configurable === false
}

function settled(value: unknown): unknown {
  return value instanceof Pending ? value.value : value
}

/** From what something inherited when its text had been evaluated, where that has been changed. */
const firstParents = new WeakMap<object, object | null>()

/**
 * From what the prototype inherits, then the function or class itself. `extended`: what a class extends by its text; one
 * that stays from call to call may have extended another one.
 */
export function readParents(reader: PartReader, made: Function | undefined, extended?: unknown): void {
  const ofClass = made !== undefined && typeof extended === 'function' ? extended : undefined
  readParent(reader, made?.prototype as object | undefined, ofClass?.prototype as object | undefined)
  readParent(reader, made, ofClass)
}

function readParent(reader: PartReader, target: object | undefined, written: object | null | undefined): void {
  const kind = reader.count()
  const parent = kind === inherits.asWritten ? undefined : reader.value()
  if (target === undefined) return
  if (kind === inherits.asWritten) {
    const first = written ?? firstParents.get(target)
    if (first !== undefined && Object.getPrototypeOf(target) !== first) Object.setPrototypeOf(target, first)
    return
  }
  if (!firstParents.has(target)) firstParents.set(target, Object.getPrototypeOf(target) as object | null)
  const inherit = (from: unknown): void => {
    const isClass = kind === inherits.fromClass
    Object.setPrototypeOf(target, isClass ? ((from as Function).prototype as object) : (from as object))
  }
  if (parent instanceof Pending) reader.finally(() => inherit(parent.value))
  else inherit(parent)
}
