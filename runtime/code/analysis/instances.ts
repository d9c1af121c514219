/** What the instances of classes that are written in a text are given: by `this.name = value`, or by a field. */
import type { AnyNode, Class, MethodDefinition, Node, PropertyDefinition } from 'acorn'
import type { Binding, BindingTable } from './bindings.ts'
import { nothing, union, type Value } from './sources.ts'

/** A class that is written in the text. */
export interface OfClass {
  /** The class, where it is the one that is analysed. */
  readonly value: Value
  /** What its instances are given, by the name of the property; `*` for any. */
  readonly given: Map<string, Binding>
}

export class Instances {
  readonly #table: BindingTable
  readonly #given = new Map<Node, Map<string, Binding>>()

  constructor(table: BindingTable) {
    this.#table = table
  }

  of(node: Class, value: Value): OfClass {
    let given = this.#given.get(node)
    if (given === undefined) this.#given.set(node, (given = new Map<string, Binding>()))
    return { value, given }
  }

  give({ given }: OfClass, name: string, value: Value): void {
    if (value === nothing) return
    let binding = given.get(name)
    if (binding === undefined) given.set(name, (binding = { value: nothing }))
    this.#table.add(binding, value)
  }
}

/** `part`, which is found at `step` of the value of `node`, and what it was given there. */
export function withGiven(part: Value, node: AnyNode, step: string, ofClass: OfClass | undefined): Value {
  if (node.type !== 'ThisExpression' || ofClass === undefined) return part
  if (step === 'constructor') return union([part, ofClass.value])
  const given = step === '*' ? [...ofClass.given.values()] : [ofClass.given.get(step), ofClass.given.get('*')]
  const all = union(given.map((binding) => binding?.value ?? nothing))
  return all === nothing ? part : { ...union([part, all]), mixed: true }
}

export function fieldName({ computed, key }: PropertyDefinition | MethodDefinition): string {
  if (key.type === 'PrivateIdentifier') return `#${key.name}`
  return !computed && key.type === 'Identifier' ? key.name : '*'
}
