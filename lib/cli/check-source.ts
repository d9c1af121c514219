/** A source file for `outpool check`: its tree, what its names stand for, and where it hands functions to a shim. */
import { createRequire } from 'node:module'
import type { AnyNode, Program } from 'acorn'
import { exportNameOf } from '../../runtime/code/captures/imports.ts'
import { readVariables } from './check-environment.ts'

export interface HandedFunction {
  /** As it is written: `queue.add`, `pMap`. */
  readonly call: string
  readonly line: number
  /** `auto`: it moves when it is provably the same elsewhere. `always`: it moves in any case. */
  readonly placement: 'auto' | 'always'
  /** The function, or the name of a worker script's method; undefined where it is not written in this file. */
  readonly fn: AnyNode | string | undefined
  /** The variables of the environment that it reads, or all of a worker script, and where first. */
  readonly variables: ReadonlyMap<string, number>
}

type Kind = 'workerpool' | 'script' | 'queue' | 'limit' | 'map' | 'limited' | 'pool' | 'executor' | 'remote'
/** A pool, a queue, a function that takes functions; what makes one; all exports of a package. */
type What = Kind | `new ${Kind}` | `all ${string}`

/** What the exports of the packages make, or are. */
const makers: Readonly<Record<string, Readonly<Record<string, What>>>> = {
  workerpool: { pool: 'new workerpool', worker: 'script', default: 'all workerpool' },
  'p-queue': { default: 'new queue' },
  'p-map': { default: 'map', pMapIterable: 'map', pMapSettled: 'map', pMapKeyed: 'map', pMapSettledKeyed: 'map' },
  'p-limit': { default: 'new limit', limitFunction: 'limited' },
  'outpool/multiprocessing': { Pool: 'new pool' },
  'outpool/executor': { Executor: 'new executor', ProcessPoolExecutor: 'new executor' },
  outpool: { remote: 'remote' },
}

const methods: Readonly<Record<string, readonly string[]>> = {
  workerpool: ['exec'],
  queue: ['add', 'addAll'],
  limit: ['map'],
  pool: ['map', 'starmap', 'mapAsync', 'starmapAsync', 'apply', 'applyAsync', 'imap', 'imapUnordered'],
  executor: ['submit', 'map'],
}
/** Which argument is the function, where it is not the first. */
const position: Readonly<Record<string, number>> = { map: 1, 'limit.map': 1 }

let acorn: { parse(text: string, options: object): Program } | undefined

/** Throws SyntaxError for what is no JavaScript. */
export function parseFile(text: string): Program {
  acorn ??= createRequire(import.meta.url)('acorn') as typeof acorn
  const options = { ecmaVersion: 'latest', locations: true, allowHashBang: true, allowReturnOutsideFunction: true }
  try {
    return (acorn as NonNullable<typeof acorn>).parse(text, { ...options, sourceType: 'module' })
  } catch (error) {
    try {
      return (acorn as NonNullable<typeof acorn>).parse(text, { ...options, sourceType: 'script' })
    } catch {
      throw error
    }
  }
}

/** The line of the file, from 1, at a place of the text: a line from 1, a column from 0. */
export type LineOf = (line: number, column: number) => number

export class SourceFile {
  readonly text: string
  readonly #lineOf: LineOf
  readonly handed: HandedFunction[] = []
  /** Whether it can be nothing but an ES module: a function of CommonJS may travel as an export of its file. */
  readonly isModule: boolean
  /** What each name is initialised with, where it is declared once; undefined for a parameter, an import, two of a name. */
  readonly declared: Map<string, AnyNode | undefined> = new Map()
  readonly #program: Program
  readonly #kinds = new Map<string, What>()
  /** By the names of properties, whatever object they are of. */
  readonly #members = new Map<string, What>()
  #lines: readonly string[] | undefined

