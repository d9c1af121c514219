/**
 * Functions, classes and instances of classes on their way into a value.
 *
 *     reference    what is an export of Node, of a package, of the language itself: by name
 *     function     its text, then the variables that the text uses, as they are now; what was set on it
 *     class        the same, and its static values
 *     object       the class or prototype that it is of, then its own properties
 *     extended     the same, of a class that extends a built-in one, with what that keeps
 *     made         what an export of ours makes of arguments, as it says itself (`howItIsMade`)
 *     member       a method of the text of a class that is being written, by its key: one that means nothing without it
 *
 * An allow-list: what is none of these is refused, with the reason and what to do instead.
 */
import { types } from 'node:util'
import {
  howItIsMade,
  type CodeCodec,
  type MakingCall,
  type PartReader,
  type PartWriter,
} from '../../protocol/code-values.ts'
import { intrinsicName } from '../analysis/known-values.ts'
import { analyse } from '../analysis/verdict.ts'
import { isThing } from '../common-js-exports.ts'
import { noteFunction } from '../noted-functions.ts'
import { memberOf, type ClassMembers, type Side } from '../class-members.ts'
import { form, parts as partsOfMembers } from './code-forms.ts'
import { takeApart, type CapturedVariable, type FunctionParts } from './function-parts.ts'
import { extendedBrand } from './extended-objects.ts'
import {
  isKnownModule,
  isOfPackage,
  referenceByImport,
  referenceByValue,
  type ModuleReference,
} from './module-references.ts'
import { originOf } from './origins.ts'
import { isPackageScript, referenceByFile } from './package-functions.ts'
import { readCode, type TextSource } from './receive-code.ts'
import { standInReference } from './stand-ins.ts'
import { writeMembers, writeProperties } from './write-members.ts'
import { builtInBase, isForeignObject, symbolName, whyNoInstance } from './plain-objects.ts'

/** Where a text goes: into the value itself, or out of it, to be named there by a number. */
export interface TextSink {
  /** The number of the text among those that the value needs; undefined to have it in the value. */
  add(text: string): number | undefined
  /** A module that has to be loaded before the value is read. */
  module(reference: ModuleReference): void
  /** A variable, and of what kind its value is. */
  variable(name: string, kind: string): void
}

const inTheValue: TextSink = { add: () => undefined, module: () => undefined, variable: () => undefined }
const noTexts: TextSource = () => {
  throw new TypeError('a value names a text that did not come with it')
}

/**
 * `arrows`: see `CodeCodec`. `exact`: no object and no function goes by the name that a package exports it by, for this
 * program may have changed it, and what has the name elsewhere is as the package makes it.
 */
export function codeCodec(
  sink: TextSink = inTheValue,
  source: TextSource = noTexts,
  arrows = false,
  exact = false,
): CodeCodec {
  const sender = new CodeSender(sink, arrows, exact)
  return {
    arrows,
    isMore: (value) => (arrows && isMore(value)) || sender.isPrototype(value),
    writeFunction: (value, writer) => sender.function(value, writer),
    writeObject: (value, writer) => sender.object(value, writer),
    read: (reader: PartReader) => readCode(reader, source),
  }
}

class CodeSender {
  readonly #sink: TextSink
  /** Whoever sends the function looks at what it does with its captures. */
  readonly #isLookedAt: boolean
  readonly #isExact: boolean
  /** Classes that are being written, the innermost last. */
  readonly #classes: { readonly made: Function; readonly members: ClassMembers }[] = []
  /** Objects from which others inherit: an accessor of one is evaluated for those. */
  readonly #prototypes = new WeakSet()
  readonly #note = (object: object): unknown => this.#prototypes.add(object)

  constructor(sink: TextSink, isLookedAt: boolean, isExact: boolean) {
    this.#sink = sink
    this.#isLookedAt = isLookedAt
    this.#isExact = isExact
  }

