/** How instances of built-in classes are written, by their prototype. */
import { types } from 'node:util'
import { accessMark } from '../protocol/code-values.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { BufferCollector } from './value-buffers.ts'
import { describeError, errorProperties } from './value-errors.ts'
import { tag, viewKinds } from './value-format.ts'

/** What the writers need of the walk. */
export interface Walk {
  readonly writer: ByteWriter
  readonly buffers: BufferCollector
  write(value: unknown): void
  writeAt(key: string | number, value: unknown): void
  read(source: object, key: string): unknown
  refuse(value: object): void
}

interface Kind {
  /** An object may have the prototype without being one. */
  is(value: object): boolean
  write(walk: Walk, value: never): void
}

const kinds: Readonly<Record<string, Kind>> = {
  Map: { is: types.isMap, write: writeMap },
  Set: { is: types.isSet, write: writeSet },
  Date: { is: types.isDate, write: writeDate },
  RegExp: { is: types.isRegExp, write: writeRegExp },
  Number: { is: types.isNumberObject, write: writeBoxed },
  String: { is: types.isStringObject, write: writeBoxed },
  Boolean: { is: types.isBooleanObject, write: writeBoxed },
  BigInt: { is: types.isBigIntObject, write: writeBoxed },
  ArrayBuffer: { is: types.isArrayBuffer, write: writeArrayBuffer },
  URL: { is: (value) => value instanceof URL, write: writeUrl },
  URLSearchParams: { is: (value) => value instanceof URLSearchParams, write: writeSearchParams },
}

const kindByPrototype = new Map<object, Kind>()
const globals = globalThis as unknown as Readonly<Record<string, { readonly prototype: object } | undefined>>
for (const [name, kind] of Object.entries(kinds)) {
  const type = globals[name]
  if (type !== undefined) kindByPrototype.set(type.prototype, kind)
}
const kindByName = new Map(Object.entries(kinds))
viewKinds.forEach((name, number) => {
  const type = globals[name]
  const kind: Kind = {
    is: (value) => ArrayBuffer.isView(value),
    write: (walk: Walk, value: ArrayBufferView) => writeView(walk, value, number),
  }
  if (type !== undefined) kindByPrototype.set(type.prototype, kind)
  if (name !== 'Buffer') kindByName.set(name, kind)
})

/** Writes an instance of a built-in class, of this realm or another; false where it is none. */
export function writeBuiltIn(walk: Walk, value: object, prototype: object): boolean {
  let kind = kindByPrototype.get(prototype)
  if (kind === undefined && isForeign(prototype)) kind = kindByName.get(nameOf(prototype))
  if (kind === undefined) return false
  if (kind.is(value)) kind.write(walk, value as never)
  else walk.refuse(value)
  return true
}

/** Whether it is the prototype of a built-in class of another realm, such as `node:vm` and some test runners make. */
export function isForeign(prototype: object): boolean {
  const made: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  if (typeof made !== 'function' || made === (globals[made.name] as unknown)) return false
  return globals[made.name] !== undefined && Function.prototype.toString.call(made).endsWith('{ [native code] }')
}

function nameOf(prototype: object): string {
  return prototype.constructor.name
}

function writeMap(walk: Walk, map: ReadonlyMap<unknown, unknown>): void {
  // A copy: a getter among the values may change the map.
  const entries = [...Map.prototype.entries.call(map)] as [unknown, unknown][]
  walk.writer.byte(tag.map)
  walk.writer.varint(entries.length)
  entries.forEach(([key, value], index) => {
    if (isWalked(key)) walk.writeAt(`${accessMark}.keys()[${index}]`, key)
    else walk.write(key)
    if (!isWalked(value)) walk.write(value)
    else if (isWalked(key)) walk.writeAt(`${accessMark}.values()[${index}]`, value)
    else walk.writeAt(`${accessMark}.get(${typeof key === 'string' ? JSON.stringify(key) : String(key)})`, value)
  })
}

