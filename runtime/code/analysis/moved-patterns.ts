/** Patterns with the flags `g` and `y` remember where they matched: a call of one goes on behind the call before. */
import { types } from 'node:util'
import type { Resolved } from './resolve.ts'
import type { Call } from './walker.ts'

/** Take the pattern as their argument; `replace` and `match` of one with the flag `g` begin and end at 0. */
const takesPattern: ReadonlySet<string> = new Set(['match', 'replace', 'search'])

/** Whether the call moves `lastIndex` of a pattern that others share, or depends on where they left it. */
export function movesPattern(
  { name, isMember, toTheEnd }: Call,
  receiver: Resolved,
  [first]: readonly Resolved[],
): boolean {
  if (!isMember) return false
  if (name === 'exec' || name === 'test')
    return [...receiver.values].some((value) => isMoving(value, (one) => !toTheEnd || one.lastIndex !== 0))
  if (!takesPattern.has(name) || first === undefined) return false
  return [...first.values].some((value) => isMoving(value, (one) => one.sticky))
}

function isMoving(value: unknown, how: (pattern: RegExp) => boolean): boolean {
  if (!types.isRegExp(value)) return false
  return (value.global || value.sticky) && how(value)
}
