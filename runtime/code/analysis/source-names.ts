/** What reasons call the things that a function does something to. */
import { resolveAll, type Environment, type Resolved } from './resolve.ts'
import { putAnywhere, wayOf, type Source } from './sources.ts'

export class SourceNames {
  readonly #fn: Function
  readonly #environment: Environment

  constructor(fn: Function, environment: Environment) {
    this.#fn = fn
    this.#environment = environment
  }

  /** What sources are, with the name that reasons give it inside of what is called with it. */
  named(sources: readonly Source[]): Resolved {
    const [first] = sources
    return { ...resolveAll(sources, this.#environment), name: first === undefined ? undefined : this.#nameOf(first) }
  }

  /** As it is reached from a variable, by way of the calls that led here. */
  #nameOf(source: Source): string | undefined {
    const { root } = source
    if (/^[#~]/.test(root) || root === '@class') return undefined
    if (!root.startsWith('@')) return root + wayOf(source)
    const given = root === '@this' ? this.#environment.self : this.#environment.argument(Number(root.slice(1)))
    return given?.name === undefined ? undefined : given.name + wayOf(source)
  }

  variableOf(source: Source | undefined): string | undefined {
    return source === undefined ? undefined : /^[^.[]+/.exec(this.#nameOf(source) ?? '')?.[0]
  }

  /** As it would be written: `'config.rates'`, `argument 1`, `'this'`. */
  describe(source: Source): string {
    const name = this.#nameOf(source)
    if (name !== undefined) return `'${name}'`
    const { root } = source
    if (root.startsWith('#')) return `what a call returns${wayOf(source)}`
    if (root === putAnywhere) return 'what it may have put there'
    if (root === '@class') return `${isClass(this.#fn) ? 'its own class' : 'itself'}${wayOf(source)}`
    return root === '@this' ? `'this${wayOf(source)}'` : `argument ${Number(root.slice(1)) + 1}`
  }

  describeAll([first]: readonly Source[]): string {
    return first === undefined ? 'something' : this.describe(first)
  }
}

export function isClass(fn: Function): boolean {
  return Function.prototype.toString.call(fn).startsWith('class')
}
