/**
 * Whether a function does nothing with an argument that is a typed array but read numbers out of it: then two calls
 * may be given the same one. Told from the text alone, and where it is not certain the answer is no.
 *
 * What counts as reading of `a`: `a[i]` where `i` is certainly a number, `a.length` and the like, `for (const x of a)`,
 * methods that give numbers or a copy, and those that call an arrow function which takes no third parameter (where it
 * would be handed the array). Everything else, and `a` by itself above all, may change it or pass it on.
 */
import type { AnyNode, CallExpression, Expression, MemberExpression } from 'acorn'
import { parseFunction } from '../parse-function.ts'
import { addPatternNames, childNodes } from '../scope.ts'

const facts: ReadonlySet<string> = new Set(['length', 'byteLength', 'byteOffset', 'BYTES_PER_ELEMENT'])
const plainMethods: ReadonlySet<string> = new Set(['at', 'includes', 'indexOf', 'join', 'lastIndexOf', 'slice'])
/** By the parameter that would be the array. */
const walkMethods: ReadonlyMap<string, number> = new Map([
  ...['every', 'filter', 'find', 'findIndex', 'findLast', 'findLastIndex', 'forEach', 'map', 'some'].map(
    (name) => [name, 2] as const,
  ),
  ...['reduce', 'reduceRight'].map((name) => [name, 3] as const),
])
/** Analysis takes time, once per function; what is longer is not looked at. */
const mostText = 20_000

/** For each parameter of the function with this text. */
export function onlyReads(text: string): readonly boolean[] {
  if (text.length > mostText) return []
  const parsed = parseFunction(text)
  if (parsed.kind !== 'function') return []
  const { params } = parsed.node
  const names = new Names(parsed.node)
  if (names.isOpaque) return []
  return params.map((param) => {
    if (param.type !== 'Identifier' || names.timesBound(param.name) !== 1) return false
    return new Reading(param.name, names).isAll(parsed.node)
  })
}

/** What the names within a function may stand for. */
class Names {
  /** Somebody may reach arguments or variables in a way that is not written down. */
  isOpaque = false
  readonly #bound = new Map<string, number>()
  /** What is assigned to each name; null where that is not an expression. */
  readonly #values = new Map<string, (Expression | null)[]>()

  constructor(root: AnyNode) {
    this.#collect(root)
  }

  timesBound(name: string): number {
    return this.#bound.get(name) ?? 0
  }

  valuesOf(name: string): readonly (Expression | null)[] {
    return this.#values.get(name) ?? [null]
  }

  #collect(node: AnyNode): void {
    switch (node.type) {
      case 'WithStatement':
        this.isOpaque = true
        break
      case 'Identifier':
        if (node.name === 'arguments' || node.name === 'eval') this.isOpaque = true
        break
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
      case 'ClassDeclaration':
      case 'ClassExpression':
        if ('id' in node) this.#bind(node.id, null)
        if ('params' in node) for (const param of node.params) this.#bind(param, null)
        break
      case 'CatchClause':
        this.#bind(node.param ?? null, null)
        break
      case 'VariableDeclarator':
        this.#bind(node.id, node.init ?? null)
        break
      case 'AssignmentExpression':
        if (node.left.type === 'Identifier')
          this.#assign(node.left.name, node.operator === '+=' || node.operator.length < 2 || /[|&?]{2}=/.test(node.operator) ? node.right : undefined) // prettier-ignore
        else for (const name of namesIn(node.left)) this.#assign(name, null)
        break
      case 'ForInStatement':
      case 'ForOfStatement':
        if (node.left.type !== 'VariableDeclaration') for (const name of namesIn(node.left)) this.#assign(name, null)
        break
      default:
    }
    for (const child of childNodes(node)) this.#collect(child)
  }

  #bind(pattern: AnyNode | null, value: Expression | null): void {
    for (const name of namesIn(pattern)) {
      this.#bound.set(name, this.timesBound(name) + 1)
      this.#assign(name, pattern?.type === 'Identifier' ? value : null)
    }
  }

  /** `undefined`: a number, whatever it was. */
  #assign(name: string, value: Expression | null | undefined): void {
    if (value === undefined) return
    const values = this.#values.get(name)
    if (values === undefined) this.#values.set(name, [value])
    else values.push(value)
  }
}

function namesIn(pattern: AnyNode | null): Set<string> {
  const names = new Set<string>()
  addPatternNames(pattern, names)
  return names
}

class Reading {
  readonly #name: string
  readonly #names: Names

