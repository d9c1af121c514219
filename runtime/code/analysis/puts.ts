/** What the text puts into objects, by whatever name; part of the walk of `alias-walk.ts`. */
import type { AnyNode, Node } from 'acorn'
import { findBinding, type Binding } from './bindings.ts'
import { nothing, putAnywhere, reach, type Source, type Value } from './sources.ts'
import type { Frame, Walker } from './walker.ts'

export class Puts {
  /** Setters that are written here: called with what is put anywhere. */
  readonly setters: Set<Node> = new Set()
  readonly anywhere: Source
  readonly #walk: Walker
  readonly #all = new Set<Source>()
  /** Functions that are written here and were put into objects. */
  readonly #kept: Binding = { value: nothing }

  constructor(walk: Walker) {
    this.#walk = walk
    this.anywhere = walk.sources.of(putAnywhere)
  }

  get all(): readonly Source[] {
    return [...this.#all]
  }

  get functions(): Value {
    return this.#kept.value
  }

  /** What an accessor, or a method that the language calls, gives is found in something. */
  calledUnnamed(node: Node, returned: Value, takes: boolean): void {
    this.note(returned)
    if (takes) this.setters.add(node)
  }

  note(put: Value): void {
    for (const source of reach(put)) {
      if (this.#all.has(source)) continue
      this.#all.add(source)
      this.#walk.table.changed = true
    }
    if (put.functions.size > 0) this.#walk.table.add(this.#kept, { ...nothing, functions: put.functions })
  }

  /** What the variable holds in which it was put, where it is one. */
  keepIn(node: AnyNode, value: Value, frame: Frame): void {
    let root: AnyNode = node
    while (root.type === 'MemberExpression' || root.type === 'CallExpression')
      root = root.type === 'MemberExpression' ? root.object : root.callee
    const binding = root.type === 'Identifier' ? findBinding(frame.scope, root.name) : undefined
    if (binding !== undefined) this.#walk.table.add(binding, value)
  }
}