  function(fn: Function, writer: PartWriter): void {
    if (this.#byName(fn, writer)) return
    const parts = takeApart(fn)
    const packaged = mayBePackaged(parts) ? this.#named(referenceByFile(fn), fn) : undefined
    if (packaged !== undefined) return this.#reference(packaged, writer)
    if (typeof parts === 'string') return this.#member(fn, writer) ? undefined : writer.refuse(parts)
    const { analysis, name } = parts
    noteFunction(analysis.text, fn, parts.location)
    if (!this.#isLookedAt && analysis.kind === 'function' && parts.variables.length > 0) refuseLost(fn, writer)
    writer.count(analysis.kind === 'class' ? form.class : form.function)
    writer.text(originOf(fn))
    this.#text(analysis.text, writer)
    writer.text(name)
    if (analysis.kind === 'class') this.#classes.push({ made: fn, members: analysis.members })
    this.#variables(parts, writer)
    writeMembers(fn, analysis, writer, this.#note)
    if (analysis.kind === 'class') this.#classes.pop()
  }

  isPrototype(value: object): boolean {
    return this.#prototypes.has(value)
  }

  /** What a decorator wrapped: `super` and private names mean in it what they mean in its class. */
  #member(fn: Function, writer: PartWriter): boolean {
    for (const { made, members } of this.#classes.toReversed()) {
      for (const side of ['own', 'inherited'] as const satisfies Side[]) {
        const member = memberOf(fn, members[side])
        const name = typeof member?.key === 'symbol' ? symbolName(member.key) : member?.key
        if (member === undefined || name === undefined) continue
        writer.count(form.member)
        writer.value(made.name, made)
        writer.count(side === 'own' ? 0 : 1)
        writer.count(partsOfMembers.indexOf(member.part))
        writer.value(name, member.key)
        return true
      }
    }
    return false
  }

  /** An object of no built-in class. */
  object(value: object, writer: PartWriter): boolean {
    if (types.isModuleNamespaceObject(value)) return this.#namespace(value, writer)
    const call = howItIsMade(value)
    if (call !== undefined) return this.#made(call, writer)
    if (this.#byName(value, writer)) return true
    const whole = Object.getOwnPropertyDescriptor(value, 'default')?.value as unknown
    const wrapped = isThing(whole) ? this.#named(referenceByValue(whole), whole) : undefined
    if (wrapped?.exportName === '=' && Object.getPrototypeOf(value) === Object.getPrototypeOf(whole)) {
      this.#sink.module(wrapped)
      writer.count(form.wrapper)
      writer.text(wrapped.url)
      return true
    }
    const prototype = Object.getPrototypeOf(value) as object
    const made: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
    const isClass = typeof made === 'function' && (made as { prototype?: unknown }).prototype === prototype
    const base = builtInBase(value)
    const brand = base === undefined || !isClass ? undefined : extendedBrand(value, base)
    if (brand === undefined && isForeignObject(value, base)) return false
    if (isClass) {
      const why = whyNoInstance(made)
      if (why !== undefined) writer.refuse(why)
    }
    if (brand === undefined) {
      writer.count(form.object)
      writer.count(isClass ? 1 : 0)
    } else {
      writer.count(form.extended)
      writer.count(brand.number)
      brand.head(writer)
    }
    if (!isClass) this.#note(prototype)
    writer.value(isClass ? made.name : '[[Prototype]]', isClass ? made : prototype)
    brand?.contents(writer)
    writeProperties(value, writer, (key) => brand?.follows(key) === true, this.#prototypes.has(value))
    writer.count(Object.isFrozen(value) ? 3 : Object.isSealed(value) ? 2 : Object.isExtensible(value) ? 0 : 1)
    return true
  }

  #made({ module, exportName, args }: MakingCall, writer: PartWriter): boolean {
    writer.count(form.made)
    this.#name({ url: module, exportName }, writer)
    writer.count(args.length)
    for (const [name, value] of args) writer.value(name, value)
    return true
  }

  #byName(value: object, writer: PartWriter): boolean {
    const intrinsic = ownName(value)
    if (intrinsic !== undefined) {
      writer.count(form.intrinsic)
      writer.text(intrinsic)
      return true
    }
    const reference = standInReference(value) ?? this.#named(referenceByValue(value), value)
    if (reference === undefined) return false
    this.#reference(reference, writer)
    return true
  }

  #reference(reference: ModuleReference, writer: PartWriter): void {
    writer.count(form.module)
    this.#name(reference, writer)
  }

  /** `reference`, where `value` may go by it. */
  #named(reference: ModuleReference | undefined, value: unknown): ModuleReference | undefined {
    const mayDiffer = this.#isExact && reference !== undefined && isThing(value) && isOfPackage(reference)
    return mayDiffer ? undefined : reference
  }

