/**
 * Instances of classes that extend a built-in one: what the built-in one keeps out of sight (the entries of a Map, the
 * time of a Date), beside the properties that every object has. Made again without running a constructor.
 */
import { EventEmitter } from 'node:events'
import { types } from 'node:util'
import { accessMark, Pending, type PartReader, type PartWriter } from '../../protocol/code-values.ts'

interface Brand {
  /** The built-in classes, by name. */
  readonly names: RegExp
  readonly is: (value: object) => boolean
  /** Which own properties follow from what is kept out of sight. */
  follows?(value: object): (key: string | symbol) => boolean
  /** What it takes to make the object, nothing of which can refer back to it. */
  head?(value: never, writer: PartWriter): void
  /** The object, of the built-in class. */
  make(reader: PartReader): object
  /** What is in it, written and read after its class. */
  contents?(value: never, writer: PartWriter): void
  fill?(object: never, reader: PartReader): void
}

const isIndex = (key: string | symbol): boolean => typeof key === 'string' && /^(?:0|[1-9]\d{0,9})$/.test(key)
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object

/** Their places in this list are what travels. */
const brands: readonly Brand[] = [
  {
    names: /^Array$/,
    is: (value) => Array.isArray(value),
    follows: (value) => {
      const isPlain = isPlainList(value as readonly unknown[])
      return (key) => key === 'length' || (isPlain && isIndex(key))
    },
    make: () => [],
    contents: writeItems,
    fill: readItems,
  },
  { names: /^Map$/, is: types.isMap, make: () => new Map(), contents: writeEntries, fill: readEntries },
  { names: /^Set$/, is: types.isSet, make: () => new Set(), contents: writeMembers, fill: readMembers },
  {
    names: /^Date$/,
    is: types.isDate,
    head: (value: Date, writer) => writer.value('time', Date.prototype.getTime.call(value)),
    make: (reader) => new Date(reader.value() as number),
  },
  {
    names: /^RegExp$/,
    is: types.isRegExp,
    head: (value: RegExp, writer) => {
      writer.text(value.source)
      writer.text(value.flags)
    },
    make: (reader) => {
      const source = reader.text()
      return new RegExp(source, reader.text())
    },
  },
  {
    names: /Error$/,
    is: types.isNativeError,
    make: bareError,
  },
  {
    names: /^(?:Number|String|Boolean)$/,
    is: (value) => types.isNumberObject(value) || types.isStringObject(value) || types.isBooleanObject(value),
    follows: (value) => (key) => types.isStringObject(value) && (key === 'length' || isIndex(key)),
    head: (value: { valueOf(): unknown }, writer) => writer.value('value', primitiveOf(value)),
    make: (reader) => Object(reader.value()) as object,
  },
  {
    names: /^(?:Uint8|Uint8Clamped|Uint16|Uint32|Int8|Int16|Int32|BigInt64|BigUint64|Float16|Float32|Float64)Array$/,
    is: types.isTypedArray,
    follows: () => isIndex,
    head: writeView,
    make: (reader) => reader.value() as object,
  },
  {
    names: /^EventEmitter$/,
    is: (value) => value instanceof EventEmitter,
    follows: () => (key) => typeof key === 'symbol' || key === '_events' || key === '_eventsCount',
    head: writeEmitter,
    make: (reader) => new EventEmitter({ captureRejections: reader.count() === 1 }),
  },
]

/** What `extendedBrand` found: its number, and the properties that need not be sent. */
export interface ExtendedBrand {
  readonly number: number
  readonly follows: (key: string | symbol) => boolean
  head(writer: PartWriter): void
  contents(writer: PartWriter): void
}

/** Of an object whose nearest built-in class is `base`; undefined where that keeps what nobody can read. */
export function extendedBrand(value: object, base: Function): ExtendedBrand | undefined {
  const number = brands.findIndex(({ names, is }) => names.test(base.name) && is(value))
  const brand = brands[number]
  if (brand === undefined) return undefined
  return {
    number,
    follows: brand.follows?.(value) ?? (() => false),
    head: (writer) => brand.head?.(value as never, writer),
    contents: (writer) => brand.contents?.(value as never, writer),
  }
}

/** The object that was written with that number, and how what is in it is read. */
export function readExtended(
  number: number,
  reader: PartReader,
): { readonly object: object; readonly fill: () => void } {
  const brand = brands[number]
  if (brand === undefined) throw new TypeError(`an object of the kind ${number}, which this version does not know`)
  const object = brand.make(reader)
  return { object, fill: () => brand.fill?.(object as never, reader) }
}

