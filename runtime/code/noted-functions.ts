/**
 * Functions of this process that were sent as their text. When an error comes back that names lines of such a text,
 * `original-places.ts` finds by them where it was written; most programs never load that.
 */
import { BoundedMap } from '../base/bounded-map.ts'

/** Where a function begins; both count from 0. */
export interface FunctionLocation {
  readonly scriptId: string
  readonly line: number
  readonly column: number
}

export interface NotedFunction {
  readonly fn: WeakRef<Function>
  /** Of a function that may be gone when an error comes. */
  readonly location: FunctionLocation | undefined
  /** The same text stands at two places. */
  isAmbiguous: boolean
}

const maxTexts = 2000
const byText = new BoundedMap<string, NotedFunction>(maxTexts)

/** `text` is what is sent of `fn`. */
export function noteFunction(text: string, fn: Function, location?: FunctionLocation): void {
  const known = byText.get(text)
  if (known !== undefined) {
    known.isAmbiguous ||= isElsewhere(known.location, location)
    return
  }
  byText.set(text, { fn: new WeakRef(fn), location, isAmbiguous: false })
}

function isElsewhere(a: FunctionLocation | undefined, b: FunctionLocation | undefined): boolean {
  if (a === undefined || b === undefined) return false
  return a.scriptId !== b.scriptId || a.line !== b.line || a.column !== b.column
}

/** By their text. */
export function notedFunctions(): Iterable<readonly [string, NotedFunction]> {
  return byText
}
