/**
 * One walk over the text of a function: which values from outside it reads, changes, hands out or passes on, followed
 * through the variables, objects and functions inside it. Statements do not count in their order: what a variable may
 * be anywhere it may be everywhere, so the walk is repeated until nothing more is learnt. Pure.
 */
import type { AnyNode, Class, Function as FunctionNode, Node } from 'acorn'
import { addLexicalNames, addPatternNames, addVarNames, childNodes } from '../scope.ts'
import type { FunctionRoot } from '../parse-function.ts'
import { mostGiven } from './alias-calls.ts'
import { evaluateExpression } from './alias-expressions.ts'
import { BindingTable, findBinding, type Binding, type Bindings } from './bindings.ts'
import { fieldName, Instances } from './instances.ts'
import { Puts } from './puts.ts'
import { LocalFunctions } from './local-functions.ts'
import { isUnnamed, memberName } from './member-name.ts'
import { holding, isOutside, nothing, putAnywhere, reach, Sources, union, type Source, type Value } from './sources.ts'
import type { BehaviourEvent, Frame, Walker } from './walker.ts'
import { callsToTheEnd } from './whole-loops.ts'

export interface Behaviour {
  readonly events: readonly BehaviourEvent[]
  /** What the result may be, or hold, of what comes from outside. */
  readonly returned: readonly Source[]
  /** What of that it puts into objects. */
  readonly puts: readonly Source[]
  /** False where the text was too large to be followed to its end. */
  readonly isWhole: boolean
}

/** Each learns at least one alias of one variable; few texts need more than four. */
const maxRounds = 24

export function walkFunction(root: FunctionRoot | Class, strict: boolean): Behaviour {
  const walk = new AliasWalk(root, strict)
  let rounds = 0
  try {
    do walk.round(root)
    while (walk.table.changed && ++rounds < maxRounds)
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error
    return { events: [], returned: [], puts: [], isWhole: false }
  }
  return { events: walk.events, returned: [...walk.returned], puts: walk.puts, isWhole: !walk.table.changed }
}

/** Values that a walk gives to names, each counted with all that it may be: some tenths of a second. */
const maxGiven = 200_000
/** Made when it is thrown: an error that stays holds the frames of its stack, and with them the arguments of a task. */
class TooLarge extends Error {}

class AliasWalk implements Walker {
  readonly sources: Sources = new Sources()
  readonly table: BindingTable = new BindingTable()
  readonly events: BehaviourEvent[] = []
  readonly returned: Set<Source> = new Set()
  readonly #puts: Puts = new Puts(this)
  readonly toTheEnd: ReadonlySet<number>
  readonly #strict: boolean
  readonly #functions: LocalFunctions = new LocalFunctions(this)
  readonly #instances: Instances = new Instances(this.table)
  #left = maxGiven

  constructor(root: FunctionRoot | Class, strict: boolean) {
    this.toTheEnd = callsToTheEnd(root as AnyNode)
    this.#strict = strict
  }

  get puts(): readonly Source[] {
    return this.#puts.all
  }

  round(root: FunctionRoot | Class): void {
    this.table.changed = false
    this.events.length = 0
    this.returned.clear()
    const self = this.#from('@this')
    const frame: Frame = { scope: undefined, self, returns: undefined }
    if (root.type === 'ClassExpression' || root.type === 'ClassDeclaration') {
      this.defineClass(root, frame, self)
      return
    }
    const fn = root as FunctionRoot
    const args = this.#arguments(fn)
    this.#enter(fn, frame, self, true)
    this.#functions.bind(fn, args, nothing)
  }

  calledUnnamed(functions: ReadonlySet<Node>, takes: boolean): void {
    for (const node of functions) this.#puts.calledUnnamed(node, this.#functions.returnsOf(node).value, takes)
  }

  evaluate(node: AnyNode, frame: Frame): Value {
    return evaluateExpression(this, node, frame)
  }

