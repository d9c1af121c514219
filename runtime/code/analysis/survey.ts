/**
 * Looks over everything that can be reached from the values that a function uses: for code of theirs that the language
 * runs where no text names it (accessors, `valueOf`, iterators), and for what would not be the same on a worker. Nothing
 * of the user's is run.
 */
import { types } from 'node:util'
import { intrinsicName, isBuiltInModule } from './known-values.ts'
import { isShared, type Resolved } from './resolve.ts'
import { mostElements, unnamedOf } from './unnamed-methods.ts'

export interface Surveyed {
  /** To be looked into, with what `this` is in it. */
  readonly methods: readonly { readonly method: Function; readonly self: Resolved }[]
  /** What would be another thing on a worker, in words. */
  readonly lost: ReadonlySet<string>
}

/** More than that is not looked over: it takes as long as sending it. */
const maxObjects = 20_000
/** Objects of one class whose accessors are looked into with each of them. */
const mostInstances = 20
const tooMuch = 'there is more to be reached from it than is looked over'
/** Of an array, with its holes. */
const mostLooked = 2_000_000
/** Of every function. */
const ofFunctions: ReadonlySet<string | symbol> = new Set(['prototype', 'length', 'name', 'arguments', 'caller'])
const errorNames: ReadonlySet<string | symbol> = new Set(['stack', 'message', 'cause', 'errors', 'name'])

export class Survey {
  readonly #isExact: boolean
  readonly #ofArguments = new Set<object>()
  readonly #seen = new Set<object>()
  readonly #instances = new Map<object, number>()
  readonly #memory = new Set<ArrayBufferLike>()
  /** Of a piece of memory there is more than one sees, or more than one that sees it. */
  sharesMemory = false

  /** `isExact`: what would be lost on the way counts, and what is one thing here and two there. */
  constructor(isExact: boolean) {
    this.#isExact = isExact
  }

  /** How many were looked over. */
  get objects(): number {
    return this.#seen.size
  }

  overArgument(value: unknown): Surveyed {
    return this.#over(value, true)
  }

  over(value: unknown): Surveyed {
    return this.#over(value, false)
  }

  #over(root: unknown, isArgument: boolean): Surveyed {
    const methods: { method: Function; self: Resolved }[] = []
    const lost = new Set<string>()
    const waiting: unknown[] = [root]
    while (waiting.length > 0) {
      const value = waiting.pop()
      if (!isShared(value) || isLeft(value)) continue
      if (this.#isExact && !isArgument && this.#ofArguments.has(value))
        lost.add('an argument is, or holds, something that is also reached from there, and on a worker they are two')
      if (this.#seen.has(value)) continue
      this.#seen.add(value)
      if (isArgument) this.#ofArguments.add(value)
      if (this.#seen.size > maxObjects) {
        if (this.#isExact) lost.add(tooMuch)
        return { methods, lost }
      }
      if (this.#isExact) for (const what of lostOf(value, isArgument)) lost.add(what)
      for (const method of this.#methodsOf(value))
        methods.push({ method, self: { values: new Set([value]), unknown: false } })
      if (ArrayBuffer.isView(value)) {
        this.sharesMemory ||= value.byteLength !== value.buffer.byteLength || this.#memory.has(value.buffer)
        this.#memory.add(value.buffer)
        continue
      }
      if (types.isAnyArrayBuffer(value)) {
        this.sharesMemory ||= this.#memory.has(value)
        this.#memory.add(value)
        continue
      }
      if (Array.isArray(value)) {
        if (value.length > mostLooked) {
          if (this.#isExact) lost.add(tooMuch)
        } else for (const one of value) if (typeof one === 'object' || typeof one === 'function') waiting.push(one)
        continue
      }
      if (types.isMap(value))
        for (const [key, one] of Map.prototype.entries.call(value) as MapIterator<[unknown, unknown]>)
          waiting.push(key, one)
      else if (types.isSet(value)) for (const one of Set.prototype.values.call(value)) waiting.push(one)
      for (const key of Reflect.ownKeys(value)) {
        if (typeof value === 'function' && ofFunctions.has(key)) continue
        const property = Object.getOwnPropertyDescriptor(value, key)
        if (property !== undefined && 'value' in property && isShared(property.value)) waiting.push(property.value)
      }
    }
    return { methods, lost }
  }

  /** Accessors and methods that no text names; of a class they are looked into with some of its instances. */
  #methodsOf(value: object): Function[] {
    const parent: unknown = Object.getPrototypeOf(value)
    if (!isShared(parent) || intrinsicName(parent) !== undefined) return unnamedOf(value, false)
    const instances = (this.#instances.get(parent) ?? 0) + 1
    this.#instances.set(parent, instances)
    return instances > mostInstances ? [] : unnamedOf(value, false)
  }
}

/** What is not looked over: of the language, of Node, or known to another process by its name. */
function isLeft(value: object): boolean {
  return (
    types.isProxy(value) ||
    intrinsicName(value) !== undefined ||
    isBuiltInModule(value) ||
    types.isModuleNamespaceObject(value)
  )
}

/** What of a value does not go along. */
function lostOf(value: object, isArgument: boolean): string[] {
  if (typeof value === 'function') return []
  if (ArrayBuffer.isView(value)) {
    const { length = 0 } = value as { readonly length?: number }
    return length <= mostElements && Reflect.ownKeys(value).length > length ? [ofBuiltIn] : []
  }
  if (Array.isArray(value)) {
    if (value.length > mostElements) return []
    const isMore = Reflect.ownKeys(value).some((key) => key !== 'length' && !/^\d+$/.test(String(key)))
    return isMore ? ['an array has properties beside its elements, which do not go along'] : []
  }
  const keys = Reflect.ownKeys(value)
  if (types.isRegExp(value)) {
    if (keys.length > 1) return ['a pattern has properties of its own, which do not go along']
    return value.lastIndex === 0 ? [] : ['a pattern goes on where it stopped, and would begin anew']
  }
  if (types.isNativeError(value))
    return keys.some((key) => !errorNames.has(key) && !isListed(value, key)) ? [hidden] : []
  const isPlain = !types.isMap(value) && !types.isSet(value) && !types.isDate(value) && !types.isAnyArrayBuffer(value)
  if (!isPlain) {
    const isBuiltIn = intrinsicName(Object.getPrototypeOf(value)) !== undefined
    return keys.length > 0 && isBuiltIn ? [ofBuiltIn] : []
  }
  if (keys.length === Object.keys(value).length)
    return isArgument && keys.some((key) => isAccessor(value, key)) ? [asked] : []
  for (const key of keys) {
    if (typeof key === 'symbol' && isArgument) return [symbols]
    if (!isListed(value, key)) return [hidden]
  }
  return []
}

const ofBuiltIn = 'a Map, Set, Date or buffer has properties of its own, which do not go along'
const hidden = 'an object has properties that are not enumerable, which do not go along'
const symbols = 'an object has properties by symbols, which do not go along with arguments'
const asked = 'an object has accessors, which are asked when it is sent'

function isListed(value: object, key: string | symbol): boolean {
  return Object.prototype.propertyIsEnumerable.call(value, key)
}

function isAccessor(value: object, key: string | symbol): boolean {
  const property = Object.getOwnPropertyDescriptor(value, key)
  return property !== undefined && !('value' in property)
}
