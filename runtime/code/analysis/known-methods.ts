/**
 * What calls of well-known names do to what they are called on, where the thing itself is not known. By name, so a
 * method of a user's class with the same name is looked at itself wherever it can be found.
 */
const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/** Change what they are called on. */
const changing: ReadonlySet<string> = words(`push pop shift unshift splice sort reverse fill copyWithin set add delete
  clear append write emit on once off addListener removeListener assign defineProperty defineProperties setPrototypeOf
  freeze seal preventExtensions deleteProperty setPrototypeOf resize setTime setDate setDay setFullYear
  setHours setMilliseconds setMinutes setMonth setSeconds setYear setUTCDate setUTCFullYear setUTCHours
  setUTCMilliseconds setUTCMinutes setUTCMonth setUTCSeconds setInt8 setUint8 setInt16 setUint16 setInt32 setUint32
  setFloat16 setFloat32 setFloat64 setBigInt64 setBigUint64 getOrInsert getOrInsertComputed compile next
  __defineGetter__ __defineSetter__ transfer transferToFixedLength`)

/** Change the first argument: of Object, Reflect, Atomics and crypto. */
const changingArgument: ReadonlySet<string> = words(`assign defineProperty defineProperties setPrototypeOf freeze seal
  preventExtensions deleteProperty set add and compareExchange exchange or store sub xor getRandomValues
  randomFill randomFillSync captureStackTrace _extend inherits`)

/** Answer with a number, a text, a truth: nothing that leads back to what they were called on. */
const primitive: ReadonlySet<string> = words(`join includes indexOf lastIndexOf some every has toString toLocaleString
  test startsWith endsWith charAt charCodeAt codePointAt padStart padEnd repeat replace replaceAll trim trimStart
  trimEnd toLowerCase toUpperCase toLocaleLowerCase toLocaleUpperCase normalize localeCompare substring substr toFixed
  toPrecision toExponential getTime getDate getDay getFullYear getHours getMilliseconds getMinutes getMonth
  getSeconds getTimezoneOffset getUTCDate getUTCDay getUTCFullYear getUTCHours getUTCMilliseconds getUTCMinutes
  getUTCMonth getUTCSeconds toISOString toJSON toUTCString toDateString toTimeString hasOwnProperty hasOwn
  propertyIsEnumerable isPrototypeOf findIndex findLastIndex search split match matchAll stringify digest hex
  isArray isInteger isSafeInteger isFinite isNaN parseInt parseFloat isFrozen isSealed isExtensible is`)

/** Answer with something new that holds what was in what they were called on. */
const gathering: ReadonlySet<string> =
  words(`[Symbol.iterator] slice map filter concat flat flatMap toSorted toReversed toSpliced with entries
  keys values fromEntries from of groupBy exec getOwnPropertyNames getOwnPropertyDescriptors ownKeys parse
  structuredClone union intersection difference symmetricDifference`)

/** Answer with something that was in what they were called on. */
const picking: ReadonlySet<string> = words('get at find findLast pop shift reduce reduceRight deref next')

/** Answer with what they were called on. */
const returningSelf: ReadonlySet<string> = words('sort reverse fill copyWithin set add subarray')

export type MethodResult = 'primitive' | 'new' | 'element' | 'self' | 'unknown'

/** Of a `Buffer`, and those that fill a `Uint8Array`. */
const writing =
  /^(write(Big|U?[Ii]nt|Float|Double)|swap\d|setFrom(Base64|Hex)$|(ascii|base64|base64url|hex|latin1|ucs2|utf8)Write$)/

export function changesReceiver(name: string): boolean {
  return changing.has(name) || writing.test(name)
}

/** Change what they are called on, and keep nothing there of what they are given. */
const dropping: ReadonlySet<string> =
  words(`sort reverse pop shift copyWithin delete clear removeListener off freeze seal
  preventExtensions deleteProperty`)

/** Whether what it is called on may hold its arguments afterwards. */
export function keepsGiven(name: string): boolean {
  return !dropping.has(name) && !isHarmless(name)
}

export function changesFirstArgument(name: string): boolean {
  return changingArgument.has(name)
}

export function resultOf(name: string): MethodResult {
  if (primitive.has(name) || name === 'forEach' || name === 'delete' || name === 'clear' || name === 'push')
    return 'primitive'
  if (gathering.has(name)) return 'new'
  if (picking.has(name)) return 'element'
  if (returningSelf.has(name)) return 'self'
  return 'unknown'
}

/** It neither changes what it is called on nor keeps its arguments. */
export function isHarmless(name: string): boolean {
  return !changesReceiver(name) && (resultOf(name) !== 'unknown' || ['then', 'catch', 'finally'].includes(name))
}
