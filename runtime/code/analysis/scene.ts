/** Judges one function: each thing that its text does, by the values that it does it to. */
import { types } from 'node:util'
import type { Change, SetUp } from './file-bindings.ts'
import { changesFirstArgument, changesReceiver, isHarmless } from './known-methods.ts'
import { builtInExport, computes, globalEffect, intrinsicName } from './known-values.ts'
import type { Reason, ReasonKind } from './reasons.ts'
import { isShared, own, resolve, resolveAll, unknown, withHeld, type Environment, type Resolved } from './resolve.ts'
import { movesPattern } from './moved-patterns.ts'
import { unnamedMethods } from './unnamed-methods.ts'
import { wayOf, type Source } from './sources.ts'
import type { BehaviourEvent, Call, Mutation } from './walker.ts'

/** The whole analysis, as one function of it sees it. */
export interface Judgement {
  add(reason: Reason): void
  /** Looks into a function that is called, with what it is given. */
  look(fn: Function, args: readonly Resolved[], self: Resolved | undefined, within: string): void
  /** The variable of that name around `fn`; undefined for a global. */
  captured(fn: Function, name: string): { readonly value: unknown } | undefined
  /** What other code of its file does to that variable. */
  changesAround(fn: Function, name: string): readonly Change[]
  /** How other code of its file, and that alone, sets up what that variable holds. */
  setUpOf(fn: Function, name: string): SetUp | undefined
  /** Whether `value`, that of the variable, goes by the name that a package has for it. */
  goesByName(fn: Function, name: string, value: unknown): boolean
}

export class Scene {
  readonly #judge: Judgement
  readonly #fn: Function
  readonly #environment: Environment
  readonly #within: string | undefined

  constructor(judge: Judgement, fn: Function, environment: Environment, within: string | undefined) {
    this.#judge = judge
    this.#fn = fn
    this.#environment = environment
    this.#within = within
  }

