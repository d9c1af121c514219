/** Judges one function: each thing that its text does, by the values that it does it to. */
import { types } from 'node:util'
import { changesFirstArgument, changesReceiver, isHarmless } from './known-methods.ts'
import { asksProcess, builtInExport, computes, globalEffect, intrinsicName, isNative } from './known-values.ts'
import type { Reason, ReasonKind } from './reasons.ts'
import { isShared, own, resolve, resolveAll, withHeld, type Environment, type Resolved } from './resolve.ts'
import type { Surroundings } from './surroundings.ts'
import { movesPattern } from './moved-patterns.ts'
import { mostGiven } from './alias-calls.ts'
import { hasShared, isCollection, isAsyncLocalStorage, isSharedSome, mayHave } from './shared-values.ts'
import { PassedFunctions } from './passed-functions.ts'
import { isClass, SourceNames } from './source-names.ts'
import { putAnywhere, type Source } from './sources.ts'
import { unnamedOf } from './unnamed-methods.ts'
import type { BehaviourEvent, Call, Mutation } from './walker.ts'

/** The whole analysis, as one function of it sees it. */
export interface Judgement {
  readonly around: Surroundings
  add(reason: Reason): void
  /** Looks over what can be reached from a value that it uses: what the language may call of it, and what would be lost. */
  survey(value: unknown, name: string, line: number): void
  /** Looks into a function that is called, with what it is given. */
  look(fn: Function, args: readonly Resolved[], self: Resolved | undefined, within: string): void
  /** Whether `value`, that of the variable, goes by the name that a package has for it. */
  goesByName(fn: Function, name: string, value: unknown): boolean
}

export class Scene {
  readonly #judge: Judgement
  readonly #fn: Function
  readonly #environment: Environment
  readonly #within: string | undefined
  readonly #names: SourceNames
  readonly #passed: PassedFunctions

  constructor(judge: Judgement, fn: Function, environment: Environment, within: string | undefined) {
    this.#judge = judge
    this.#fn = fn
    this.#environment = environment
    this.#within = within
    this.#names = new SourceNames(fn, environment)
    this.#passed = new PassedFunctions(judge, environment, (message) => this.#add('unknown', 'maybe', message, 1))
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
    const captured = this.#judge.around.captured(this.#fn, name)
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
    this.#judge.survey(value, name, line)
  }

  /** What other code of its file does to what it reads. */
  #setUpOrChanged(name: string, value: unknown, line: number): void {
    const [changed] = this.#judge.around.changesAround(this.#fn, name)
    const setUp = this.#judge.around.setUpOf(this.#fn, name)
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

