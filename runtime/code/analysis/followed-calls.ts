/**
 * What calls give and what they put into objects, as far as others share it: results of functions that are called are
 * looked for in their texts, with what they are given.
 */
import { types } from 'node:util'
import { analyseFunction } from '../free-variables.ts'
import { behaviourOf, type TextBehaviour } from './behaviour.ts'
import { fixpoints } from './fixpoints.ts'
import { isPlain } from './given.ts'
import { changesFirstArgument, changesReceiver, keepsGiven, resultOf } from './known-methods.ts'
import { builtInExport, intrinsicName } from './known-values.ts'
import {
  elementsOf,
  itselfOrWithin,
  merge,
  own,
  resolve,
  resolveAll,
  unknown,
  withBelow,
  withHeld,
  withoutFunctions,
  type Environment,
  type Resolved,
} from './resolve.ts'
import { putAnywhere } from './sources.ts'
import { textOf, type Surroundings } from './surroundings.ts'
import type { Call } from './walker.ts'

/** Calls whose results are followed for one verdict, and calls within calls. */
const maxFollowed = 2_000
const maxDepth = 20

export class FollowedCalls {
  readonly #around: Surroundings
  /** Functions that are being looked into. */
  readonly #path: Function[] = []
  /** Of functions that are given nothing that is shared. */
  readonly #plain = new Map<Function, Environment>()
  #followed = 0

  constructor(around: Surroundings) {
    this.#around = around
  }

  /** While a function is looked into: its own calls of itself are among what is looked for. */
  within<T>(fn: Function, look: () => T): T {
    this.#path.push(fn)
    try {
      return look()
    } finally {
      this.#path.pop()
    }
  }

