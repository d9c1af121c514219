/**
 * What a function's text uses from outside itself: names that nothing in it declares, and syntax that only means
 * something where the function was written (`this` of an arrow, `super`, `import.meta`, ...). Pure, over acorn's tree.
 */
import type { AnyNode, Class, Function as FunctionNode, Identifier, ModuleDeclaration, Program, Statement } from 'acorn'
import { changesReceiver } from './analysis/known-methods.ts'
import { constantText, memberName } from './analysis/member-name.ts'
import { setUpBy, type SettingUp } from './analysis/set-ups.ts'
import {
  addLexicalNames,
  addPatternNames,
  addVarNames,
  childNodes,
  childScope,
  isDeclared,
  type Scope,
} from './scope.ts'

/** Syntax whose meaning depends on the place where the function was written. */
export type OutsideSyntax =
  | 'this'
  | 'new.target'
  | 'arguments'
  | 'super'
  | 'import.meta'
  | 'private name'
  | 'direct eval'
  | 'with'
  | 'relative import'

export interface NameUse {
  readonly name: string
  /** Offset in the parsed text. */
  readonly start: number
  readonly kind: 'read' | 'write' | 'typeof'
}

export interface SyntaxUse {
  readonly syntax: OutsideSyntax
  readonly start: number
  /** What was written: the private name, the specifier of the import. */
  readonly detail: string
}

export interface OutsideUses {
  readonly names: NameUse[]
  readonly syntax: SyntaxUse[]
}

/** What a place in the text is inside of; replaced on entry, so leaving needs no undo. */
interface Place {
  readonly scope: Scope
  /** `this`, `new.target` and `arguments` belong to something inside the text. */
  readonly ownThis: boolean
  readonly ownSuper: boolean
  readonly privateNames: Scope | undefined
  /** How deep in functions, and whether in a loop of the innermost. */
  readonly depth: number
  readonly inLoop: boolean
}

export interface VariableChange {
  readonly start: number
  /** The variable itself gets another value. */
  readonly assigns: boolean
  /** How deep in functions it stands. */
  readonly depth: number
  readonly inLoop: boolean
}

/** Who hears, beyond what comes from outside, what happens to every variable of a text. */
export interface Listener {
  /** A function, with the scope that it stands in. */
  function(node: FunctionNode | Class, scope: Scope, depth: number): void
  /** A variable is assigned, or what it holds is changed. */
  change(scope: Scope, name: string, change: VariableChange): void
  /** A statement sets up what a variable holds. */
  setUp(scope: Scope, by: SettingUp): void
}

/** What `root` (the shipped function itself) uses from outside. `strict`: how the text was parsed. */
export function findOutsideUses(root: FunctionNode, strict: boolean): OutsideUses {
  const walk = new Walk(strict)
  walk.function(root, nowhere(), false)
  return { names: walk.names.sort(byStart), syntax: walk.syntax.sort(byStart) }
}

/** What a class uses from outside, its heritage and its members together. */
export function findClassUses(root: Class): OutsideUses {
  const walk = new Walk(true)
  walk.class(root, nowhere())
  return { names: walk.names.sort(byStart), syntax: walk.syntax.sort(byStart) }
}

/** Goes through a whole file. */
export function walkFile(program: Program, strict: boolean, listener: Listener): void {
  const place = nowhere()
  for (const statement of program.body) addVarNames(statement, place.scope.names, strict)
  addLexicalNames(program.body.map(declared), place.scope.names)
  for (const statement of program.body) {
    if (statement.type !== 'ImportDeclaration') continue
    for (const { local } of statement.specifiers) place.scope.names.add(local.name)
  }
  new Walk(strict, listener).statements(program.body, place)
}

function declared(statement: Statement | ModuleDeclaration): AnyNode {
  const inner = 'declaration' in statement ? statement.declaration : undefined
  return inner ?? statement
}

function nowhere(): Place {
  const scope = childScope(undefined)
  return { scope, ownThis: false, ownSuper: false, privateNames: undefined, depth: 0, inLoop: false }
}

function byStart(a: { readonly start: number }, b: { readonly start: number }): number {
  return a.start - b.start
}

class Walk {
  readonly names: NameUse[] = []
  readonly syntax: SyntaxUse[] = []
  readonly #strict: boolean
  readonly #listener: Listener | undefined

  constructor(strict: boolean, listener?: Listener) {
    this.#strict = strict
    this.#listener = listener
  }

  statements(nodes: readonly AnyNode[], place: Place): void {
    this.#all(nodes, place)
  }