  #mutation({ sources, certain, how }: Mutation, line: number): void {
    for (const source of sources) {
      const { values, unknown: more, held } = resolve(source, this.#environment)
      const shared = [...values].some(isShared)
      if (!shared && !more) continue
      const isOwn = source.root === '@this' || (source.root === '@class' && !isClass(this.#fn))
      const certainly = certain && shared && !more && held === undefined && !isOwn
      const what = this.#names.describe(source)
      const message = `it ${how} of ${what} (line ${line}), which would only change in the worker`
      this.#add('change', certainly ? 'keep' : 'maybe', message, line, this.#names.variableOf(source))
    }
  }

  #escape(sources: readonly Source[], how: string, line: number): void {
    // What a helper throws, whoever called it may catch, and change.
    if (this.#within !== undefined && how !== 'throws') return
    for (const source of sources) {
      const { values, unknown: more } = resolve(source, this.#environment)
      if (!more && ![...values].some((value) => isShared(value) && intrinsicName(value) === undefined)) continue
      this.#add(
        'hand-out',
        'maybe',
        `it ${how} ${this.#names.describe(source)} (line ${line}), of which the caller would get a copy`,
        line,
        this.#names.variableOf(source),
      )
    }
  }

  #call(call: Call, line: number): void {
    const receiver = this.#names.named(call.receiver)
    const args = call.args.map((sources, index) =>
      withHeld(this.#names.named(sources), resolveAll(call.held[index] ?? [], this.#environment)),
    )
    const callee = resolveAll(call.callee, this.#environment)
    if ([...receiver.values].some(isAsyncLocalStorage)) return
    if (movesPattern(call, receiver, args)) this.#movedPattern(call, line)
    // A call of the function itself has been followed in its text.
    if (call.isMember && call.name === 'a method' && [...receiver.values].some(isCollection))
      this.#add(
        'unknown',
        'maybe',
        `it calls a method of ${this.#names.describeAll(call.receiver)} by a name that is made (line ${line})`,
        line,
      )
    const takes = Math.max(0, ...[...callee.values].map((value) => (typeof value === 'function' ? value.length : 0)))
    if (Math.max(call.args.length, call.args.length < mostGiven ? 0 : takes) > mostGiven && args.some(hasShared))
      this.#add('unknown', 'maybe', `it calls ${call.name} with more arguments than are followed (line ${line})`, line)
    for (const value of callee.values)
      if (value !== this.#fn || !call.local) this.#callee(value, call, receiver, args, line)
    if ([...callee.values].some((value) => typeof value === 'function') && !callee.unknown) return
    if (!callee.unknown) this.#passed.called(call, args, receiver)
    this.#uncertainCall(call, args, receiver, line)
    if (call.local && !callee.unknown) return
    this.#unknownCallee(call, callee.unknown, receiver, args, line)
  }

  /** By a name that is not written out, or that only the class knows. */
  #uncertainCall({ name, local }: Call, args: readonly Resolved[], receiver: Resolved, line: number): void {
    const isHidden = name.startsWith('#') && !local && [...args, receiver].some(hasShared)
    if (!isHidden) return
    this.#add('unknown', 'maybe', `it calls ${name} (line ${line}), which is not known`, line)
  }

  #movedPattern({ name, receiver, args }: Call, line: number): void {
    const pattern = name === 'exec' || name === 'test' ? receiver : (args[0] ?? [])
    const message = `it calls ${name}() with ${this.#names.describeAll(pattern)} (line ${line}), which goes on where the call before has ended`
    this.#add('change', 'maybe', message, line, this.#names.variableOf(pattern[0]))
  }

  #unknownCallee(call: Call, isShown: boolean, receiver: Resolved, args: readonly Resolved[], line: number): void {
    const { name } = call
    if (call.isMember && changesReceiver(name) && mayHave(receiver, name)) {
      return this.#add(
        'change',
        'maybe',
        `it calls .${name}() of ${this.#names.describeAll(call.receiver)} (line ${line}), which may change it`,
        line,
        this.#names.variableOf(call.receiver[0]),
      )
    }
    if (call.isMember && isHarmless(name)) return
    const passed = call.args.findIndex((_, index) => isSharedSome(args[index] as Resolved))
    const mark = isSharedSome(receiver) ? call.receiver : passed < 0 ? undefined : call.args[passed]
    if (mark !== undefined && !(call.isMember && changesReceiver(name))) {
      this.#add(
        'unknown',
        'maybe',
        `it passes ${this.#names.describeAll(mark)} to ${name} (line ${line}), which is not known`,
        line,
        this.#names.variableOf(mark[0]),
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
    const variable = this.#names.variableOf(call.callee[0])
    if (types.isProxy(value))
      return this.#add('unknown', 'maybe', `it calls ${name} (line ${line}), a Proxy`, line, variable)
    const intrinsic = intrinsicName(value)
    if (intrinsic !== undefined) return this.#intrinsic(intrinsic, call, receiver, args, line)
    const builtIn = builtInExport(value)
    if (builtIn !== undefined) {
      if (computes(builtIn.module) && !asksProcess(builtIn.module, builtIn.exportName)) {
        const target = changesFirstArgument(builtIn.exportName) ? this.#names.named(call.target) : own
        if (isSharedSome(target)) this.#changedBy(builtIn.exportName, call.target, target, line)
        return this.#passed.called(call, args, receiver)
      }
      return this.#add(
        'effect',
        'maybe',
        `it calls ${name} (line ${line}) of ${builtIn.module}, which reaches outside of the function`,
        line,
      )
    }
    if (isNative(value)) {
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
    if (call.isNew) this.#unnamedOf(value, args)
    const parent: unknown = Object.getPrototypeOf(value)
    if (
      call.isNew &&
      typeof parent === 'function' &&
      intrinsicName(parent) === undefined &&
      parent !== Function.prototype
    ) {
      this.#callee(parent, call, receiver, args, line)
    }
  }

