/** The variables declared inside a function's text, and what each may stand for, whenever it is read. */
import type { Node } from 'acorn'
import { nothing, union, type Value } from './sources.ts'

export interface Binding {
  value: Value
}

export interface Bindings {
  readonly names: Map<string, Binding>
  readonly parent: Bindings | undefined
}

export function findBinding(scope: Bindings | undefined, name: string): Binding | undefined {
  for (let at = scope; at !== undefined; at = at.parent) {
    const found = at.names.get(name)
    if (found !== undefined) return found
  }
  return undefined
}

/** The scopes of a text: one for each node that opens one, the same in every round of the walk. */
export class BindingTable {
  readonly #byNode = new Map<Node, Bindings>()
  /** Something was learnt in this round, so another one is needed. */
  changed = false

  /** The scope that `node` opens; `declare` adds its names, at the first time. */
  scope(node: Node, parent: Bindings | undefined, declare: (names: Set<string>) => void): Bindings {
    const known = this.#byNode.get(node)
    if (known !== undefined) return known
    const names = new Set<string>()
    declare(names)
    const scope: Bindings = { names: new Map([...names].map((name) => [name, { value: nothing }])), parent }
    this.#byNode.set(node, scope)
    return scope
  }

  /** The scope that `node` has opened, once it has. */
  of(node: Node): Bindings | undefined {
    return this.#byNode.get(node)
  }

  /** The binding may also stand for `value`. */
  add(binding: Binding, value: Value): void {
    if (isWithin(value, binding.value)) return
    binding.value = union([binding.value, value])
    this.changed = true
  }
}

function isWithin(value: Value, all: Value): boolean {
  if (value.mixed === true && all.mixed !== true) return false
  for (const source of value.is) if (!all.is.has(source)) return false
  for (const source of value.holds) if (!all.holds.has(source)) return false
  for (const node of value.functions) if (!all.functions.has(node)) return false
  return true
}
