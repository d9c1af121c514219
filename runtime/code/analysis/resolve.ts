/** From the sources of a text to the values that stand there now. Nothing of the user's is run to find out. */
import { types } from 'node:util'
import { intrinsicName, isNative } from './known-values.ts'
import { putAnywhere, type Source } from './sources.ts'

/** What a source may be. */
export interface Resolved {
  readonly values: ReadonlySet<unknown>
  /** It may be something else that the caller shares, too. */
  readonly unknown: boolean
  /** What is held by something new among the values: it may stand at any step of that. */
  readonly held?: ReadonlySet<unknown> | undefined
  /** It may be a new instance of one of these classes of the program. */
  readonly instances?: ReadonlySet<Function> | undefined
  /** Such instances are held by something new among it. */
  readonly heldInstances?: ReadonlySet<Function> | undefined
  /** As the caller names it, where it is an argument or `this` of a function that is called. */
  readonly name?: string | undefined
}

export interface Environment {
  /** A variable around the function, or a global. */
  variable(name: string): { readonly value: unknown } | undefined
  /** What the function was given; undefined for what belongs to the call alone. */
  argument(index: number): Resolved | undefined
  readonly self: Resolved | undefined
  /** The class or function that is looked at. */
  readonly subject: Function
  /** What the call that ends at that offset returns of what others share. */
  result(end: number): Resolved
  /** What of that is put into something new, here or by what is called here. */
  put(): Resolved
}

export const own: Resolved = { values: new Set(), unknown: false }
export const unknown: Resolved = { values: new Set(), unknown: true }

/** Elements that are looked at, one by one, before it is given up. */
const maxElements = 100_000
const maxBelow = 5_000

export function resolve({ root, path }: Source, environment: Environment): Resolved {
  let at = rootOf(root, environment)
  for (const step of path) {
    if (isNothing(at)) return at
    at = stepAll(at, step)
  }
  return at
}

export function resolveAll(sources: readonly Source[], environment: Environment): Resolved {
  return merge(sources.map((source) => resolve(source, environment)))
}

export function merge(all: readonly Resolved[]): Resolved {
  if (all.length < 2) return all[0] ?? own
  return {
    values: new Set(all.flatMap(({ values }) => [...values])),
    unknown: all.some((one) => one.unknown),
    held: unionOf(all.map(({ held }) => held)),
    instances: unionOf(all.map(({ instances }) => instances)),
    heldInstances: unionOf(all.map(({ heldInstances }) => heldInstances)),
  }
}

function unionOf<V>(sets: readonly (ReadonlySet<V> | undefined)[]): ReadonlySet<V> | undefined {
  const some = sets.filter((set) => set !== undefined && set.size > 0) as ReadonlySet<V>[]
  return some.length < 2 ? some[0] : new Set(some.flatMap((set) => [...set]))
}

/** It is nothing that others share, and holds none. */
export function isNothing({ values, unknown: more, held, instances, heldInstances }: Resolved): boolean {
  return values.size === 0 && !more && held === undefined && instances === undefined && heldInstances === undefined
}

/** The same, where something new among it holds `inside`. */
export function withHeld(value: Resolved, inside: Resolved): Resolved {
  if (isNothing(inside)) return value
  return {
    ...value,
    unknown: value.unknown || inside.unknown,
    held: unionOf([value.held, inside.values.size > 0 ? inside.values : undefined, inside.held]),
    heldInstances: unionOf([value.heldInstances, inside.instances, inside.heldInstances]),
  }
}

/** What is found in it. */
export function elementsOf(value: Resolved): Resolved {
  return stepAll(value, '*')
}

/** The same, and everything that can be reached from it. */
export function withBelow({ values, unknown: more, held, instances, heldInstances }: Resolved): Resolved {
  const out = new Set<unknown>()
  let isUnknown = more
  for (const value of [...values, ...(held ?? [])]) if (!takeBelow(value, out)) isUnknown = true
  return { values: out, unknown: isUnknown, instances: unionOf([instances, heldInstances]), heldInstances }
}

/** Whether `all` has all that is shared of `one`. */
export function isWithin(one: Resolved | undefined, all: Resolved | undefined): boolean {
  if (one === undefined || all?.unknown === true) return true
  if (one.unknown) return false
  for (const made of one.instances ?? []) if (all?.instances?.has(made) !== true) return false
  for (const made of one.heldInstances ?? [])
    if (all?.heldInstances?.has(made) !== true && all?.instances?.has(made) !== true) return false
  for (const value of one.values) if (isShared(value) && all?.values.has(value) !== true) return false
  for (const value of one.held ?? [])
    if (isShared(value) && all?.held?.has(value) !== true && all?.values.has(value) !== true) return false
  return true
}

/** A value, or what is in it. */
export function itselfOrWithin(value: Resolved): Resolved {
  const { values, held, instances, heldInstances } = value
  if (held === undefined && heldInstances === undefined) return value
  return { ...value, values: new Set([...values, ...(held ?? [])]), instances: unionOf([instances, heldInstances]) }
}

/** What is passed beside functions that are called with it. */
export function withoutFunctions(value: Resolved): Resolved {
  return { ...value, values: new Set([...value.values].filter((one) => typeof one !== 'function')) }
}

