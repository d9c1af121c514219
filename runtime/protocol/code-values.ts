/**
 * How functions, classes and instances take part in values. `runtime/objects` knows how values are written and read,
 * `runtime/code` what a function is; neither imports the other, and these are the words between them.
 */

/** Begins a key of a refusal's path that is no property but is reached by a call: `.get("key")` of a Map. */
export const accessMark = '\0'

/** Writes parts of a function into the value that is being written. */
export interface PartWriter {
  /** A whole number, not negative. */
  count(value: number): void
  text(value: string): void
  /** Any value, found under `key` of what is being written: a refusal names the way to it. */
  value(key: string | number, value: unknown): void
  /** Refuses what is being written: `reason` says why, and the next step. Throws. */
  refuse(reason: string): never
}

export interface PartReader {
  count(): number
  text(): string
  value(): unknown
  /** Gives what is being read its place among the objects of the value, before anything in it is read. */
  add(value: object): void
  /** The same for what can only be made when its parts were read; until `fill`, others that refer to it get a `Pending`. */
  reserve(): Pending
  fill(pending: Pending, value: object): void
  /** Called when the whole value was read. */
  finally(then: () => void): void
}

/** Stands for an object of a value that is not made yet. */
export class Pending {
  value: object | undefined
}

export interface CodeCodec {
  /** Refusals name the way to a value by arrows: `handler -> db -> socket`. */
  readonly arrows: boolean
  /** Whether an object that looks like plain data is to be given to `writeObject` all the same. */
  isMore(value: object): boolean
  /** Writes a function or a class, or refuses it. */
  writeFunction(value: Function, writer: PartWriter): void
  /** Writes an object of no built-in class, or of one that extends such a class; false where it is none that can be. */
  writeObject(value: object, writer: PartWriter): boolean
  /** Reads what one of the two wrote. */
  read(reader: PartReader): unknown
}

/** On the prototype of a class whose instances stay where they are: why, and the next step, behind the name of the class. */
export const staysHere: unique symbol = Symbol.for('outpool.staysHere') as never

/** What a class says of that; undefined for any other. */
export function whyItStays(prototype: unknown): string | undefined {
  const why = (prototype as { readonly [staysHere]?: unknown } | undefined | null)?.[staysHere]
  return typeof why === 'string' ? why : undefined
}

/** A call that makes an object of ours again where it goes. */
export interface MakingCall {
  /** As `outpool:lib/index.js`. */
  readonly module: string
  readonly exportName: string
  /** With the names by which a refusal tells the way to them. */
  readonly args: readonly (readonly [name: string, value: unknown])[]
}

/** A method of this name says how. */
export const madeAgain: unique symbol = Symbol.for('outpool.madeAgain') as never

/** What an object says of that; undefined for any other. */
export function howItIsMade(value: object): MakingCall | undefined {
  const tell = (value as { readonly [madeAgain]?: unknown })[madeAgain]
  return typeof tell === 'function' ? (tell.call(value) as MakingCall) : undefined
}