  judge(event: BehaviourEvent, line: number): void {
    switch (event.kind) {
      case 'use':
        return this.#use(event.name, line)
      case 'assign':
        return this.#add(
          'change',
          'keep',
          `it assigns to '${event.name}' (line ${line}), which would only change in the worker`,
          line,
          event.name,
        )
      case 'mutate':
        return this.#mutation(event, line)
      case 'escape':
        return this.#escape(event.sources, event.how, line)
      case 'call':
        return this.#call(event, line)
      case 'import':
        if (computes(event.specifier)) return
        return this.#add(
          'unknown',
          'maybe',
          `it imports '${event.specifier}' (line ${line}), which is not looked into`,
          line,
        )
    }
  }

  #add(kind: ReasonKind, verdict: 'maybe' | 'keep', message: string, line: number, variable?: string): void {
    const within = this.#within
    const text = within === undefined ? message : `in ${within}: ${message}`
    this.#judge.add({
      kind,
      verdict,
      message: text,
      line,
      ...(variable !== undefined && { variable }),
      ...(within !== undefined && { within }),
    })
  }

  #use(name: string, line: number): void {
    const captured = this.#judge.captured(this.#fn, name)
    const value = captured?.value
    if (name === '__name') return
    if (captured === undefined || value === globalThis.process || value === globalThis.console) {
      const known = captured === undefined ? name : value === globalThis.process ? 'process' : 'console'
      const effect = globalEffect(known)
      if (effect !== undefined) this.#add('effect', 'maybe', `it uses '${name}' (line ${line}), which ${effect}`, line)
      return
    }
    this.#setUpOrChanged(name, value, line)
    if (isAsyncLocalStorage(value)) {
      this.#add(
        'effect',
        'keep',
        `it uses '${name}' (line ${line}), an AsyncLocalStorage, whose store is that of a call in this process`,
        line,
        name,
      )
    }
    this.lookUnnamed(value)
  }

  /** What other code of its file does to what it reads. */
  #setUpOrChanged(name: string, value: unknown, line: number): void {
    const [changed] = this.#judge.changesAround(this.#fn, name)
    const setUp = this.#judge.setUpOf(this.#fn, name)
    if (changed === undefined && setUp === undefined) return
    const reads = `it reads '${name}' (line ${line}), which line`
    if (this.#judge.goesByName(this.#fn, name, value)) {
      if (setUp === undefined) return
      const { how } = setUp
      this.#add(
        'set-up',
        'maybe',
        `${reads} ${setUp.line} of its file sets up (${how}) for this process alone`,
        line,
        name,
      )
    } else if (changed !== undefined) {
      const how = changed.assigns ? 'assigns' : 'changes'
      this.#add('changing', 'maybe', `${reads} ${changed.line} of its file ${how}`, line, name)
    }
  }

  /** Into what the language may call of a value, where no text names it. */
  lookUnnamed(value: unknown): void {
    const self = { values: new Set([value]), unknown: false }
    for (const method of unnamedMethods(value)) this.#judge.look(method, [], self, method.name)
  }

  #mutation({ sources, certain, how }: Mutation, line: number): void {
    for (const source of sources) {
      const { values, unknown: more, held } = resolve(source, this.#environment)
      const shared = [...values].some(isShared)
      if (!shared && !more) continue
      const isOwn = source.root === '@this' || (source.root === '@class' && !isClass(this.#fn))
      const certainly = certain && shared && !more && held === undefined && !isOwn
      const what = this.#describe(source)
      const message = `it ${how} of ${what} (line ${line}), which would only change in the worker`
      this.#add('change', certainly ? 'keep' : 'maybe', message, line, this.#variableOf(source))
    }
  }

  #escape(sources: readonly Source[], how: string, line: number): void {
    if (this.#within !== undefined) return
    for (const source of sources) {
      const { values, unknown: more } = resolve(source, this.#environment)
      if (!more && ![...values].some((value) => isShared(value) && intrinsicName(value) === undefined)) continue
      this.#add(
        'hand-out',
        'maybe',
        `it ${how} ${this.#describe(source)} (line ${line}), of which the caller would get a copy`,
        line,
        this.#variableOf(source),
      )
    }
  }

  /** What sources are, with the name that reasons give it inside of what is called with it. */
  #named(sources: readonly Source[]): Resolved {
    const [first] = sources
    return { ...resolveAll(sources, this.#environment), name: first === undefined ? undefined : this.#nameOf(first) }
  }

  /** As it is reached from a variable, by way of the calls that led here. */
  #nameOf(source: Source): string | undefined {
    const { root } = source
    if (root.startsWith('#') || root === '@class') return undefined
    if (!root.startsWith('@')) return root + wayOf(source)
    const given = root === '@this' ? this.#environment.self : this.#environment.argument(Number(root.slice(1)))
    return given?.name === undefined ? undefined : given.name + wayOf(source)
  }

  #variableOf(source: Source | undefined): string | undefined {
    return source === undefined ? undefined : /^[^.[]+/.exec(this.#nameOf(source) ?? '')?.[0]
  }

  /** As it would be written: `'config.rates'`, `argument 1`, `'this'`. */
  #describe(source: Source): string {
    const name = this.#nameOf(source)
    if (name !== undefined) return `'${name}'`
    const { root } = source
    if (root.startsWith('#')) return `what a call returns${wayOf(source)}`
    if (root === '@class') return `${isClass(this.#fn) ? 'its own class' : 'itself'}${wayOf(source)}`
    return root === '@this' ? `'this${wayOf(source)}'` : `argument ${Number(root.slice(1)) + 1}`
  }

  #describeAll([first]: readonly Source[]): string {
    return first === undefined ? 'something' : this.#describe(first)
  }

  #call(call: Call, line: number): void {
    const receiver = this.#named(call.receiver)
    const args = call.args.map((sources, index) =>
      withHeld(this.#named(sources), resolveAll(call.held[index] ?? [], this.#environment)),
    )
    const callee = resolveAll(call.callee, this.#environment)
    if ([...receiver.values].some(isAsyncLocalStorage)) return
    if (movesPattern(call, receiver, args)) this.#movedPattern(call, line)
    // A call of the function itself has been followed in its text.
    for (const value of callee.values)
      if (value !== this.#fn || !call.local) this.#callee(value, call, receiver, args, line)
    if ([...callee.values].some((value) => typeof value === 'function') && !callee.unknown) return
    if (call.callee.length === 0 && call.local) return
    this.#unknownCallee(call, callee.unknown, receiver, args, line)
  }

  #movedPattern({ name, receiver, args }: Call, line: number): void {
    const pattern = name === 'exec' || name === 'test' ? receiver : (args[0] ?? [])
    const message = `it calls ${name}() with ${this.#describeAll(pattern)} (line ${line}), which goes on where the call before has ended`
    this.#add('change', 'maybe', message, line, this.#variableOf(pattern[0]))
  }

  #unknownCallee(call: Call, isShown: boolean, receiver: Resolved, args: readonly Resolved[], line: number): void {
    const { name } = call
    if (call.isMember && changesReceiver(name) && isSharedSome(receiver)) {
      return this.#add(
        'change',
        'maybe',
        `it calls .${name}() of ${this.#describeAll(call.receiver)} (line ${line}), which may change it`,
        line,
        this.#variableOf(call.receiver[0]),
      )
    }
    if (call.isMember && isHarmless(name)) return
    const passed = call.args.findIndex((_, index) => isSharedSome(args[index] as Resolved))
    const mark = isSharedSome(receiver) ? call.receiver : passed < 0 ? undefined : call.args[passed]
    if (mark !== undefined && !(call.isMember && changesReceiver(name))) {
      this.#add(
        'unknown',
        'maybe',
        `it passes ${this.#describeAll(mark)} to ${name} (line ${line}), which is not known`,
        line,
        this.#variableOf(mark[0]),
      )
    } else if (
      isShown ||
      (!call.isMember && call.callee.some(({ root, path }) => root.startsWith('@') && path.length === 0))
    ) {
      this.#add('unknown', 'maybe', `it calls ${name} (line ${line}), which is not known`, line)
    }
  }

  #callee(value: unknown, call: Call, receiver: Resolved, args: readonly Resolved[], line: number): void {
    if (typeof value !== 'function') return
    const { name } = call
    const variable = this.#variableOf(call.callee[0])
    if (types.isProxy(value))
      return this.#add('unknown', 'maybe', `it calls ${name} (line ${line}), a Proxy`, line, variable)
    const intrinsic = intrinsicName(value)
    if (intrinsic !== undefined) return this.#intrinsic(intrinsic, call, receiver, args, line)
    const builtIn = builtInExport(value)
    if (builtIn !== undefined) {
      if (computes(builtIn.module)) {
        const target = changesFirstArgument(builtIn.exportName) ? this.#named(call.target) : own
        if (isSharedSome(target)) this.#changedBy(builtIn.exportName, call.target, target, line)
        return this.#callbacks(args, receiver)
      }
      return this.#add(
        'effect',
        'maybe',
        `it calls ${name} (line ${line}) of ${builtIn.module}, which reaches outside of the function`,
        line,
      )
    }
    if (Function.prototype.toString.call(value).endsWith('{ [native code] }')) {
      return this.#add(
        'unknown',
        'maybe',
        `it calls ${name} (line ${line}), a native or bound function, which cannot be looked into`,
        line,
        variable,
      )
    }
    if (call.callback) this.#callbackTo(call, line)
    this.#judge.look(value, args, call.isNew ? undefined : receiver, value.name || name)
    const parent: unknown = Object.getPrototypeOf(value)
    if (
      call.isNew &&
      typeof parent === 'function' &&
      intrinsicName(parent) === undefined &&
      parent !== Function.prototype
    ) {
      this.#callee(parent, call, receiver, [], line)
    }
  }

  /** A helper may hand its own variables to a function that it is given. */
  #callbackTo({ name, callee }: Call, line: number): void {
    this.#add(
      'unknown',
      'maybe',
      `it passes a function to ${name} (line ${line}), which may do anything with it`,
      line,
      this.#variableOf(callee[0]),
    )
  }

  #intrinsic(path: string, call: Call, receiver: Resolved, args: readonly Resolved[], line: number): void {
    const [first = '', ...rest] = path.split('.')
    const name = rest.at(-1) ?? first
    if (path === 'Function' || path === 'Proxy')
      return this.#add('unknown', 'maybe', `it calls ${path} (line ${line}), whose result cannot be looked into`, line)
    if (
      path === 'Function.prototype.call' ||
      path === 'Function.prototype.apply' ||
      path === 'Function.prototype.bind'
    ) {
      const given = path.endsWith('call') || path.endsWith('bind') ? args.slice(1) : []
      for (const value of receiver.values)
        if (typeof value === 'function') this.#judge.look(value, given, args[0], value.name)
      return
    }
    const isMethod = rest[0] === 'prototype'
    if (isMethod && changesReceiver(name) && isSharedSome(receiver))
      return this.#changedBy(name, call.receiver, receiver, line)
    const changesArgument =
      path === 'Buffer.prototype.copy' ||
      path === 'Crypto.prototype.getRandomValues' ||
      (!isMethod && ['Object', 'Reflect', 'Atomics', 'crypto'].includes(first) && changesFirstArgument(name))
    // What a new object holds is not changed with it.
    const target = changesArgument ? this.#named(call.target) : own
    if (isSharedSome(target)) this.#changedBy(name, call.target, target, line)
    this.#callbacks(args, receiver)
  }

  #changedBy(name: string, sources: readonly Source[], target: Resolved, line: number): void {
    const root = sources[0]?.root ?? ''
    const certainly = sources.length === 1 && !target.unknown && root !== '@this'
    const message = `it calls ${name}() on ${this.#describeAll(sources)} (line ${line}), which would only change in the worker`
    this.#add('change', certainly ? 'keep' : 'maybe', message, line, this.#variableOf(sources[0]))
  }

  /** Functions given to one of the engine's are called with elements of what it works on. */
  #callbacks(args: readonly Resolved[], receiver: Resolved): void {
    for (const { values } of args) {
      for (const value of values) {
        if (typeof value !== 'function' || intrinsicName(value) !== undefined) continue
        const elements = isSharedSome(receiver) ? unknown : own
        this.#judge.look(value, [elements, elements, elements], undefined, value.name || 'a callback')
      }
    }
  }
}

function isClass(fn: Function): boolean {
  return Function.prototype.toString.call(fn).startsWith('class')
}

function isSharedSome({ values, unknown: more }: Resolved): boolean {
  if (more) return true
  for (const value of values) if (isShared(value) && intrinsicName(value) === undefined) return true
  return false
}

function isAsyncLocalStorage(value: unknown): boolean {
  if (!isShared(value) || types.isProxy(value)) return false
  return (value as { constructor?: { name?: unknown } }).constructor?.name === 'AsyncLocalStorage'
}