function writeSet(walk: Walk, set: ReadonlySet<unknown>): void {
  const items = [...Set.prototype.values.call(set)] as unknown[]
  walk.writer.byte(tag.set)
  walk.writer.varint(items.length)
  items.forEach((item, index) => {
    if (isWalked(item)) walk.writeAt(`${accessMark}.values()[${index}]`, item)
    else walk.write(item)
  })
}

/** Whether a refusal could begin at this value, so that it needs a path. */
function isWalked(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || typeof value === 'function' || typeof value === 'symbol'
}

function writeDate(walk: Walk, date: Date): void {
  walk.writer.byte(tag.date)
  walk.writer.double(Date.prototype.getTime.call(date))
}

function writeRegExp(walk: Walk, pattern: RegExp): void {
  walk.writer.byte(tag.regexp)
  walk.write(pattern.source)
  walk.write(pattern.flags)
}

function writeBoxed(walk: Walk, boxed: object): void {
  walk.writer.byte(tag.boxed)
  walk.write(primitiveOf(boxed))
}

function primitiveOf(boxed: object): unknown {
  if (types.isNumberObject(boxed)) return Number.prototype.valueOf.call(boxed)
  if (types.isStringObject(boxed)) return String.prototype.valueOf.call(boxed)
  if (types.isBooleanObject(boxed)) return Boolean.prototype.valueOf.call(boxed)
  return BigInt.prototype.valueOf.call(boxed)
}

function writeUrl(walk: Walk, url: URL): void {
  walk.writer.byte(tag.url)
  walk.write(url.href)
}

function writeSearchParams(walk: Walk, parameters: URLSearchParams): void {
  walk.writer.byte(tag.urlSearchParams)
  walk.write(parameters.toString())
}

function writeArrayBuffer(walk: Walk, memory: ArrayBuffer): void {
  if (isDetached(memory)) return walk.refuse(memory)
  walk.writer.byte(tag.arrayBuffer)
  walk.writer.varint(walk.buffers.use(memory, 0, memory.byteLength))
}

function writeView(walk: Walk, view: ArrayBufferView, kind: number): void {
  const { buffer, byteOffset, byteLength } = view
  if (types.isSharedArrayBuffer(buffer)) return walk.refuse(buffer)
  if (byteLength === 0 && isDetached(buffer)) return walk.refuse(buffer)
  const memory: ArrayBuffer = buffer
  const end = byteOffset + byteLength
  const isPooled = kind === 0 && memory.byteLength === Buffer.poolSize && byteLength < memory.byteLength
  const { resizable = false } = memory as ArrayBuffer & { readonly resizable?: boolean }
  const { buffers, writer } = walk
  writer.byte(tag.view)
  writer.byte(kind)
  if (isPooled) writer.varint(buffers.useAlone(memory, byteOffset, end))
  else if (resizable) writer.varint(buffers.use(memory, 0, memory.byteLength))
  else writer.varint(buffers.use(memory, byteOffset, end))
  writer.varint(byteOffset)
  writer.varint('length' in view ? (view as Uint8Array).length : byteLength)
}

/** Memory that was transferred to a thread; on Node 20 only its use tells. */
export function isDetached(memory: ArrayBufferLike): boolean {
  if (memory.byteLength > 0) return false
  try {
    return new Uint8Array(memory).length > 0
  } catch {
    return true
  }
}

const enumerableBit = 1

/** The head, then every other own property with a bit that says whether it is enumerable. */
export function writeError(walk: Walk, error: object): void {
  const { writer } = walk
  const head = describeError(error)
  const keys = errorProperties(error, head)
  writer.byte(tag.error)
  for (const part of [head.className, head.message, head.stack, head.domName]) walk.write(part)
  writer.varint(keys.length)
  for (const key of keys) {
    walk.write(key)
    writer.byte(Object.prototype.propertyIsEnumerable.call(error, key) ? enumerableBit : 0)
    walk.writeAt(key, walk.read(error, key))
  }
}
