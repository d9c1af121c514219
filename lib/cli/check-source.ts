/** A source file for `outpool check`: its tree, what its names stand for, and where it hands functions to a shim. */
import { createRequire } from 'node:module'
import type { AnyNode, Program } from 'acorn'
import { exportNameOf } from '../../runtime/code/captures/imports.ts'

export interface HandedFunction {
  /** As it is written: `queue.add`, `pMap`. */
  readonly call: string
  readonly line: number
  /** `auto`: it moves when it is provably the same elsewhere. `always`: it moves in any case. */
  readonly placement: 'auto' | 'always'
  /** The function, or the name of a worker script's method; undefined where it is not written in this file. */
  readonly fn: AnyNode | string | undefined
}

type Kind = 'workerpool' | 'queue' | 'limit' | 'map' | 'limited' | 'pool' | 'executor' | 'remote'

/** What the exports of the packages make, or are. */
const makers: Readonly<Record<string, Readonly<Record<string, Kind | `new ${Kind}`>>>> = {
  workerpool: { pool: 'new workerpool', default: 'workerpool', '*': 'workerpool' },
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

export class SourceFile {
  readonly text: string
  readonly handed: HandedFunction[] = []
  /** What each name is initialised with, where it is declared once; undefined for a parameter, an import, two of a name. */
  readonly declared: Map<string, AnyNode | undefined> = new Map()
  readonly #kinds = new Map<string, Kind | `new ${Kind}`>()

  constructor(text: string) {
    this.text = text
    const program = parseFile(text)
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
    if (node.type === 'FunctionDeclaration' && node.id !== null) return this.#name(node.id.name, node)
    if (node.type === 'AssignmentExpression') {
      const kind = this.#kindOf(node.right)
      const name = nameOf(node.left)
      if (kind !== undefined && name !== undefined) this.#kinds.set(name, kind)
      return
    }
    if (node.type === 'PropertyDefinition' && node.value) {
      const kind = this.#kindOf(node.value)
      if (kind !== undefined && node.key.type === 'Identifier') this.#kinds.set(node.key.name, kind)
      return
    }
    if (node.type !== 'VariableDeclarator') return
    if (node.id.type === 'Identifier') {
      this.#name(node.id.name, node.init ?? undefined)
      const kind = node.init ? this.#kindOf(node.init) : undefined
      if (kind !== undefined) this.#kinds.set(node.id.name, kind)
    } else if (node.id.type === 'ObjectPattern' && node.init) {
      const from = requiredPackage(node.init)
      for (const property of node.id.properties) {
        if (property.type !== 'Property' || property.value.type !== 'Identifier') continue
        this.#name(property.value.name, undefined)
        const key = property.key.type === 'Identifier' ? property.key.name : ''
        const kind = from === undefined ? undefined : makers[from]?.[key]
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
      const kind = of?.[exportNameOf(one)]
      if (kind !== undefined) this.#kinds.set(one.local.name, kind)
    }
  }

  /** What an expression makes: a pool, a queue, a limit. */
  #kindOf(node: AnyNode): Kind | `new ${Kind}` | undefined {
    if (node.type === 'AwaitExpression') return this.#kindOf(node.argument)
    const required = requiredPackage(node)
    if (required !== undefined) return makers[required]?.['*'] ?? makers[required]?.['default']
    if (node.type === 'MemberExpression' && nameOf(node) === 'default') return this.#kindOf(node.object)
    if (node.type !== 'CallExpression' && node.type !== 'NewExpression') return undefined
    const { callee } = node
    const name = nameOf(callee)
    if (name === undefined) return undefined
    if (
      callee.type === 'MemberExpression' &&
      name === 'pool' &&
      this.#kinds.get(nameOf(callee.object) ?? '') === 'workerpool'
    )
      return 'workerpool'
    const made = this.#kinds.get(name)
    return made?.startsWith('new ') === true ? (made.slice(4) as Kind) : undefined
  }

  #call(node: AnyNode): void {
    if (node.type !== 'CallExpression') return
    const { callee } = node
    const name = nameOf(callee)
    if (name === undefined) return
    if (callee.type === 'Identifier') {
      const kind = this.#kinds.get(name)
      if (kind === 'map' || kind === 'limit' || kind === 'limited' || kind === 'remote')
        this.#hand(node, name, kind, name)
      return
    }
    if (callee.type !== 'MemberExpression') return
    const owner = nameOf(callee.object)
    const kind = owner === undefined ? undefined : this.#kinds.get(owner)
    if (owner === undefined || kind === undefined || methods[kind]?.includes(name) !== true) return
    this.#hand(node, `${owner}.${name}`, kind as Kind, kind === 'limit' ? 'limit.map' : name)
  }

  #hand(node: AnyNode & { readonly type: 'CallExpression' }, call: string, kind: Kind, method: string): void {
    const index = kind === 'map' || method === 'limit.map' ? (position[kind === 'map' ? 'map' : method] ?? 0) : 0
    const argument = node.arguments[index]
    const line = node.loc?.start.line ?? 0
    const placement = kind === 'queue' || kind === 'limit' || kind === 'map' || kind === 'limited' ? 'auto' : 'always'
    const given = method === 'addAll' && argument?.type === 'ArrayExpression' ? argument.elements : [argument]
    for (const one of given) {
      if (one === null || one === undefined) continue
      this.handed.push({ call, line: one.loc?.start.line ?? line, placement, fn: this.functionOf(one) })
    }
  }
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

/** `require('p-queue')`. */
function requiredPackage(node: AnyNode): string | undefined {
  if (node.type !== 'CallExpression' || nameOf(node.callee) !== 'require') return undefined
  const [from] = node.arguments
  return from?.type === 'Literal' ? packageOf(String(from.value)) : undefined
}

/** The originals and their shims alike. */
function packageOf(specifier: string): string | undefined {
  const name = /^outpool\/(?:workerpool|p-)/.test(specifier) ? specifier.slice('outpool/'.length) : specifier
  return Object.hasOwn(makers, name) ? name : undefined
}