  function(node: FunctionNode, outer: Place, isMethod: boolean): void {
    const arrow = node.type === 'ArrowFunctionExpression'
    this.#listener?.function(node, outer.scope, outer.depth)
    // The name of a function expression is visible inside it; parameters see each other but not the body's variables.
    const named = childScope(outer.scope, node.id ? [node.id.name] : [])
    const params = childScope(named, arrow ? [] : ['arguments'])
    for (const param of node.params) addPatternNames(param, params.names)
    const ownThis = outer.ownThis || !arrow
    const ownSuper = arrow ? outer.ownSuper : isMethod
    const { privateNames } = outer
    const inside: Place = { scope: params, ownThis, ownSuper, privateNames, depth: outer.depth + 1, inLoop: false }
    for (const param of node.params) this.#pattern(param, inside, true)

    const body = childScope(params)
    if (node.body.type === 'BlockStatement') {
      addLexicalNames(node.body.body, body.names)
      for (const statement of node.body.body) addVarNames(statement, body.names, this.#strict)
      this.#all(node.body.body, { ...inside, scope: body })
    } else {
      this.#setUp(node.body, inside)
      this.#visit(node.body, { ...inside, scope: body })
    }
  }

  #setUp(expression: AnyNode, { scope }: Place): void {
    const by = this.#listener && setUpBy(expression)
    if (by !== undefined) this.#listener?.setUp(scope, by)
  }