  constructor(name: string, names: Names) {
    this.#name = name
    this.#names = names
  }

  /** Whether all that is done with the argument in a function is reading. */
  isAll(root: AnyNode): boolean {
    if (root.type !== 'FunctionExpression' && root.type !== 'ArrowFunctionExpression') return false
    // The parameter itself is where it comes in, and no use of it.
    return root.params.every((param) => this.#isParameter(param) || this.#isRead(param)) && this.#isRead(root.body)
  }

  #isParameter(node: AnyNode): boolean {
    return node.type === 'Identifier' && node.name === this.#name
  }

  #isRead(node: AnyNode, isTarget = false): boolean {
    switch (node.type) {
      case 'Identifier':
        return node.name !== this.#name
      case 'MemberExpression':
        if (this.#isParameter(node.object)) return !isTarget && this.#isElementOrFact(node)
        return this.#isRead(node.object) && (!node.computed || this.#isRead(node.property))
      case 'CallExpression':
        return this.#isReadingCall(node)
      case 'TaggedTemplateExpression':
        return this.#isRead(node.tag, true) && this.#isRead(node.quasi)
      case 'AssignmentExpression':
        return this.#isRead(node.left, true) && this.#isRead(node.right)
      case 'UpdateExpression':
        return this.#isRead(node.argument, true)
      case 'UnaryExpression':
        return this.#isRead(node.argument, node.operator === 'delete')
      case 'ForOfStatement':
      case 'ForInStatement': {
        const isWalk = node.type === 'ForOfStatement' && this.#isParameter(node.right)
        return this.#isRead(node.left, true) && (isWalk || this.#isRead(node.right)) && this.#isRead(node.body)
      }
      // Numbers come out of it.
      case 'SpreadElement':
        return this.#isParameter(node.argument) || this.#isRead(node.argument)
      case 'Property':
      case 'MethodDefinition':
      case 'PropertyDefinition':
        return (!node.computed || this.#isRead(node.key)) && (!node.value || this.#isRead(node.value, isTarget))
      case 'LabeledStatement':
        return this.#isRead(node.body)
      case 'BreakStatement':
      case 'ContinueStatement':
      case 'MetaProperty':
        return true
      default:
        return childNodes(node).every((child) => this.#isRead(child, isTarget))
    }
  }

  #isElementOrFact({ computed, property }: MemberExpression): boolean {
    if (!computed) return property.type === 'Identifier' && facts.has(property.name)
    return this.#isRead(property) && this.#isNumber(property, new Set())
  }

  #isReadingCall({ callee, arguments: args }: CallExpression): boolean {
    if (callee.type !== 'MemberExpression' || !this.#isParameter(callee.object))
      return this.#isRead(callee, true) && args.every((argument) => this.#isRead(argument))
    if (callee.computed || callee.property.type !== 'Identifier') return false
    const { name } = callee.property
    const most = walkMethods.get(name)
    const [first] = args
    if (most === undefined) return plainMethods.has(name) && args.every((argument) => this.#isRead(argument))
    if (first?.type !== 'ArrowFunctionExpression' || first.params.length > most) return false
    return first.params.every(({ type }) => type === 'Identifier') && args.every((argument) => this.#isRead(argument))
  }

  /** Certainly a number (or undefined: an element that is not there). `assumed`: names that are being looked at. */
  #isNumber(node: AnyNode, assumed: Set<string>): boolean {
    const isNumber = (one: AnyNode): boolean => this.#isNumber(one, assumed)
    switch (node.type) {
      case 'Literal':
        return typeof node.value === 'number'
      case 'UnaryExpression':
        return ['-', '+', '~'].includes(node.operator)
      case 'UpdateExpression':
        return true
      case 'BinaryExpression':
        if (node.operator === '+') return isNumber(node.left) && isNumber(node.right)
        return ['-', '*', '/', '%', '**', '|', '&', '^', '<<', '>>', '>>>'].includes(node.operator)
      case 'ConditionalExpression':
        return isNumber(node.consequent) && isNumber(node.alternate)
      case 'LogicalExpression':
        return isNumber(node.left) && isNumber(node.right)
      case 'MemberExpression':
        return this.#isParameter(node.object) && this.#isElementOrFact(node)
      case 'Identifier': {
        if (assumed.has(node.name)) return true
        if (this.#names.timesBound(node.name) === 0) return false
        assumed.add(node.name)
        return this.#names.valuesOf(node.name).every((value) => value !== null && isNumber(value))
      }
      default:
        return false
    }
  }
}
