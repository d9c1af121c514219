/**
 * Where a value inside a function may have come from: a name from outside it, a parameter, `this`, and the way from
 * there. The walk over the text (`alias-walk.ts`) counts in these; `verdict.ts` looks at what stands there in fact.
 */
import type { Node } from 'acorn'

/**
 * `config.rates.*` is `{ root: 'config', path: ['rates', '*'] }`.
 *
 * Roots: the name of a variable from outside or of a global; `@0`, `@1` ... a parameter; `@this`; `@class`, the class
 * that is analysed itself; `#12`, what the call that ends at offset 12 returns; `~`, whatever was put into something new,
 * here or by what is called here. Steps: a property, `*` for any element or property, `**` for
 * anything below, `@buffer` for the memory under a view that is made of it, if it is one, `@slice` for itself where a
 * slice shares its memory.
 */
export interface Source {
  readonly root: string
  readonly path: readonly string[]
}

/** What an expression may stand for. Numbers, texts and whatever was made inside the function are none of it. */
export interface Value {
  /** It may be one of these itself. */
  readonly is: ReadonlySet<Source>
  /** It is new, and these may be found in it. */
  readonly holds: ReadonlySet<Source>
  /** Functions written inside the text that it may be, or hold. */
  readonly functions: ReadonlySet<Node>
  /** It may be something else instead, which comes from nowhere outside. */
  readonly mixed?: boolean
}

/** The root of what was put into something new. */
export const putAnywhere = '~'

/** Longer ways end in `**`. */
const maxSteps = 5

export class Sources {
  readonly #known = new Map<string, Source>()

  of(root: string, path: readonly string[] = []): Source {
    const key = [root, ...path].join('\0')
    let source = this.#known.get(key)
    if (source === undefined) this.#known.set(key, (source = { root, path }))
    return source
  }

  step(source: Source, step: string): Source {
    const { root, path } = source
    if (path.at(-1) === '**') return source
    if (path.length >= maxSteps || (path.at(-1) === '*' && step === '*'))
      return this.of(root, [...path.slice(0, maxSteps - 1), '**'])
    return this.of(root, [...path, step])
  }

  steps(sources: Iterable<Source>, step: string): Set<Source> {
    const out = new Set<Source>()
    for (const source of sources) out.add(this.step(source, step))
    return out
  }
}

const empty: ReadonlySet<never> = new Set<never>()
export const nothing: Value = { is: empty, holds: empty, functions: empty }

export function union(values: readonly Value[]): Value {
  const some = values.filter((value) => value !== nothing)
  if (some.length < 2) return some[0] ?? nothing
  const all = { is: new Set<Source>(), holds: new Set<Source>(), functions: new Set<Node>(), mixed: false }
  for (const { is, holds, functions, mixed = false } of some) {
    for (const source of is) all.is.add(source)
    for (const source of holds) all.holds.add(source)
    for (const node of functions) all.functions.add(node)
    all.mixed ||= mixed
  }
  return all
}

/** One or the other: where one of them comes from nowhere, the whole is mixed. */
export function either(values: readonly Value[]): Value {
  const all = union(values)
  return all === nothing || !values.includes(nothing) ? all : { ...all, mixed: true }
}

/** Something new with these in it. */
export function holding(values: readonly Value[]): Value {
  const all = union(values)
  if (all === nothing) return nothing
  return { is: empty, holds: new Set([...all.is, ...all.holds]), functions: all.functions }
}

/** Whether it is certainly of the program, and nothing that the function, or who called it, has made. */
export function isOutside({ is, holds, mixed = false }: Value): boolean {
  if (is.size === 0 || holds.size > 0 || mixed) return false
  for (const { root } of is) if (/^[@#~]/.test(root)) return false
  return true
}

/** Everything that can be reached by way of the value. */
export function reach({ is, holds }: Value): Source[] {
  return [...new Set([...is, ...holds])]
}

/** From its root on, as it is written: `.rates[...]`. */
export function wayOf({ path }: Source): string {
  return path.map((step) => (step === '*' ? '[...]' : step === '**' ? '...' : `.${step}`)).join('')
}