  define(node: FunctionNode, frame: Frame, self: Value): Value {
    const isArrow = node.type === 'ArrowFunctionExpression'
    this.#enter(node, frame, isArrow ? frame.self : union([self, this.#functions.selfOf(node).value]), false)
    return { is: new Set(), holds: new Set(), functions: new Set([node]) }
  }

  defineClass(node: Class, frame: Frame, self: Value): Value {
    const isRoot = frame.scope === undefined && frame.returns === undefined
    const scope = this.table.scope(node, frame.scope, (names) => node.id && names.add(node.id.name))
    const functions = new Set<Node>()
    const own = isRoot ? this.#from('@class') : nothing
    if (node.id) this.table.add(scope.names.get(node.id.name) as Binding, own)
    const ofClass = this.#instances.of(node, own)
    const parent = node.superClass ? this.evaluate(node.superClass, { ...frame, scope }) : nothing
    for (const inherited of parent.functions) functions.add(inherited)
    const inside: Frame = { ...frame, scope, returns: this.#functions.returnsOf(node), ofClass, parent }
    for (const member of node.body.body) {
      if (member.type === 'StaticBlock') {
        const block = this.table.scope(member, scope, (names) => {
          addLexicalNames(member.body, names)
          for (const statement of member.body) addVarNames(statement, names, true)
        })
        for (const statement of member.body) this.visit(statement, { ...inside, scope: block, self: own })
        continue
      }
      if (member.computed) this.evaluate(member.key, inside)
      const memberSelf = member.static ? own : isRoot ? self : nothing
      if (member.type === 'MethodDefinition') {
        this.#enter(member.value, inside, union([memberSelf, this.#functions.selfOf(member.value).value]), false)
        functions.add(member.value)
        if (!member.static)
          this.#instances.give(ofClass, fieldName(member), { ...nothing, functions: new Set([member.value]) })
        const isGiven = isRoot && member.kind === 'constructor'
        if (isGiven) this.#functions.bind(member.value, this.#arguments(member.value), nothing)
        if (isGiven)
          for (const source of reach(this.#functions.returnsOf(member.value).value)) this.returned.add(source)
        if (isUnnamed(member)) this.calledUnnamed(new Set([member.value]), member.kind === 'set')
      } else if (member.value) {
        const value = this.evaluate(member.value, { ...inside, self: memberSelf })
        this.#puts.note(value)
        if (!member.static) this.#instances.give(ofClass, fieldName(member), value)
      }
    }
    return { is: parent.is, holds: parent.holds, functions, mixed: true }
  }

  callLocal(functions: ReadonlySet<Node>, args: readonly Value[], rest: Value, self: Value): Value {
    const results: Value[] = []
    for (const node of functions) {
      if (--this.#left < 0) throw new TooLarge('the text is too large')
      this.#functions.bind(node as FunctionNode, args, rest)
      if (self !== nothing) this.table.add(this.#functions.selfOf(node), self)
      results.push(this.#functions.returnsOf(node).value)
    }
    return union(results)
  }

  visit(node: AnyNode, frame: Frame): void {
    switch (node.type) {
      case 'BlockStatement':
        return this.#block(node, node.body, frame)
      case 'FunctionDeclaration':
        return this.#declare(node.id?.name, this.define(node, frame, nothing), frame)
      case 'ClassDeclaration':
        return this.#declare(node.id?.name, this.defineClass(node, frame, nothing), frame)
      case 'VariableDeclaration':
        for (const { id, init } of node.declarations) {
          this.assign(id, init ? this.evaluate(init, frame) : nothing, frame, true)
        }
        return
      case 'ReturnStatement':
      case 'ThrowStatement':
        if (node.argument) this.#handOut(this.evaluate(node.argument, frame), frame, node)
        return
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
        return this.#loop(node, frame)
      case 'SwitchStatement': {
        this.evaluate(node.discriminant, frame)
        const scope = this.table.scope(node, frame.scope, (names) => {
          for (const { consequent } of node.cases) addLexicalNames(consequent, names)
        })
        for (const { test, consequent } of node.cases) {
          if (test) this.evaluate(test, { ...frame, scope })
          for (const statement of consequent) this.visit(statement, { ...frame, scope })
        }
        return
      }
      case 'CatchClause': {
        const scope = this.table.scope(node, frame.scope, (names) => addPatternNames(node.param ?? null, names))
        // What is thrown from outside is told of where it is thrown, but for what calls are given to throw.
        if (node.param) this.assign(node.param, this.part(nothing, '*'), { ...frame, scope }, true)
        return this.visit(node.body, { ...frame, scope })
      }
      case 'LabeledStatement':
        return this.visit(node.body, frame)
      case 'BreakStatement':
      case 'ContinueStatement':
        return
      default:
        for (const child of childNodes(node)) {
          if (/(Statement|Declaration|CatchClause)$/.test(child.type)) this.visit(child, frame)
          else this.evaluate(child, frame)
        }
    }
  }

  assign(pattern: AnyNode, value: Value, frame: Frame, declares: boolean): void {
    switch (pattern.type) {
      case 'Identifier':
        return this.#assignName(pattern, value, frame)
      case 'MemberExpression': {
        const target = this.evaluate(pattern.object, frame)
        if (pattern.computed) this.evaluate(pattern.property, frame)
        const name = memberName(pattern)
        if (pattern.object.type === 'ThisExpression' && frame.ofClass)
          this.#instances.give(frame.ofClass, name ?? '*', value)
        return this.changed(
          target,
          name === undefined ? 'assigns an element' : `assigns .${name}`,
          pattern,
          value,
          frame,
        )
      }
      case 'AssignmentPattern':
        return this.assign(pattern.left, union([value, this.evaluate(pattern.right, frame)]), frame, declares)
      case 'RestElement':
        return this.assign(pattern.argument, holding([value]), frame, declares)
      case 'ArrayPattern':
        for (const element of pattern.elements)
          if (element) this.assign(element, this.part(value, '*'), frame, declares)
        return
      case 'ObjectPattern':
        for (const property of pattern.properties) {
          if (property.type === 'RestElement') {
            this.assign(property.argument, holding([this.part(value, '*')]), frame, declares)
            continue
          }
          if (property.computed) this.evaluate(property.key, frame)
          const key = !property.computed && property.key.type === 'Identifier' ? property.key.name : '*'
          this.assign(property.value, this.part(value, key), frame, declares)
        }
        return
      case 'VariableDeclaration':
        for (const { id } of pattern.declarations) this.assign(id, value, frame, true)
        return
      default:
        this.evaluate(pattern, frame)
    }
  }

  part(value: Value, step: string): Value {
    const is = this.sources.steps(value.is, step)
    for (const source of value.holds) is.add(source)
    const { mixed = false } = value
    if (isOutside(value)) return { is, holds: value.holds, functions: value.functions, mixed }
    is.add(this.#puts.anywhere)
    return { is, holds: value.holds, functions: union([value, this.#puts.functions]).functions, mixed }
  }

  changed(target: Value, how: string, node: AnyNode, put: Value, frame: Frame): void {
    if (target.is.size > 0) {
      const known = [...target.is].filter(({ root }) => root !== putAnywhere)
      const certain = known.length === 1 && target.holds.size === 0 && target.mixed !== true
      this.events.push({ kind: 'mutate', sources: [...target.is], certain, how, start: node.start })
    }
    if (this.#puts.setters.size > 0) this.callLocal(this.#puts.setters, [put], nothing, target)
    if (put === nothing) return
    this.#puts.note(put)
    this.#puts.keepIn(node, holding([put]), frame)
  }

  #arguments({ params }: FunctionNode): Value[] {
    return Array.from({ length: Math.max(params.length, mostGiven) }, (_, index) => this.#from(`@${index}`))
  }

  #assignName(node: Extract<AnyNode, { type: 'Identifier' }>, value: Value, { scope }: Frame): void {
    this.#left -= 1 + value.is.size + value.holds.size + value.functions.size
    if (this.#left < 0) throw new TooLarge('the text is too large')
    const binding = findBinding(scope, node.name)
    if (binding === undefined) this.events.push({ kind: 'assign', name: node.name, start: node.start })
    else this.table.add(binding, value)
  }

  #declare(name: string | undefined, value: Value, { scope }: Frame): void {
    const binding = name === undefined ? undefined : findBinding(scope, name)
    if (binding !== undefined) this.table.add(binding, value)
  }

  #handOut(value: Value, { returns }: Frame, node: AnyNode, how?: string): void {
    if (returns !== undefined) {
      this.table.add(returns, value)
      if (node.type !== 'ThrowStatement') return
    }
    const out = union([value, ...[...value.functions].map((fn) => this.#functions.returnsOf(fn).value)])
    const sources = reach(out)
    if (sources.length === 0) return
    if (returns === undefined) for (const source of sources) this.returned.add(source)
    const word = how ?? (node.type === 'ThrowStatement' ? 'throws' : 'returns')
    this.events.push({ kind: 'escape', sources, how: word, start: node.start })
  }

  yielded(value: Value, frame: Frame, node: AnyNode): void {
    if (frame.returns === undefined) this.#handOut(value, frame, node, 'yields')
    else this.table.add(frame.returns, holding([value]))
  }

  #block(node: AnyNode, statements: readonly AnyNode[], frame: Frame): void {
    const scope = this.table.scope(node, frame.scope, (names) => addLexicalNames(statements, names))
    for (const statement of statements) this.visit(statement, { ...frame, scope })
  }

  #loop(node: Extract<AnyNode, { type: 'ForStatement' | 'ForInStatement' | 'ForOfStatement' }>, outer: Frame): void {
    const head = node.type === 'ForStatement' ? node.init : node.left
    const scope = this.table.scope(node, outer.scope, (names) => {
      if (head?.type === 'VariableDeclaration') addLexicalNames([head], names)
    })
    const frame: Frame = { ...outer, scope }
    if (node.type === 'ForStatement') {
      if (node.init) this.#statementOrExpression(node.init, frame)
      for (const part of [node.test, node.update]) if (part) this.evaluate(part, frame)
    } else {
      const iterated = this.evaluate(node.right, frame)
      this.assign(node.left, node.type === 'ForOfStatement' ? this.part(iterated, '*') : nothing, frame, false)
    }
    this.visit(node.body, frame)
  }

  #statementOrExpression(node: AnyNode, frame: Frame): void {
    if (node.type === 'VariableDeclaration') this.visit(node, frame)
    else this.evaluate(node, frame)
  }

  #enter(node: FunctionNode, outer: Frame, self: Value, isRoot: boolean): void {
    const scope = this.#scopeOf(node, outer.scope)
    const returns = isRoot ? undefined : this.#functions.returnsOf(node)
    const frame: Frame = { scope, self, returns, ofClass: outer.ofClass, parent: outer.parent }
    const own = scope.names.get(node.id?.name ?? '')
    // By its own name the analysed function reaches itself, and what is kept on it.
    if (own !== undefined && node.type === 'FunctionExpression')
      this.table.add(own, { ...(isRoot ? this.#from('@class') : nothing), functions: new Set([node]) })
    for (const param of node.params) this.assign(param, nothing, frame, true)
    if (node.body.type === 'BlockStatement') {
      for (const statement of node.body.body) this.visit(statement, frame)
    } else {
      this.#handOut(this.evaluate(node.body, frame), frame, node.body)
    }
  }

  #scopeOf(node: FunctionNode, outer: Bindings | undefined): Bindings {
    return this.table.scope(node, outer, (names) => {
      if (node.id && node.type === 'FunctionExpression') names.add(node.id.name)
      if (node.type !== 'ArrowFunctionExpression') names.add('arguments')
      for (const param of node.params) addPatternNames(param, names)
      if (node.body.type !== 'BlockStatement') return
      addLexicalNames(node.body.body, names)
      for (const statement of node.body.body) addVarNames(statement, names, this.#strict)
    })
  }

  #from(root: string): Value {
    return { is: new Set([this.sources.of(root)]), holds: new Set(), functions: new Set() }
  }
}
