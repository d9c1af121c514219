/** Which properties of functions, of classes and of their prototypes their text does not make by itself. */
import { isOfText } from '../class-members.ts'
import type { Written } from './function-parts.ts'
import { symbolName } from './plain-objects.ts'

/** Whether evaluating the text gives the function, or class, that property of its own. */
export function isWritten(key: string | symbol, property: PropertyDescriptor, analysis: Written): boolean {
  if (key === 'length' || key === 'name' || key === 'prototype' || key === 'arguments' || key === 'caller') return true
  // Methods and accessors of a class are not enumerable; its static fields are.
  if (analysis.kind !== 'class' || (property.enumerable === true && 'value' in property)) return false
  return isOfText(analysis.members, 'own', key, property) || isMarkOfOthers(key)
}

/** What the text does not put on the prototype. */
export function addedTo(prototype: object, analysis: Written): [string | symbol, PropertyDescriptor][] {
  const added: [string | symbol, PropertyDescriptor][] = []
  for (const key of Reflect.ownKeys(prototype)) {
    const property = Object.getOwnPropertyDescriptor(prototype, key)
    if (property === undefined || key === 'constructor' || isMarkOfOthers(key)) continue
    const isMade =
      analysis.kind === 'class' &&
      property.enumerable !== true &&
      isOfText(analysis.members, 'inherited', key, property)
    if (!isMade) added.push([key, property])
  }
  return added
}

/** A symbol that only who made it knows: what is kept under it is nothing to anybody elsewhere. */
function isMarkOfOthers(key: string | symbol): boolean {
  return typeof key === 'symbol' && symbolName(key) === undefined
}