  /** `text`: JavaScript, as it is in the file or as a compiler made it of that. */
  constructor(text: string, lineOf: LineOf = (line) => line) {
    this.text = text
    this.#lineOf = lineOf
    const program = (this.#program = parseFile(text))
    this.isModule = program.body.some(({ type }) => /^(?:Import|Export)/.test(type))
    // Twice: a function may use a queue that is declared further down.
    this.#walk(program, (node) => this.#declare(node))
    this.#walk(program, (node) => this.#declare(node))
    this.#walk(program, (node) => this.#call(node))
  }

  /** The function that an argument stands for. */
  functionOf(node: AnyNode | undefined): AnyNode | string | undefined {
    if (node === undefined) return undefined
    if (node.type === 'Literal' && typeof node.value === 'string') return node.value
    if (isFunction(node)) return node
    if (node.type === 'Identifier') {
      const found = this.declared.get(node.name)
      return found !== undefined && isFunction(found) ? found : undefined
    }
    return undefined
  }

  /** A name is that of a method for workerpool alone. */
  #handedOf(node: AnyNode, kind: Kind): AnyNode | string | undefined {
    const found = this.functionOf(node)
    return typeof found === 'string' && kind !== 'workerpool' ? undefined : found
  }

  /** The line of the file that is so many lines into the text of a node, from 1. */
  lineIn(node: AnyNode, line: number): number {
    const start = node.loc?.start ?? { line: 1, column: 0 }
    if (line === 1) return this.#lineOf(start.line, start.column)
    const at = start.line + line - 1
    return this.#lineOf(at, /^\s*/.exec((this.#lines ??= this.text.split('\n'))[at - 1] ?? '')?.[0].length ?? 0)
  }

  #walk(node: AnyNode, visit: (node: AnyNode) => void): void {
    visit(node)
    for (const value of Object.values(node) as unknown[]) {
      for (const item of (Array.isArray(value) ? value : [value]) as unknown[]) {
        if (typeof item === 'object' && item !== null && typeof (item as { type?: unknown }).type === 'string')
          this.#walk(item as AnyNode, visit)
      }
    }
  }

  #declare(node: AnyNode): void {
    if (node.type === 'ImportDeclaration') return this.#imports(node)
    if ((node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration') && node.id !== null)
      return this.#name(node.id.name, node)
    if (node.type === 'AssignmentExpression') {
      const kind = this.#kindOf(node.right)
      const name = nameOf(node.left)
      const names = node.left.type === 'MemberExpression' ? this.#members : this.#kinds
      if (kind !== undefined && name !== undefined) names.set(name, kind)
      return
    }
    if ((node.type === 'PropertyDefinition' || node.type === 'Property') && node.value) {
      const kind = this.#kindOf(node.value)
      const { key } = node
      if (kind !== undefined && (key.type === 'Identifier' || key.type === 'PrivateIdentifier'))
        this.#members.set(key.name, kind)
      return
    }
    if (node.type !== 'VariableDeclarator') return
    if (node.id.type === 'Identifier') {
      this.#name(node.id.name, node.init ?? undefined)
      const kind = node.init ? this.#kindOf(node.init) : undefined
      if (kind !== undefined) this.#kinds.set(node.id.name, kind)
    } else if (node.id.type === 'ObjectPattern' && node.init) {
      const from = this.#kindOf(node.init)
      for (const property of node.id.properties) {
        if (property.type !== 'Property' || property.value.type !== 'Identifier') continue
        this.#name(property.value.name, undefined)
        const key = property.key.type === 'Identifier' ? property.key.name : ''
        const kind = memberOf(from, key)
        if (kind !== undefined) this.#kinds.set(property.value.name, kind)
      }
    }
  }

  #name(name: string, init: AnyNode | undefined): void {
    const known = this.declared.get(name)
    this.declared.set(name, this.declared.has(name) && known !== init ? undefined : init)
  }

  #imports(node: AnyNode & { readonly type: 'ImportDeclaration' }): void {
    const of = makers[packageOf(String(node.source.value)) ?? '']
    for (const one of node.specifiers) {
      this.declared.set(one.local.name, undefined)
      const name = exportNameOf(one)
      const kind = name === '*' && of !== undefined ? allOf(String(node.source.value)) : of?.[name]
      if (kind !== undefined) this.#kinds.set(one.local.name, kind)
    }
  }

  /** What an expression is, by the names in it. */
  #kindOf(node: AnyNode): What | undefined {
    const loaded = loadedPackage(node)
    if (loaded !== undefined) return allOf(loaded)
    switch (node.type) {
      case 'AwaitExpression':
        return this.#kindOf(node.argument)
      case 'ParenthesizedExpression':
        return this.#kindOf(node.expression)
      case 'Identifier':
        return this.#kinds.get(node.name)
      case 'MemberExpression': {
        const name = nameOf(node)
        return name === undefined ? undefined : (memberOf(this.#kindOf(node.object), name) ?? this.#members.get(name))
      }
      case 'CallExpression':
      case 'NewExpression': {
        const made = this.#kindOf(node.callee)
        return made?.startsWith('new ') === true ? (made.slice(4) as Kind) : undefined
      }
      default:
        return undefined
    }
  }

  #call(node: AnyNode): void {
    if (node.type !== 'CallExpression') return
    const { callee } = node
    const name = nameOf(callee)
    const owner = callee.type === 'MemberExpression' ? callee.object : undefined
    const of = owner === undefined ? undefined : this.#kindOf(owner)
    if (owner !== undefined && of !== undefined && name !== undefined && methods[of]?.includes(name) === true)
      return this.#hand(node, `${nameOf(owner) ?? of}.${name}`, of as Kind, of === 'limit' ? 'limit.map' : name)
    const kind = this.#kindOf(callee)
    if (kind === 'script') this.#push({ call: 'workerpool.worker', placement: 'always' }, node, this.#program)
    else if (kind === 'map' || kind === 'limit' || kind === 'limited' || kind === 'remote')
      this.#hand(node, name ?? kind, kind, name ?? kind)
  }

  #hand(node: AnyNode & { readonly type: 'CallExpression' }, call: string, kind: Kind, method: string): void {
    const index = kind === 'map' || method === 'limit.map' ? (position[kind === 'map' ? 'map' : method] ?? 0) : 0
    const argument = node.arguments[index]
    const placement = kind === 'queue' || kind === 'limit' || kind === 'map' || kind === 'limited' ? 'auto' : 'always'
    const given = method === 'addAll' && argument?.type === 'ArrayExpression' ? argument.elements : [argument]
    for (const one of given) {
      if (one === null || one === undefined) continue
      this.#push({ call, placement }, one, this.#handedOf(one, kind))
    }
  }

  #push(of: Pick<HandedFunction, 'call' | 'placement'>, at: AnyNode, fn: HandedFunction['fn']): void {
    const variables = new Map<string, number>()
    const note = (name: string, by: AnyNode): void => {
      if (!variables.has(name)) variables.set(name, this.lineIn(by, 1))
    }
    if (typeof fn === 'object') this.#walk(fn, (node) => readVariables(node, note))
    this.handed.push({ ...of, line: this.lineIn(at, 1), fn, variables })
  }
}

