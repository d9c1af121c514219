/** Properties on their way into a value: those of objects, and what functions and classes have beside their text. */
import type { PartWriter } from '../../protocol/code-values.ts'
import type { Key } from '../class-members.ts'
import { changesOfOwn, changesOfPrototype, isUsual, type Change, type Half } from './changed-members.ts'
import { half, inherits, mark } from './code-forms.ts'
import type { Written } from './function-parts.ts'
import { madeBy, parentOfOwn, parentOfPrototype, type Parent } from './parents.ts'
import { symbolName } from './plain-objects.ts'

type Skip = (key: Key, property: PropertyDescriptor) => boolean

/** Own properties, but those that `skip` says. Without `accessors` those are sent as the values that they give. */
export function writeProperties(of: object, writer: PartWriter, skip: Skip, accessors: boolean = false): void {
  const kept: [Key, PropertyDescriptor][] = []
  for (const key of Reflect.ownKeys(of)) {
    const property = Object.getOwnPropertyDescriptor(of, key)
    if (property !== undefined && !skip(key, property)) kept.push([key, property])
  }
  writer.count(kept.length)
  for (const [key, property] of kept) {
    const name = writeKey(key, writer)
    if (accessors && !('value' in property)) {
      writer.count(flags(property) | mark.accessor)
      for (const part of ['get', 'set'] as const) writeHalf(name, given(property[part]), writer)
      continue
    }
    writer.count(flags(property))
    writer.value(name, 'value' in property ? property.value : Reflect.get(of, key))
  }
}

function given(value: Function | undefined): Half {
  return value === undefined ? { kind: 'none' } : { kind: 'given', value }
}

/**
 * What was set on a function or class, then on its prototype; from what that inherits, and the function itself.
 * `note`: hears of objects that others inherit from.
 */
export function writeMembers(
  fn: Function,
  analysis: Written,
  writer: PartWriter,
  note: (object: object) => unknown,
): void {
  writeChanges(changesOfOwn(fn, analysis), writer)
  const prototype = prototypeOf(fn)
  writeChanges(prototype === undefined ? [] : changesOfPrototype(fn, prototype, analysis), writer)
  writeParent(prototype && parentOfPrototype(fn, prototype, analysis), writer, note)
  writeParent(parentOfOwn(fn, analysis), writer, note)
}

function prototypeOf(fn: Function): object | undefined {
  const prototype: unknown = Object.getOwnPropertyDescriptor(fn, 'prototype')?.value
  return typeof prototype === 'object' && prototype !== null ? prototype : undefined
}

function writeChanges(changes: readonly Change[], writer: PartWriter): void {
  writer.count(changes.length)
  for (const change of changes) {
    const name = writeKey(change.key, writer)
    switch (change.kind) {
      case 'deleted':
        writer.count(mark.deleted)
        break
      case 'value':
        writer.count(flags(change.property))
        writer.value(name, change.value)
        break
      case 'written':
        writer.count(flags(change.property) | mark.written)
        writeProperties(change.value, writer, isUsual)
        break
      case 'accessor':
        writer.count(flags(change.property) | mark.accessor)
        writeHalf(name, change.halves.get, writer)
        writeHalf(name, change.halves.set, writer)
    }
  }
}

function writeHalf(name: string, one: Half, writer: PartWriter): void {
  writer.count(half[one.kind])
  if (one.kind === 'given') writer.value(name, one.value)
}

/** Returns it as part of a path. */
function writeKey(key: Key, writer: PartWriter): string {
  const name = typeof key === 'string' ? key : symbolName(key)
  if (name === undefined)
    writer.refuse(`an object with a property keyed by ${String(key)}; only symbols of Symbol.for travel as keys`)
  writer.value(name, key)
  return name
}

function flags({ enumerable, writable, configurable }: PropertyDescriptor): number {
  return (
    (enumerable === true ? mark.enumerable : 0) |
    (writable === false ? mark.readOnly : 0) |
    (configurable === false ? mark.fixed : 0)
  )
}

function writeParent(parent: Parent | undefined, writer: PartWriter, note: (object: object) => unknown): void {
  if (parent === undefined) return writer.count(inherits.asWritten)
  const { object } = parent
  const made = object === null ? undefined : madeBy(object)
  if (object !== null && made === undefined) note(object)
  writer.count(made === undefined ? inherits.fromObject : inherits.fromClass)
  writer.value('[[Parent]]', made ?? object)
}
