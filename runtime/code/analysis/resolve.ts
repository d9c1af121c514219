/** From the sources of a text to the values that stand there now. Nothing of the user's is run to find out. */
import { types } from 'node:util'
import type { Source } from './sources.ts'

/** What a source may be. */
export interface Resolved {
  readonly values: ReadonlySet<unknown>
  /** It may be something else that the caller shares, too. */
  readonly unknown: boolean
  /** What is held by something new among the values: it may stand at any step of that. */
  readonly held?: ReadonlySet<unknown> | undefined
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
}

export const own: Resolved = { values: new Set(), unknown: false }
export const unknown: Resolved = { values: new Set(), unknown: true }

/** Elements that are looked at, one by one, before it is given up. */
const maxElements = 100_000
const maxBelow = 5_000

export function resolve({ root, path }: Source, environment: Environment): Resolved {
  let at = rootOf(root, environment)
  for (const step of path) {
    if (at.values.size === 0) return at
    at = stepAll(at, step)
  }
  return at
}

export function resolveAll(sources: readonly Source[], environment: Environment): Resolved {
  return merge(sources.map((source) => resolve(source, environment)))
}

export function merge(all: readonly Resolved[]): Resolved {
  if (all.length < 2) return all[0] ?? own
  const held = all.flatMap((one) => [...(one.held ?? [])])
  return {
    values: new Set(all.flatMap(({ values }) => [...values])),
    unknown: all.some((one) => one.unknown),
    ...(held.length > 0 && { held: new Set(held) }),
  }
}

/** The same, where something new among it holds `inside`. */
export function withHeld(value: Resolved, inside: Resolved): Resolved {
  if (inside.values.size === 0) return value
  return { ...value, held: new Set([...(value.held ?? []), ...inside.values]) }
}

/** Whether two sides could both see a change of it. */
export function isShared(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

function rootOf(root: string, environment: Environment): Resolved {
  if (root === '@this') return environment.self ?? own
  if (root === '@class') return { values: new Set([environment.subject]), unknown: false }
  if (root.startsWith('#')) return environment.result(Number(root.slice(1)))
  if (root.startsWith('@')) return environment.argument(Number(root.slice(1))) ?? own
  const found = environment.variable(root)
  return found === undefined ? own : { values: new Set([found.value]), unknown: false }
}

function stepAll({ values, unknown: more, held }: Resolved, step: string): Resolved {
  const out = new Set<unknown>(held)
  let isUnknown = more
  for (const value of values) if (!take(value, step, out)) isUnknown = true
  return { values: out, unknown: isUnknown, held }
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
  return typeof get === 'function' && Function.prototype.toString.call(get).endsWith('{ [native code] }')
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
