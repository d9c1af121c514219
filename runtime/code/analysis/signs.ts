/** What is told from a function's text alone, by how it looks. Pure. */
import type { Reason } from './reasons.ts'

/** What may never settle on a worker, or otherwise than here; and what is said of it. */
const waiting: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/\bnew\s+Promise\s*\(\s*(?:\(\s*\)\s*=>|function\s*\(\s*\))/, 'makes a promise that nothing settles'],
  [/\.\s*addEventListener\s*\(|\.\s*onabort\b/, 'listens to something that is another one on a worker, as a signal is'],
]

/** What is another thing in each process, and by which anything may be reached. */
const anywhere = /\b__proto__\b|\bRegExp\s*\.\s*(?:\$|input\b|last|left|right)/

/** Names that tell a copy from what it is of: is it frozen, is a property listed. */
const asksHow =
  /\b(?:isFrozen|isSealed|isExtensible|getOwnPropertyDescriptors?|getOwnPropertyNames|getOwnPropertySymbols|ownKeys|propertyIsEnumerable)\b/
/** Where in a piece of memory it is. */
const asksWhere = /\b(?:byteOffset|buffer|parent|resizable|maxByteLength)\b/

/** What never settles keeps no program alive, but whoever waits for a worker; and a signal there is another one. */
export function waitingIn(text: string): Reason[] {
  return waiting.flatMap(([pattern, what]): Reason[] => {
    const found = pattern.exec(text)
    if (found === null) return []
    const line = text.slice(0, found.index).split('\n').length
    return [{ kind: 'effect', verdict: 'maybe', message: `it ${what} (line ${line})`, line }]
  })
}

/** `changed`: what `changedBuiltIns` gives. */
export function changedIn(text: string, changed: ReadonlyMap<string, string>): Reason[] {
  return [...changed]
    .filter(([name]) => text.includes(name))
    .map(([, path]) => unknown(`it may use ${path}, which this program has changed and a worker has not`))
}

export const sloppy: Reason = unknown(
  `it, or a function in it, is not strict and uses 'this' or 'arguments', which are others in strict code, as on a worker`,
)

export function reachingIn(text: string): Reason[] {
  const found = anywhere.exec(text)?.[0]
  return found === undefined ? [] : [unknown(`it uses ${found}, by which anything may be reached`)]
}

/** What texts ask of things that would be copies. */
export class Asking {
  #how: string | undefined
  #where: string | undefined

  read(text: string): void {
    this.#how ??= asksHow.exec(text)?.[0]
    this.#where ??= asksWhere.exec(text)?.[0]
  }

  reasons({ objects, sharesMemory }: { readonly objects: number; readonly sharesMemory: boolean }): Reason[] {
    const found = [objects > 0 ? this.#how : undefined, sharesMemory ? this.#where : undefined]
    return found.flatMap((name) =>
      name === undefined ? [] : [unknown(`it uses ${name}, which tells a copy from what it is of`)],
    )
  }
}

function unknown(message: string): Reason {
  return { kind: 'unknown', verdict: 'maybe', message, line: 1 }
}