  environment(fn: Function, args: readonly Resolved[], self: Resolved | undefined): Environment {
    const isKnown = isPlain(args, self)
    const known = isKnown ? this.#plain.get(fn) : undefined
    if (known !== undefined) return known
    const behaviour = (): TextBehaviour => behaviourOf(textOf(fn))
    const once = fixpoints()
    const environment: Environment = {
      variable: (name) => this.#around.variable(fn, name),
      argument: (index) => args[index],
      self,
      subject: fn,
      result: (end) =>
        once(end, () => {
          const call = behaviour().calls.get(end)
          return call === undefined ? own : this.#resultOfCall(call, environment)
        }),
      put: () => once(-1, () => this.#putBy(behaviour(), environment)),
    }
    if (isKnown) this.#plain.set(fn, environment)
    return environment
  }

  #putBy({ puts, calls }: TextBehaviour, environment: Environment): Resolved {
    const found: Resolved[] = []
    for (const source of puts) {
      const isItself = source.root === putAnywhere && source.path.length === 0
      if (!isItself) found.push(resolve(source, environment))
    }
    for (const call of calls.values()) found.push(this.#putByCall(call, environment))
    return merge(found)
  }

  /** What a call may put into something new that it is given. */
  #putByCall(call: Call, environment: Environment): Resolved {
    if (call.args.length === 0 && call.receiver.length === 0 && call.callee.length === 0) return own
    const callee = resolveAll(call.callee, environment)
    const args = this.#argumentsOf(call, environment)
    const found: Resolved[] = []
    let isKnown = false
    for (const value of callee.values) {
      if (typeof value !== 'function') continue
      isKnown = true
      const name = (intrinsicName(value) ?? builtInExport(value)?.exportName)?.split('.').at(-1)
      if (name === undefined) found.push(this.#putByFunction(value, args, resolveAll(call.receiver, environment)))
      else if (
        changesReceiver(name) ||
        name === 'reject' ||
        builtInExport(value)?.module.includes('assert') === true ||
        changesFirstArgument(name) ||
        name === 'apply' ||
        name === 'construct'
      )
        found.push(...args)
    }
    if ((!isKnown || callee.unknown) && !call.local && (!call.isMember || keepsGiven(call.name))) found.push(...args)
    return merge(found)
  }

  #putByFunction(fn: Function, args: readonly Resolved[], receiver: Resolved): Resolved {
    if (this.#path.includes(fn)) return withBelow(merge([...args, receiver]))
    if (this.#path.length > maxDepth || ++this.#followed > maxFollowed) return unknown
    const text = textOf(fn)
    const analysis = analyseFunction(text)
    // That it is called is reason enough.
    if (analysis.kind !== 'function' && analysis.kind !== 'class') return own
    if (this.#around.packageOf(fn, analysis) !== undefined) return merge(args)
    return this.within(fn, () => this.environment(fn, args, receiver).put())
  }

  #argumentsOf(call: Call, environment: Environment): Resolved[] {
    return call.args.map((sources, index) =>
      withHeld(resolveAll(sources, environment), resolveAll(call.held[index] ?? [], environment)),
    )
  }

  /** What a call hands out of what is shared. */
  #resultOfCall(call: Call, environment: Environment): Resolved {
    if (this.#path.length > maxDepth || ++this.#followed > maxFollowed) return unknown
    const receiver = resolveAll(call.receiver, environment)
    const args = this.#argumentsOf(call, environment)
    const callee = resolveAll(call.callee, environment)
    const results: Resolved[] = []
    for (const value of callee.values)
      if (typeof value === 'function') results.push(this.#returned(value, args, receiver, call.isNew))
    results.push(this.#returnedByCallbacks(call, args, receiver, environment))
    const isKnown = [...callee.values].some((value) => typeof value === 'function') && !callee.unknown
    // A method of well-known name has been counted by its name.
    if (!isKnown && !call.local && resultOf(call.name) === 'unknown')
      results.push(...[...args, receiver, callee].map(itselfOrWithin))
    return merge(results)
  }

  /** A function that is passed may give the result, or what is in it. */
  #returnedByCallbacks(call: Call, args: readonly Resolved[], receiver: Resolved, environment: Environment): Resolved {
    const functions = args.flatMap(({ values, held = [] }) =>
      [...values, ...held].filter((value) => typeof value === 'function' && intrinsicName(value) === undefined),
    ) as Function[]
    if (functions.length === 0) return own
    const near = withBelow(merge([receiver, resolveAll(call.within, environment), ...args.map(withoutFunctions)]))
    const found = merge(functions.map((fn) => this.#returned(fn, [near, near, near, near], near)))
    return withHeld(found, found)
  }

  #returned(fn: Function, args: readonly Resolved[], receiver: Resolved, isNew = false): Resolved {
    const intrinsic = intrinsicName(fn)
    // What a new one is made of it holds; an object is made of itself.
    if (intrinsic !== undefined && isNew && intrinsic !== 'Object') {
      const isCollection = intrinsic === 'Set' || intrinsic === 'Map'
      const given = isCollection ? elementsOf(merge(args)) : merge(args)
      // Through a view its memory is changed.
      return withHeld(isViewClass(intrinsic) ? memoryAmong(given) : own, given)
    }
    if (intrinsic !== undefined)
      return /^(JSON|Math|Number|String|Date|structuredClone$|Object\.(keys|getOwnPropertyNames)$)/.test(intrinsic) ||
        intrinsic.includes('.prototype.')
        ? own
        : merge(args)
    if (builtInExport(fn) !== undefined) return own
    if (this.#path.includes(fn)) {
      const all = withBelow(merge([...args, receiver]))
      return isNew ? withHeld(instanceOf(fn, own), all) : all
    }
    const text = textOf(fn)
    const analysis = analyseFunction(text)
    if (analysis.kind !== 'function' && analysis.kind !== 'class') return merge([...args, receiver])
    // That it is called is reason enough: what it gives out of its package is not asked.
    if (this.#around.packageOf(fn, analysis) !== undefined) return merge(args)
    const { returned } = behaviourOf(text)
    return this.within(fn, () => {
      const environment = this.environment(fn, args, analysis.kind === 'class' ? undefined : receiver)
      const result = resolveAll(returned, environment)
      // What it makes may hold what it has put anywhere.
      return withHeld(isNew ? instanceOf(fn, result) : result, merge([result, environment.put()]))
    })
  }
}

function isViewClass(name: string): boolean {
  return name === 'DataView' || (name !== 'Array' && name.endsWith('Array'))
}

function memoryAmong({ values, held }: Resolved): Resolved {
  return { ...own, values: new Set([...values, ...(held ?? [])].filter((value) => types.isAnyArrayBuffer(value))) }
}

/** A new one, or what its constructor returns instead. */
function instanceOf(made: Function, returned: Resolved): Resolved {
  return { ...returned, instances: new Set([...(returned.instances ?? []), made]) }
}