/** Without holes, and every item as an assignment makes it. */
function isPlainList(list: readonly unknown[]): boolean {
  for (let i = 0; i < list.length; i++) {
    const item = Object.getOwnPropertyDescriptor(list, i)
    if (item === undefined || !('value' in item) || !item.writable || !item.configurable || !item.enumerable)
      return false
  }
  return true
}

function writeItems(list: readonly unknown[], writer: PartWriter): void {
  const isPlain = isPlainList(list)
  writer.count(list.length)
  writer.count(isPlain ? 1 : 0)
  if (isPlain) for (let i = 0; i < list.length; i++) writer.value(i, list[i])
}

function readItems(list: unknown[], reader: PartReader): void {
  const length = reader.count()
  const isPlain = reader.count() === 1
  for (let i = 0; isPlain && i < length; i++) Array.prototype.push.call(list, reader.value())
  if (!isPlain) list.length = length
  else if (list.some(isPending)) reader.finally(() => list.forEach((item, i) => (list[i] = settled(item))))
}

function writeEntries(map: ReadonlyMap<unknown, unknown>, writer: PartWriter): void {
  const entries = [...Map.prototype.entries.call(map)] as [unknown, unknown][]
  writer.count(entries.length)
  entries.forEach(([key, value], index) => {
    writer.value(`${accessMark}.keys()[${index}]`, key)
    writer.value(`${accessMark}.get(${typeof key === 'string' ? JSON.stringify(key) : index})`, value)
  })
}

function readEntries(map: Map<unknown, unknown>, reader: PartReader): void {
  const entries: [unknown, unknown][] = []
  for (let left = reader.count(); left > 0; left--) entries.push([reader.value(), reader.value()])
  const put = (): void => {
    for (const [key, value] of entries) Map.prototype.set.call(map, settled(key), settled(value))
  }
  if (entries.some((entry) => entry.some(isPending))) reader.finally(put)
  else put()
}

function writeMembers(set: ReadonlySet<unknown>, writer: PartWriter): void {
  const members = [...Set.prototype.values.call(set)] as unknown[]
  writer.count(members.length)
  members.forEach((member, index) => writer.value(`${accessMark}.values()[${index}]`, member))
}

function readMembers(set: Set<unknown>, reader: PartReader): void {
  const members: unknown[] = []
  for (let left = reader.count(); left > 0; left--) members.push(reader.value())
  const put = (): void => {
    for (const member of members) Set.prototype.add.call(set, settled(member))
  }
  if (members.some(isPending)) reader.finally(put)
  else put()
}

/** Its properties come with it, the stack and the message among them. */
function bareError(): object {
  const error = new Error()
  delete error.stack
  return error
}

function primitiveOf(boxed: object): unknown {
  if (types.isNumberObject(boxed)) return Number.prototype.valueOf.call(boxed)
  return types.isStringObject(boxed) ? String.prototype.valueOf.call(boxed) : Boolean.prototype.valueOf.call(boxed)
}

type View = new (memory: ArrayBufferLike, offset: number, length: number) => object

function writeView(view: Uint8Array, writer: PartWriter): void {
  const plain = (globalThis as unknown as Readonly<Record<string, View>>)[
    Reflect.get(typedArray, Symbol.toStringTag, view) as string
  ] as View
  writer.value('buffer', new plain(view.buffer, view.byteOffset, view.length))
}

/** Whoever listens is here, and would not hear what is emitted elsewhere. */
function writeEmitter(emitter: EventEmitter, writer: PartWriter): void {
  const [event] = EventEmitter.prototype.eventNames.call(emitter)
  if (event !== undefined)
    writer.refuse(
      `an EventEmitter with a listener for ${typeof event === 'symbol' ? String(event) : `'${event}'`}, which would not be called ` +
        'in this process; make the emitter inside the function, and return what is to be told',
    )
  const captures = Object.getOwnPropertySymbols(emitter).find(({ description }) => description === 'kCapture')
  writer.count(captures !== undefined && Reflect.get(emitter, captures) === true ? 1 : 0)
}

function isPending(value: unknown): boolean {
  return value instanceof Pending
}

function settled(value: unknown): unknown {
  return value instanceof Pending ? value.value : value
}