/** Whether two sides could both see a change of it. */
export function isShared(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

function rootOf(root: string, environment: Environment): Resolved {
  if (root === putAnywhere) return environment.put()
  if (root === '@this') return environment.self ?? own
  if (root === '@class') return { values: new Set([environment.subject]), unknown: false }
  if (root.startsWith('#')) return environment.result(Number(root.slice(1)))
  if (root.startsWith('@')) return environment.argument(Number(root.slice(1))) ?? own
  const found = environment.variable(root)
  return found === undefined ? own : { values: new Set([found.value]), unknown: false }
}

function stepAll({ values, unknown: more, held, instances, heldInstances }: Resolved, step: string): Resolved {
  // Of something new it is a number.
  const out = new Set<unknown>(step === 'length' ? [] : held)
  let isUnknown = more
  for (const value of values) if (!take(value, step, out)) isUnknown = true
  for (const made of instances ?? []) if (!takeInherited(made, step, out)) isUnknown = true
  return { values: out, unknown: isUnknown, held, instances: heldInstances, heldInstances }
}

/** What an instance has of its class. */
function takeInherited({ prototype }: { readonly prototype: unknown }, step: string, out: Set<unknown>): boolean {
  if (!isShared(prototype)) return true
  try {
    if (step !== '*' && step !== '**') return takeProperty(prototype, step, out)
    const found = new Set<unknown>()
    const isWhole = takeHidden(prototype, found)
    for (const method of found)
      if ((method as { readonly prototype?: unknown }).prototype !== prototype) out.add(method)
    return isWhole
  } catch {
    return false
  }
}

/** Adds what stands at `step` of a value; false where that cannot be told. */
function take(value: unknown, step: string, out: Set<unknown>): boolean {
  if (value === undefined || value === null) return true
  if (types.isProxy(value)) return false
  try {
    switch (step) {
      case '*':
        return takeElements(value, out)
      case '**':
        return takeBelow(value, out)
      case '@buffer':
        return types.isAnyArrayBuffer(value) ? out.add(value) !== undefined : true
      case '@slice':
        return Buffer.isBuffer(value) ? out.add(value) !== undefined : true
      default:
        return takeProperty(value, step, out)
    }
  } catch {
    return false
  }
}

function takeProperty(value: unknown, name: string, out: Set<unknown>): boolean {
  for (let at: unknown = Object(value); at !== null && at !== undefined; at = Object.getPrototypeOf(at)) {
    if (types.isProxy(at)) return false
    const property: PropertyDescriptor | undefined = Object.getOwnPropertyDescriptor(at, name)
    if (property === undefined) continue
    if ('value' in property) out.add(property.value)
    else if (!isNativeGetter({ ...property })) return false
    else out.add(Reflect.get(at, name, value))
    return true
  }
  return true
}

function isNativeGetter(property: Readonly<Record<string, unknown>>): boolean {
  const { get } = property
  return typeof get === 'function' && isNative(get)
}

function takeElements(value: unknown, out: Set<unknown>): boolean {
  if (typeof value !== 'object' && typeof value !== 'function') return true
  if (value === null || ArrayBuffer.isView(value)) return true
  // The pair of key and value that a loop over a Map sees is new each time: whatever is below counts.
  if (types.isMap(value)) {
    for (const [key, one] of Map.prototype.entries.call(value) as MapIterator<[unknown, unknown]>)
      if (!takeBelow(key, out) || !takeBelow(one, out)) return false
    return true
  }
  const elements = types.isSet(value) ? Set.prototype.values.call(value) : dataValues(value)
  let left = maxElements
  for (const element of elements) {
    if (isShared(element)) out.add(element)
    if (--left === 0) return false
  }
  return Array.isArray(value) || takeHidden(value, out)
}

/** What a computed name may reach beside elements: what has a symbol, is not listed, or is inherited. */
function takeHidden(value: object, out: Set<unknown>): boolean {
  for (let at: unknown = value; isShared(at) && intrinsicName(at) === undefined; at = Object.getPrototypeOf(at)) {
    if (types.isProxy(at)) return false
    const keys = Reflect.ownKeys(at)
    if (at === value && typeof at === 'object' && keys.length === Object.keys(at).length) continue
    for (const key of keys) {
      const property = Object.getOwnPropertyDescriptor(at, key)
      if (property === undefined) continue
      if (!('value' in property)) {
        if (!isNativeGetter({ ...property })) return false
      } else if (isShared(property.value)) out.add(property.value)
    }
  }
  return true
}

function* dataValues(value: object): Generator<unknown> {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) yield value[i]
    return
  }
  for (const key of Object.keys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, key)
    if (property !== undefined && 'value' in property) yield property.value
  }
}

/** The value, and everything that can be reached from it. */
function takeBelow(value: unknown, out: Set<unknown>): boolean {
  const waiting: unknown[] = [value]
  let left = maxBelow
  while (waiting.length > 0) {
    const next = waiting.pop()
    if (!isShared(next) || out.has(next)) continue
    if (types.isProxy(next) || --left === 0) return false
    out.add(next)
    if (ArrayBuffer.isView(next)) continue
    if (types.isMap(next)) waiting.push(...Map.prototype.keys.call(next), ...Map.prototype.values.call(next))
    else if (types.isSet(next)) waiting.push(...Set.prototype.values.call(next))
    const found = new Set<unknown>()
    if (!takeProperties(next, found)) return false
    if (!Array.isArray(next) && !takeHidden(next, found)) return false
    waiting.push(...found)
  }
  return true
}

function takeProperties(value: object, out: Set<unknown>): boolean {
  let left = maxElements
  for (const element of dataValues(value)) {
    if (isShared(element)) out.add(element)
    if (--left === 0) return false
  }
  return true
}
