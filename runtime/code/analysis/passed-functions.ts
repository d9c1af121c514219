/** Functions that are passed to one of the engine's, or to one that is not known: they are called with what is near. */
import { changesFirstArgument, changesReceiver } from './known-methods.ts'
import { intrinsicName } from './known-values.ts'
import { merge, resolveAll, unknown, withoutFunctions, type Environment, type Resolved } from './resolve.ts'
import type { Judgement } from './scene.ts'
import { hasShared } from './shared-values.ts'
import { unnamedOf } from './unnamed-methods.ts'
import type { Call } from './walker.ts'

export class PassedFunctions {
  readonly #judge: Judgement
  readonly #environment: Environment
  readonly #unknown: (message: string) => void

  constructor(judge: Judgement, environment: Environment, unknown: (message: string) => void) {
    this.#judge = judge
    this.#environment = environment
    this.#unknown = unknown
  }

  /** Functions given to one of the engine's are called with elements of what it works on. */
  called(call: Call, args: readonly Resolved[], receiver: Resolved): void {
    this.#ofEngine(call, args, receiver)
    const functions = new Set<Function>()
    for (const { values, held } of args)
      for (const value of [...values, ...(held ?? [])])
        if (typeof value === 'function' && intrinsicName(value) === undefined) functions.add(value)
    if (functions.size === 0) return
    const near = [
      receiver,
      resolveAll(call.within, this.#environment),
      this.#environment.put(),
      ...args.map(withoutFunctions),
    ]
    const elements = near.some(hasShared) ? unknown : merge(near)
    for (const fn of functions)
      this.#judge.look(fn, [elements, elements, elements, elements], elements, fn.name || 'a callback')
  }

  /** `items.forEach(Object.freeze)`, `xs.forEach(seen.add, seen)` */
  #ofEngine(call: Call, args: readonly Resolved[], receiver: Resolved): void {
    const changing = args.some(({ values }) =>
      [...values].some((value) => {
        const name = intrinsicName(value)?.split('.').at(-1) ?? ''
        return typeof value === 'function' && (changesReceiver(name) || changesFirstArgument(name))
      }),
    )
    if (
      !changing ||
      ![receiver, resolveAll(call.within, this.#environment), this.#environment.put(), ...args].some(hasShared)
    )
      return
    const message = `it passes a function to ${call.name} that changes what it is called with`
    this.#unknown(message)
  }

  /** What is made so has what the language calls of its prototype. */
  prototypes(args: readonly Resolved[]): void {
    for (const { values } of args)
      for (const value of values)
        for (const method of unnamedOf(value, true))
          this.#judge.look(method, [], this.#environment.put(), method.name || 'an accessor')
  }
}