  /** What the language calls of an instance, where no text names it. Methods that are named are looked into there. */
  #unnamedOf(made: Function, args: readonly Resolved[]): void {
    const held = new Set(args.flatMap(({ values, held: inside = [] }) => [...values, ...inside]))
    const self: Resolved = { ...own, held, instances: new Set([made]) }
    for (const method of unnamedOf((made as { readonly prototype?: unknown }).prototype, true))
      this.#judge.look(method, [this.#environment.put()], self, method.name || 'an accessor')
  }

  /** A helper may hand its own variables to a function that it is given. */
  #callbackTo({ name, callee }: Call, line: number): void {
    this.#add(
      'unknown',
      'maybe',
      `it passes a function to ${name} (line ${line}), which may do anything with it`,
      line,
      this.#names.variableOf(callee[0]),
    )
  }

  #intrinsic(path: string, call: Call, receiver: Resolved, args: readonly Resolved[], line: number): void {
    const [first = '', ...rest] = path.split('.')
    const name = rest.at(-1) ?? first
    if (path === 'Function' || path === 'Proxy' || path === 'Proxy.revocable')
      return this.#add('unknown', 'maybe', `it calls ${path} (line ${line}), whose result cannot be looked into`, line)
    const isMethod = rest[0] === 'prototype'
    if (isMethod && changesReceiver(name) && isSharedSome(receiver))
      return this.#changedBy(name, call.receiver, receiver, line)
    const changesArgument =
      path === 'Buffer.prototype.copy' ||
      path === 'Crypto.prototype.getRandomValues' ||
      (!isMethod && ['Object', 'Reflect', 'Atomics', 'crypto', 'Error'].includes(first) && changesFirstArgument(name))
    // What a new object holds is not changed with it.
    const target = changesArgument ? this.#names.named(call.target) : own
    if (isSharedSome(target)) this.#changedBy(name, call.target, target, line)
    if (path === 'Reflect.apply' || path === 'Reflect.construct') this.#applied(call, args, line)
    if (path === 'Reflect.set' && args[3] !== undefined && hasShared(args[3]))
      this.#add('change', 'maybe', `it calls set() on what it is given as the receiver (line ${line})`, line)
    if (path === 'structuredClone' && args.length > 1)
      this.#add(
        'unknown',
        'maybe',
        `it calls structuredClone with options (line ${line}), by which memory may go`,
        line,
      )
    if (path === 'Object.create' || name === 'setPrototypeOf') this.#passed.prototypes(args)
    this.#passed.called(call, args, receiver)
  }

  /** One of the engine's, called with what is shared, may change it. */
  #applied({ name, target }: Call, [applied = own, ...given]: readonly Resolved[], line: number): void {
    const isWritten = [...applied.values].every((one) => typeof one === 'function' && intrinsicName(one) === undefined)
    const isKnown =
      applied.values.size > 0 && isWritten && !applied.unknown && target.every(({ root }) => root !== putAnywhere)
    if (isKnown || !given.some(hasShared)) return
    this.#add('unknown', 'maybe', `it calls ${name} (line ${line}), which may change what it is given`, line)
  }

  #changedBy(name: string, sources: readonly Source[], target: Resolved, line: number): void {
    const root = sources[0]?.root ?? ''
    const certainly = sources.length === 1 && !target.unknown && root !== '@this'
    const message = `it calls ${name}() on ${this.#names.describeAll(sources)} (line ${line}), which would only change in the worker`
    this.#add('change', certainly ? 'keep' : 'maybe', message, line, this.#names.variableOf(sources[0]))
  }
}
