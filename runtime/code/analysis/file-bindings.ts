/**
 * The variables of a file, and where each is assigned or what it holds is changed: what a function captures may change
 * by code that is not its own.
 */
import { walkFile, type VariableChange } from '../outside-uses.ts'
import { lineStarts, parseProgram, position } from '../parse-function.ts'
import type { Scope } from '../scope.ts'

export interface Change extends VariableChange {
  /** Of the file, from 1. */
  readonly line: number
}

/** A statement of the file that sets something up: `dayjs.extend(utc)`. */
export interface SetUp {
  readonly start: number
  /** Of the file, from 1. */
  readonly line: number
  /** `extend()`, or the property that it assigns. */
  readonly how: string
}

interface Place {
  readonly start: number
  /** Where its head ends: a function is known by the place of its head. */
  readonly headEnd: number
  readonly end: number
  readonly scope: Scope
}

export class FileBindings {
  readonly #places: Place[] = []
  readonly #changes = new Map<Scope, Map<string, Change[]>>()
  readonly #setUps = new Map<Scope, Map<string, SetUp[]>>()
  readonly #depths = new Map<Scope, number>()

  /** Throws SyntaxError. */
  constructor(text: string, isModule: boolean) {
    const program = parseProgram(text, isModule ? 'module' : 'script')
    const starts = lineStarts(text)
    walkFile(program, isModule, {
      function: (node, scope, depth) => {
        const { start, end, body } = node
        this.#places.push({ start, headEnd: body.start, end, scope })
        for (let at: Scope | undefined = scope; at !== undefined; at = at.parent)
          this.#depths.set(at, Math.min(depth, this.#depths.get(at) ?? depth))
      },
      change: (scope, name, change) => {
        const owner = ownerOf(scope, name)
        if (owner === undefined) return
        let changes = this.#changes.get(owner)
        if (changes === undefined) this.#changes.set(owner, (changes = new Map<string, Change[]>()))
        const all = changes.get(name) ?? []
        all.push({ ...change, line: position(starts, change.start).line })
        changes.set(name, all)
      },
      setUp: (scope, { root: { name, start }, how }) => {
        const owner = ownerOf(scope, name)
        if (owner === undefined) return
        let setUps = this.#setUps.get(owner)
        if (setUps === undefined) this.#setUps.set(owner, (setUps = new Map<string, SetUp[]>()))
        setUps.set(name, [...(setUps.get(name) ?? []), { start, line: position(starts, start).line, how }])
      },
    })
  }

  /**
   * Changes of a variable that the function at `offset` captures, by other code than its own; what is done to it once,
   * above the function, in the block that declares it, is how it is made.
   */
  changesAround(offset: number, name: string): readonly Change[] {
    const place = this.#functionAt(offset)
    const owner = place === undefined ? undefined : ownerOf(place.scope, name)
    if (place === undefined || owner === undefined) return []
    const depth = this.#depths.get(owner) ?? 0
    return (this.#changes.get(owner)?.get(name) ?? []).filter((change) => {
      if (change.start >= place.start && change.start < place.end) return false
      return change.inLoop || change.depth > depth || change.start > place.start
    })
  }

  /**
   * The first statement that sets up what the variable holds, which the function at `offset` captures. Undefined where that
   * function does so itself; what is set up the same way twice counts as done where it is needed, as in an initializer.
   */
  setUpOf(offset: number, name: string): SetUp | undefined {
    const place = this.#functionAt(offset)
    const owner = place === undefined ? undefined : ownerOf(place.scope, name)
    const all = (owner === undefined ? undefined : this.#setUps.get(owner)?.get(name)) ?? []
    if (place === undefined || all.some(({ start }) => start >= place.start && start < place.end)) return undefined
    return all.find((one) => all.every((other) => other === one || other.how !== one.how))
  }

  /** Whether the variable keeps the value that it was declared with. */
  isFixed(offset: number, name: string): boolean {
    const place = this.#functionAt(offset)
    const owner = place === undefined ? undefined : ownerOf(place.scope, name)
    if (owner === undefined) return false
    return !(this.#changes.get(owner)?.get(name) ?? []).some(({ assigns }) => assigns)
  }

  #functionAt(offset: number): Place | undefined {
    let found: Place | undefined
    for (const place of this.#places) {
      if (place.start <= offset && offset <= place.headEnd && (found === undefined || place.start >= found.start))
        found = place
    }
    return found
  }
}

function ownerOf(scope: Scope, name: string): Scope | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) if (at.names.has(name)) return at
  return undefined
}
