/** Functions that are written in the text: what they are given, and what they return; part of the walk of `alias-walk.ts`. */
import type { Function as FunctionNode, Node } from 'acorn'
import type { Binding } from './bindings.ts'
import { holding, nothing, union, type Value } from './sources.ts'
import type { Frame, Walker } from './walker.ts'

export class LocalFunctions {
  readonly #walk: Walker
  readonly #returns = new Map<Node, Binding>()
  readonly #selves = new Map<Node, Binding>()

  constructor(walk: Walker) {
    this.#walk = walk
  }

  /** Its parameters may be these: `args` each by its place, `rest` any of them. */
  bind(node: FunctionNode, args: readonly Value[], rest: Value): void {
    const scope = this.#walk.table.of(node)
    if (scope === undefined) return
    const frame: Frame = { scope, self: nothing, returns: undefined }
    node.params.forEach((param, index) => {
      const given = union([args[index] ?? nothing, rest])
      const value = param.type === 'RestElement' ? holding([union(args.slice(index)), rest]) : given
      if (value !== nothing) this.#walk.assign(param, value, frame, true)
    })
    const bag = scope.names.get('arguments')
    const all = union([...args, rest])
    if (bag !== undefined && all !== nothing) this.#walk.table.add(bag, holding([all]))
  }

  /** What `this` may be in a function that is written in the text. */
  selfOf(node: Node): Binding {
    let known = this.#selves.get(node)
    if (known === undefined) this.#selves.set(node, (known = { value: nothing }))
    return known
  }

  /** What a function that is written in the text returns. */
  returnsOf(node: Node): Binding {
    let known = this.#returns.get(node)
    if (known === undefined) this.#returns.set(node, (known = { value: nothing }))
    return known
  }
}
