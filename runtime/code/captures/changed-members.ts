/** How functions, classes and their prototypes differ from what their text makes. */
import { types } from 'node:util'
import { isWrittenAt, type Key, type Members, type Part } from '../class-members.ts'
import type { Written } from './function-parts.ts'
import { symbolName } from './plain-objects.ts'

/** Half of an accessor: there is none, it is that of the text, or it is another function. */
export type Half = { readonly kind: 'none' | 'written' } | { readonly kind: 'given'; readonly value: Function }

export type Change =
  | { readonly key: Key; readonly kind: 'deleted' }
  | { readonly key: Key; readonly kind: 'value'; readonly property: PropertyDescriptor; readonly value: unknown }
  | { readonly key: Key; readonly kind: 'accessor'; readonly property: PropertyDescriptor; readonly halves: Halves }
  /** The method of the text, but with other attributes, or with properties of its own. */
  | { readonly key: Key; readonly kind: 'written'; readonly property: PropertyDescriptor; readonly value: Function }

export interface Halves {
  readonly get: Half
  readonly set: Half
}

const noMembers: Members = { byText: new Map(), keys: new Map() }

const none: readonly Change[] = []

/** What is on the function or class itself that its text does not put there, and what of that is gone. */
export function changesOfOwn(fn: Function, analysis: Written): readonly Change[] {
  return analysis.kind === 'class' ? changesOf(fn, analysis.members.own, analysis) : changesOf(fn, noMembers, analysis)
}

/** The same of its prototype. */
export function changesOfPrototype(fn: Function, prototype: object, analysis: Written): readonly Change[] {
  const members = analysis.kind === 'class' ? analysis.members.inherited : noMembers
  const changes = changesOf(prototype, members, undefined)
  const made = Object.getOwnPropertyDescriptor(prototype, 'constructor')
  // Generators have none.
  if (made === undefined && types.isGeneratorFunction(fn)) return changes
  if (made === undefined) return [...changes, { key: 'constructor', kind: 'deleted' }]
  if (made.value !== fn) return [...changes, changeOf('constructor', made, noMembers)]
  return isAsMade(made) ? changes : [...changes, { key: 'constructor', kind: 'written', property: made, value: fn }]
}

/** `analysis`: of the function or class itself; undefined where `of` is its prototype. */
function changesOf(of: object, members: Members, analysis: Written | undefined): readonly Change[] {
  const { keys } = members
  let changes: Change[] | undefined
  let missing = keys.size
  for (const key of Reflect.ownKeys(of)) {
    const parts = keys.size === 0 ? undefined : keys.get(key)
    if (parts !== undefined) missing--
    else if (key === (analysis === undefined ? 'constructor' : 'prototype')) continue
    const property = Object.getOwnPropertyDescriptor(of, key)
    if (property === undefined) continue
    const isOfText =
      parts === undefined
        ? isLeftOut(key, property, analysis)
        : isAsWritten(key, property, members, parts) && isAsMade(property) && !hasOwnProperties(property.value)
    if (!isOfText) (changes ??= []).push(changeOf(key, property, members))
  }
  if (missing === 0) return changes ?? none
  const gone = [...keys.keys()].filter((key) => !Object.hasOwn(of, key))
  return [...(changes ?? none), ...gone.map((key) => ({ key, kind: 'deleted' }) as const)]
}

function isLeftOut(key: Key, property: PropertyDescriptor, analysis: Written | undefined): boolean {
  if (analysis === undefined) return isMarkOfOthers(key)
  return isOfEvery(key, property, analysis) || isHiddenMark(key, property)
}

function changeOf(key: Key, property: PropertyDescriptor, members: Members): Change {
  if (!('value' in property)) {
    const half = (part: 'get' | 'set'): Half => {
      const value = property[part]
      if (value === undefined) return { kind: 'none' }
      return isWrittenAt(value, key, part, members) ? { kind: 'written' } : { kind: 'given', value }
    }
    return { key, kind: 'accessor', property, halves: { get: half('get'), set: half('set') } }
  }
  const value = property.value as unknown
  return typeof value === 'function' && isWrittenAt(value, key, 'value', members)
    ? { key, kind: 'written', property, value }
    : { key, kind: 'value', property, value }
}

/** All of its functions are those that the text makes there. An accessor of the text may have got another half. */
function isAsWritten(key: Key, property: PropertyDescriptor, members: Members, parts: ReadonlySet<Part>): boolean {
  if ('value' in property) return parts.has('value') && isPart(key, 'value', property.value, members)
  const { get, set } = property as Readonly<Record<string, unknown>>
  if (get === undefined ? parts.has('get') : !isPart(key, 'get', get, members)) return false
  return set === undefined ? !parts.has('set') : isPart(key, 'set', set, members)
}

function isPart(key: Key, part: Part, value: unknown, members: Members): boolean {
  return typeof value === 'function' && isWrittenAt(value, key, part, members)
}

/** The attributes that a method has when its class is made. */
function isAsMade({ enumerable, writable, configurable }: PropertyDescriptor): boolean {
  return enumerable === false && writable !== false && configurable === true
}

/** Whether a method had more than every function has when it was seen first. To list all of it takes longer than the rest. */
const seen = new WeakMap<Function, boolean>()

function hasOwnProperties(method: unknown): boolean {
  if (typeof method !== 'function') return false
  let hasMore = seen.get(method)
  if (hasMore === undefined)
    seen.set(
      method,
      (hasMore = Reflect.ownKeys(method).length > 2 && Reflect.ownKeys(method).some((key) => !isUsual(key))),
    )
  return hasMore || Object.keys(method).length > 0
}

/** A property that every function has. */
export function isUsual(key: Key): boolean {
  return key === 'length' || key === 'name' || key === 'prototype'
}

function isOfEvery(key: Key, property: PropertyDescriptor, analysis: Written): boolean {
  if (key === 'name') return property.enumerable === false && typeof property.value === 'string'
  if (key === 'length') return property.enumerable === false && property.value === analysis.length
  return (key === 'arguments' || key === 'caller') && analysis.kind === 'function'
}

/** Its text gave it that name, or somebody else put a mark there that nobody lists. */
function isHiddenMark(key: Key, property: PropertyDescriptor): boolean {
  return isMarkOfOthers(key) && !(property.enumerable === true && 'value' in property)
}

/** A symbol that only who made it knows: what is kept under it is nothing to anybody elsewhere. */
function isMarkOfOthers(key: Key): boolean {
  return typeof key === 'symbol' && symbolName(key) === undefined
}

const textsOf = new WeakMap<Function, string>()

function textOf(method: unknown): string | undefined {
  if (typeof method !== 'function' || types.isProxy(method)) return undefined
  let text = textsOf.get(method)
  if (text === undefined) textsOf.set(method, (text = Function.prototype.toString.call(method)))
  return text
}

/** Under which key of `of` the method of that text is, the first that `isFree`; undefined where it is under none. */
export function keyNow(of: object, text: string, part: Part, isFree: (key: Key) => boolean): Key | undefined {
  return Reflect.ownKeys(of).find((key) => {
    const property = Object.getOwnPropertyDescriptor(of, key)
    return textOf(property?.[part]) === text && isFree(key)
  })
}