  #name(reference: ModuleReference, writer: PartWriter): void {
    this.#sink.module(reference)
    writer.text(reference.url)
    writer.text(reference.exportName)
  }

  /** All of a module, as `import * as` has it. */
  #namespace(value: object, writer: PartWriter): boolean {
    const standIn = standInReference(value)
    if (standIn !== undefined) {
      this.#reference(standIn, writer)
      return true
    }
    const whole = (value as { readonly default?: unknown }).default
    const reference = isThing(whole) ? this.#named(referenceByValue(whole), whole) : undefined
    if (reference?.exportName === '=') {
      this.#reference({ ...reference, exportName: '*' }, writer)
      return true
    }
    writer.count(form.namespace)
    writeProperties(value, writer, () => false)
    return true
  }

  #text(text: string, writer: PartWriter): void {
    const number = this.#sink.add(text)
    writer.count(number === undefined ? 0 : number + 1)
    if (number === undefined) writer.text(text)
  }

  #variables({ variables, location }: FunctionParts, writer: PartWriter): void {
    writer.count(variables.length)
    for (const { name } of variables) writer.text(name)
    for (const variable of variables) {
      const { name, value } = variable
      this.#sink.variable(name, value === null ? 'null' : typeof value)
      const reference = this.#named(referenceOf(variable, location?.scriptId), value)
      writer.count(reference === undefined ? 0 : 1)
      if (reference === undefined) writer.value(name, value)
      else this.#name(reference, writer)
    }
  }
}

/** A module, what a compiler made of the import of one, or an object with properties that data does not have. */
function isMore(value: object): boolean {
  if (Object.hasOwn(value, 'default') || isKnownModule(value)) return true
  return Object.getOwnPropertySymbols(value).length > 0
}

/** A function among arguments or results that certainly changes what it captured: the change would be lost. */
function refuseLost(fn: Function, writer: PartWriter): void {
  const lost = analyse(fn).reasons.find(({ verdict }) => verdict === 'keep')
  if (lost !== undefined)
    writer.refuse(`a function (${fn.name || 'anonymous'}): ${lost.message}; return the new value instead`)
}

/** A class is told apart by its identity, a function by what it uses; one that uses nothing is as good as its text. */
function mayBePackaged(parts: FunctionParts | string): boolean {
  if (typeof parts === 'string' || parts.analysis.kind === 'class') return true
  return parts.location !== undefined && isPackageScript(parts.location.scriptId)
}

/** The name, in every process, of a thing that every process has one of. */
function ownName(value: object): string | undefined {
  if (value === globalThis) return 'globalThis'
  if (value === process) return 'process'
  return value === console ? 'console' : intrinsicName(value)
}

/** The module that the value of a variable is an export of. Of symbols only their import tells it. */
function referenceOf(variable: CapturedVariable, scriptId: string | undefined): ModuleReference | undefined {
  const { name, value, isOfModule } = variable
  if (!isThing(value) && typeof value !== 'symbol') return undefined
  const standIn = standInReference(value)
  const mayBeImport = standIn === undefined && isOfModule && scriptId !== undefined
  const byImport = mayBeImport ? referenceByImport(scriptId, name) : undefined
  // A package may export what every process has: a `String`, `console`.
  const byValue = isThing(value) && ownName(value) === undefined ? referenceByValue(value) : undefined
  return standIn ?? byImport ?? byValue
}