  #all(nodes: readonly AnyNode[], place: Place): void {
    for (const node of nodes) this.#visit(node, place)
  }

  #visit(node: AnyNode, place: Place): void {
    switch (node.type) {
      case 'Identifier':
        return this.#name(node, place, 'read')
      case 'FunctionExpression':
      case 'FunctionDeclaration':
      case 'ArrowFunctionExpression':
        return this.function(node, place, false)
      case 'ClassExpression':
      case 'ClassDeclaration':
        return this.class(node, place)
      case 'BlockStatement':
        return this.#block(node.body, place)
      case 'SwitchStatement': {
        this.#visit(node.discriminant, place)
        const scope = childScope(place.scope)
        for (const { consequent } of node.cases) addLexicalNames(consequent, scope.names)
        return this.#all(node.cases, { ...place, scope })
      }
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
        return this.#loop(node, place)
      case 'CatchClause': {
        const scope = childScope(place.scope)
        addPatternNames(node.param ?? null, scope.names)
        if (node.param) this.#pattern(node.param, { ...place, scope }, true)
        return this.#block(node.body.body, { ...place, scope })
      }
      case 'VariableDeclaration':
        for (const { id, init } of node.declarations) {
          this.#pattern(id, place, true)
          if (init) this.#visit(init, place)
        }
        return
      case 'AssignmentExpression':
        this.#pattern(node.left, place, false)
        return this.#visit(node.right, place)
      case 'UpdateExpression':
        return this.#pattern(node.argument, place, false)
      case 'UnaryExpression':
        if (node.operator === 'delete') this.#changed(node.argument, place)
        if (node.operator === 'typeof' && node.argument.type === 'Identifier') {
          return this.#name(node.argument, place, 'typeof')
        }
        return this.#visit(node.argument, place)
      case 'LabeledStatement':
        return this.#visit(node.body, place)
      case 'BreakStatement':
      case 'ContinueStatement':
        return
      case 'MetaProperty':
        if (node.meta.name === 'import') this.#report('import.meta', node.start)
        else if (!place.ownThis) this.#report('new.target', node.start)
        return
      case 'MemberExpression':
        this.#visit(node.object, place)
        if (node.computed || node.property.type === 'PrivateIdentifier') this.#visit(node.property, place)
        return
      case 'Property':
        if (node.computed) this.#visit(node.key, place)
        if ((node.method || node.kind !== 'init') && node.value.type === 'FunctionExpression') {
          return this.function(node.value, place, true)
        }
        return this.#visit(node.value, place)
      case 'WhileStatement':
      case 'DoWhileStatement':
        return this.#all(childNodes(node), { ...place, inLoop: true })
      case 'ExportDefaultDeclaration':
        return this.#visit(node.declaration, place)
      case 'ImportDeclaration':
      case 'ExportAllDeclaration':
        return
      case 'ExportNamedDeclaration':
        return node.declaration ? this.#visit(node.declaration, place) : undefined
      default:
        this.#syntaxOf(node, place)
        return this.#all(childNodes(node), place)
    }
  }

  #name(node: Identifier, place: Place, kind: NameUse['kind']): void {
    const { name, start } = node
    if (kind === 'write') this.#heard(node, place, true)
    if (isDeclared(place.scope, name)) return
    if (name === 'arguments' && !place.ownThis) this.#report('arguments', start)
    else this.names.push({ name, start, kind })
  }

  #report(syntax: OutsideSyntax, start: number, detail: string = syntax): void {
    this.syntax.push({ syntax, start, detail })
  }

  #syntaxOf(node: AnyNode, place: Place): void {
    const { start } = node
    if (node.type === 'ThisExpression') {
      if (!place.ownThis) this.#report('this', start)
    } else if (node.type === 'Super') {
      if (!place.ownSuper) this.#report('super', start)
    } else if (node.type === 'ExpressionStatement') {
      this.#setUp(node.expression, place)
    } else if (node.type === 'WithStatement') {
      this.#report('with', start)
    } else if (node.type === 'PrivateIdentifier') {
      if (!isDeclared(place.privateNames, node.name)) this.#report('private name', start, `#${node.name}`)
    } else if (node.type === 'CallExpression') {
      const { callee } = node
      if (callee.type === 'MemberExpression' && changesReceiver(memberName(callee) ?? '')) this.#changed(callee, place)
      const isEval = callee.type === 'Identifier' && callee.name === 'eval'
      if (isEval && !isDeclared(place.scope, 'eval')) this.#report('direct eval', start)
    } else if (node.type === 'ImportExpression') {
      const specifier = constantText(node.source)
      if (specifier !== undefined && /^\.\.?(\/|$)/.test(specifier)) this.#report('relative import', start, specifier)
    }
  }

  #block(statements: readonly AnyNode[], place: Place): void {
    const scope = childScope(place.scope)
    addLexicalNames(statements, scope.names)
    this.#all(statements, { ...place, scope })
  }

  #loop(node: Extract<AnyNode, { type: 'ForStatement' | 'ForInStatement' | 'ForOfStatement' }>, outer: Place): void {
    const scope = childScope(outer.scope)
    const place = { ...outer, scope, inLoop: true }
    const head = node.type === 'ForStatement' ? node.init : node.left
    if (head?.type === 'VariableDeclaration') addLexicalNames([head], scope.names)
    if (node.type === 'ForStatement') {
      for (const part of [node.init, node.test, node.update]) if (part) this.#visit(part, place)
    } else {
      if (node.left.type === 'VariableDeclaration') this.#visit(node.left, place)
      else this.#pattern(node.left, place, false)
      this.#visit(node.right, place)
    }
    this.#visit(node.body, place)
  }

  /** The target of a declaration (`declares`: its names are bound here) or of an assignment (they are written). */
  #pattern(node: AnyNode, place: Place, declares: boolean): void {
    switch (node.type) {
      case 'Identifier':
        return declares ? undefined : this.#name(node, place, 'write')
      case 'ObjectPattern':
        for (const property of node.properties) {
          if (property.type !== 'RestElement' && property.computed) this.#visit(property.key, place)
          this.#pattern(property.type === 'RestElement' ? property.argument : property.value, place, declares)
        }
        return
      case 'ArrayPattern':
        for (const element of node.elements) if (element) this.#pattern(element, place, declares)
        return
      case 'AssignmentPattern':
        this.#pattern(node.left, place, declares)
        return this.#visit(node.right, place)
      case 'RestElement':
        return this.#pattern(node.argument, place, declares)
      case 'ParenthesizedExpression':
        return this.#pattern(node.expression, place, declares)
      default:
        if (!declares) this.#changed(node, place)
        return this.#visit(node, place)
    }
  }

  /** What a member expression begins with is changed by what is done to it. */
  #changed(node: AnyNode, place: Place): void {
    let root = node
    while (root.type === 'MemberExpression') root = root.object
    if (root.type === 'Identifier' && root !== node) this.#heard(root, place, false)
  }

  #heard({ name, start }: Identifier, { scope, depth, inLoop }: Place, assigns: boolean): void {
    this.#listener?.change(scope, name, { start, assigns, depth, inLoop })
  }

  class(node: Class, outer: Place): void {
    this.#listener?.function(node, outer.scope, outer.depth)
    const scope = childScope(outer.scope, node.id ? [node.id.name] : [])
    const privateNames = childScope(outer.privateNames)
    for (const member of node.body.body) {
      if (member.type !== 'StaticBlock' && member.key.type === 'PrivateIdentifier')
        privateNames.names.add(member.key.name)
    }
    const place: Place = { ...outer, scope, privateNames }
    if (node.superClass) this.#visit(node.superClass, place)
    for (const member of node.body.body) {
      const inside: Place = { ...place, ownThis: true, ownSuper: true }
      if (member.type === 'StaticBlock') {
        const block = childScope(scope)
        addLexicalNames(member.body, block.names)
        for (const statement of member.body) addVarNames(statement, block.names, true)
        this.#all(member.body, { ...inside, scope: block })
        continue
      }
      if (member.computed) this.#visit(member.key, place)
      if (member.type === 'MethodDefinition') this.function(member.value, place, true)
      else if (member.value) this.#visit(member.value, inside)
    }
  }
}
