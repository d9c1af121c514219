/** What the parts of the walk over a function's text share. */
import type { AnyNode, Class, Function as FunctionNode, Node } from 'acorn'
import type { Binding, Bindings, BindingTable } from './bindings.ts'
import type { OfClass } from './instances.ts'
import type { Source, Sources, Value } from './sources.ts'

/** What the function does that may be seen from outside of it. Offsets are of the parsed text. */
export type BehaviourEvent =
  /** It reads a name from outside. */
  | { readonly kind: 'use'; readonly name: string; readonly start: number }
  /** It assigns to a name from outside. */
  | { readonly kind: 'assign'; readonly name: string; readonly start: number }
  /** It changes what one of `sources` is: `how` names the property or method. */
  | Mutation
  /** It hands them out: as its result, as what it throws or yields. */
  | { readonly kind: 'escape'; readonly sources: readonly Source[]; readonly how: string; readonly start: number }
  | Call
  | { readonly kind: 'import'; readonly specifier: string; readonly start: number }

export interface Mutation {
  readonly kind: 'mutate'
  readonly sources: readonly Source[]
  /** It is done to nothing else. */
  readonly certain: boolean
  readonly how: string
  readonly start: number
}

/** A call of something that is not written in the text itself. */
export interface Call {
  readonly kind: 'call'
  /** What may be called; empty where nothing is known of it. */
  readonly callee: readonly Source[]
  /** As it is written: `helper`, `push`. */
  readonly name: string
  readonly isNew: boolean
  readonly receiver: readonly Source[]
  readonly args: readonly (readonly Source[])[]
  /** Of each argument, what something new holds: it may be found at any step of it. */
  readonly held: readonly (readonly Source[])[]
  /** A loop calls it until it answers with nothing, and is not left before. */
  readonly toTheEnd: boolean
  /** What the first argument may be, without what it may hold. */
  readonly target: readonly Source[]
  /** A function written in the text is among the arguments. */
  readonly callback: boolean
  /** A function written in the text may be what is called. */
  readonly local: boolean
  /** What may be found in what it is called on, where that is new. */
  readonly within: readonly Source[]
  /** It is called as a method of something. */
  readonly isMember: boolean
  readonly start: number
  /** By which its result is known: no two calls end at one place. */
  readonly end: number
}

/** Where the walk is. */
export interface Frame {
  readonly scope: Bindings | undefined
  /** What `this` is. */
  readonly self: Value
  /** Collects what the function returns; undefined in the analysed function itself. */
  readonly returns: Binding | undefined
  /** The class around it, and what that extends. */
  readonly ofClass?: OfClass | undefined
  readonly parent?: Value | undefined
}

export interface Walker {
  readonly sources: Sources
  readonly table: BindingTable
  readonly events: BehaviourEvent[]
  /** Where the calls end that loops go on with until they answer with nothing. */
  readonly toTheEnd: ReadonlySet<number>
  /** What the analysed function returns, throws or yields. */
  readonly returned: Set<Source>
  evaluate(node: AnyNode, frame: Frame): Value
  visit(node: AnyNode, frame: Frame): void
  /** Binds (`declares`) or assigns the names and places of a pattern. */
  assign(pattern: AnyNode, value: Value, frame: Frame, declares: boolean): void
  /** What is found at `step` of a value: also what was put there by way of another name. */
  part(value: Value, step: string): Value
  /** `put` comes into `target`, or something is taken from it. */
  changed(target: Value, how: string, node: AnyNode, put: Value, frame: Frame): void
  /** `yield` hands out like `return`. */
  yielded(value: Value, frame: Frame, node: AnyNode): void
  /** Goes through a function that is written here; the value is the function. */
  define(node: FunctionNode, frame: Frame, self: Value): Value
  /** Accessors, and methods that the language calls: no text names them. `takes`: with what is assigned. */
  calledUnnamed(functions: ReadonlySet<Node>, takes: boolean): void
  defineClass(node: Class, frame: Frame, self: Value): Value
  /**
   * A call of functions that are written here: `args` for their parameters, `rest` for any of them, `self` as `this`; the
   * value is what they return.
   */
  callLocal(functions: ReadonlySet<Node>, args: readonly Value[], rest: Value, self: Value): Value
}