/** Whether the evaluation of a class runs nothing that is written in it. */
export function isInertClass(node: AnyNode): boolean {
  if (node.type !== 'ClassDeclaration' && node.type !== 'ClassExpression') return false
  const { superClass, body } = node
  if (superClass !== null && superClass !== undefined && superClass.type !== 'Identifier') return false
  return body.body.every((member) => member.type !== 'StaticBlock' && !member.computed && !hasStaticValue(member))
}

function hasStaticValue(member: AnyNode): boolean {
  return member.type === 'PropertyDefinition' && member.static
}

export function isFunction(node: AnyNode): boolean {
  return ['ArrowFunctionExpression', 'FunctionExpression', 'FunctionDeclaration'].includes(node.type)
}

/** The last name of `a`, `a.b`, `this.b`. */
function nameOf(node: AnyNode): string | undefined {
  if (node.type === 'Identifier') return node.name
  if (node.type !== 'MemberExpression' || node.computed) return undefined
  return node.property.type === 'Identifier' || node.property.type === 'PrivateIdentifier'
    ? node.property.name
    : undefined
}

/** `require('p-queue')`, `import('p-queue')`. */
function loadedPackage(node: AnyNode): string | undefined {
  const isRequired = node.type === 'CallExpression' && nameOf(node.callee) === 'require'
  const from = isRequired ? node.arguments[0] : node.type === 'ImportExpression' ? node.source : undefined
  return from?.type === 'Literal' ? packageOf(String(from.value)) : undefined
}

function allOf(specifier: string): What {
  return `all ${packageOf(specifier) ?? ''}`
}

/** What the export `name` is, of something that is all exports of a package. */
function memberOf(of: What | undefined, name: string): What | undefined {
  return of?.startsWith('all ') === true ? makers[of.slice(4)]?.[name] : undefined
}

/** The originals and their shims alike. */
function packageOf(specifier: string): string | undefined {
  const name = /^outpool\/(?:workerpool|p-)/.test(specifier) ? specifier.slice('outpool/'.length) : specifier
  return Object.hasOwn(makers, name) ? name : undefined
}
