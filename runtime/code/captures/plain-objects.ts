/** Which objects consist of nothing but their own properties and their class, so that they can be made again elsewhere. */
import { types } from 'node:util'
import { whyItStays } from '../../protocol/code-values.ts'
import { builtInExport, intrinsicName } from '../analysis/known-values.ts'
import { analyseFunction } from '../free-variables.ts'
import { isCopy } from './origins.ts'
import { readScopes } from './scopes.ts'
import { scriptOf } from './scripts.ts'

/** Whether something is in it that its properties do not show. `base`: as `builtInBase`. */
export function isForeignObject(value: object, base: Function | undefined): boolean {
  if (base !== undefined) return true
  if (Array.isArray(value) || ArrayBuffer.isView(value) || types.isProxy(value)) return true
  return (
    types.isAnyArrayBuffer(value) ||
    types.isArgumentsObject(value) ||
    types.isAsyncFunction(value) ||
    types.isBoxedPrimitive(value) ||
    types.isCryptoKey(value) ||
    types.isDate(value) ||
    types.isExternal(value) ||
    types.isGeneratorObject(value) ||
    types.isKeyObject(value) ||
    types.isMap(value) ||
    types.isMapIterator(value) ||
    types.isNativeError(value) ||
    types.isPromise(value) ||
    types.isRegExp(value) ||
    types.isSet(value) ||
    types.isSetIterator(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    value instanceof WeakRef ||
    value instanceof FinalizationRegistry ||
    holdsHandle(value)
  )
}

function holdsHandle(value: object): boolean {
  const handle: unknown = Object.getOwnPropertyDescriptor(value, '_handle')?.value
  return typeof handle === 'object'
}

/** The constructors of an object's class and of those that it extends, without Object. */
function chainOf(value: object): Function[] {
  const chain: Function[] = []
  for (
    let at: unknown = Object.getPrototypeOf(value);
    typeof at === 'object' && at !== null;
    at = Object.getPrototypeOf(at)
  ) {
    const made: unknown = Object.getOwnPropertyDescriptor(at, 'constructor')?.value
    if (typeof made === 'function' && made !== Object) chain.push(made)
  }
  return chain
}

/** The nearest class of the engine or of Node that an object's class is or extends. */
export function builtInBase(value: object): Function | undefined {
  return types.isProxy(value) ? undefined : chainOf(value).find(isOfNode)
}

const ofNode = new WeakMap<Function, boolean>()

function isOfNode(made: Function): boolean {
  let answer = ofNode.get(made)
  if (answer === undefined) {
    const isKnown = intrinsicName(made) !== undefined || builtInExport(made) !== undefined
    const isNative = isKnown || Function.prototype.toString.call(made).endsWith('{ [native code] }')
    answer = isNative || (!isCopy(made) && isOfNodeScript(made))
    ofNode.set(made, answer)
  }
  return answer
}

/** Also those that Node does not export, of which it hands out instances. */
function isOfNodeScript(made: Function): boolean {
  const location = readScopes(made)?.location
  return location !== undefined && scriptOf(location.scriptId)?.url.startsWith('node:') === true
}

/** Why instances of the class cannot be made again elsewhere, in words that follow the way to one. */
export function whyNoInstance(made: Function): string | undefined {
  const why = whyItStays(made.prototype)
  if (why !== undefined) return `${made.name} ${why}`
  for (let at: unknown = made; typeof at === 'function' && at !== Function.prototype; at = Object.getPrototypeOf(at)) {
    const analysis = analyseFunction(Function.prototype.toString.call(at))
    if (analysis.kind !== 'class') continue
    const [hidden] = analysis.privateFields.instance
    if (hidden !== undefined) {
      const extended = at === made ? '' : `, by way of ${at.name},`
      return (
        `an instance of ${made.name}, which has${extended} the private field ${hidden}, which cannot be read; ` +
        'make the instance inside the function'
      )
    }
  }
  return undefined
}

/** How a symbol that every process has is written as part of a path; undefined for any other. */
export function symbolName(symbol: symbol): string | undefined {
  const key = Symbol.keyFor(symbol)
  if (key !== undefined) return `Symbol.for(${JSON.stringify(key)})`
  const text = symbol.description
  const known =
    text?.startsWith('Symbol.') === true ? (Symbol as unknown as Record<string, unknown>)[text.slice(7)] : undefined
  return known === symbol ? text : undefined
}
