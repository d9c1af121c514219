/**
 * What a function captures, read at each of its calls: the texts of the functions in it and the bytes of the variables,
 * each a part of its own, so that a link is sent only what has changed.
 */
import { createHash } from 'node:crypto'
import { BoundedMap } from '../runtime/base/bounded-map.ts'
import { FunctionCaptureError, SerializationError } from '../runtime/base/errors.ts'
import { inlineBytes } from '../runtime/base/limits.ts'
import { analyse } from '../runtime/code/analysis/verdict.ts'
import type { Reason, ReasonKind } from '../runtime/code/analysis/reasons.ts'
import { describeModule, type NeededModule } from '../runtime/code/captures/loaded-modules.ts'
import type { ModuleReference } from '../runtime/code/captures/module-references.ts'
import { readingOnce } from '../runtime/code/captures/scopes.ts'
import { originalOf } from '../runtime/code/captures/stand-ins.ts'
import { codeCodec, type TextSink } from '../runtime/code/captures/send-code.ts'
import { moduleExport } from '../runtime/code/function-source.ts'
import { compact } from '../runtime/objects/compact.ts'
import { encodeValue, type RefCodec } from '../runtime/objects/value.ts'
import { CapturedArguments, newPart, type CapturedCall, type Part } from '../runtime/owner/captured-calls.ts'
import { captureFlags, packCaptures } from '../runtime/owner/captured-format.ts'
import type { ProcessRuntime } from '../runtime/owner/current.ts'
import { ObjectRef } from '../runtime/owner/object-ref.ts'
import { refTupleOf } from '../runtime/owner/refs.ts'
import { carry } from './carry.ts'
import type { RuntimeEnv } from './runtime-env.ts'

interface Captured {
  readonly runtime: ProcessRuntime
  readonly bytes: Uint8Array
  /** The variables and their kinds. */
  readonly kinds: string
  readonly call: CapturedCall
  /** The two arguments that come before the user's. */
  readonly head: readonly [numbers: readonly number[], stored: ObjectRef | undefined]
}

/** What a function had captured when it was called last. */
const last = new WeakMap<Function, Captured>()

/** Texts of functions, each sent once per link for as long as it is in use. */
const texts = new BoundedMap<string, Part>(4096, {
  readingRenews: true,
  maxWeight: 16 * 1024 * 1024,
  weightOf: (_, { bytes }) => bytes.length,
})

export interface CaptureOptions {
  /** The call that an error message begins with. */
  readonly caller: string
  readonly runtimeEnv?: RuntimeEnv | undefined
  /** It was looked into just now, and only computes. */
  readonly onlyComputes?: boolean | undefined
}

/** What a function had captured at one moment, for calls that are made later. */
export class TakenCaptures {
  readonly #captured: Captured

  constructor(runtime: ProcessRuntime, fn: Function, options: CaptureOptions) {
    this.#captured = capture(runtime, fn, options)
  }

  with(args: readonly unknown[]): CapturedArguments {
    return withArguments(this.#captured, args)
  }
}

/**
 * The arguments of a call of `fn`, a function that captures variables, with what those are now.
 * @throws FunctionCaptureError where one of them cannot travel, by the way to it, or where its changes would be lost.
 */
export function captureCall(
  runtime: ProcessRuntime,
  fn: Function,
  args: readonly unknown[],
  options: CaptureOptions,
): CapturedArguments {
  return withArguments(capture(runtime, fn, options), args)
}

function withArguments({ call, head }: Captured, args: readonly unknown[]): CapturedArguments {
  const out = new CapturedArguments()
  out.push(head[0], head[1], ...args)
  out.call = call
  return out
}

function capture(runtime: ProcessRuntime, fn: Function, options: CaptureOptions): Captured {
  return readingOnce(() => captureNow(runtime, fn, options))
}

function captureNow(runtime: ProcessRuntime, fn: Function, options: CaptureOptions): Captured {
  const { caller, runtimeEnv, onlyComputes = false } = options
  const name = fn.name === '' ? 'anonymous function' : fn.name
  const sink = new CallSink()
  const { refCodec } = runtime.host
  let encoded
  try {
    encoded = encodeValue(fn, name, { ...refCodec, code: codeCodec(sink, undefined, true, onlyComputes) })
  } catch (error) {
    if (!(error instanceof SerializationError)) throw error
    throw new FunctionCaptureError(`${caller}(${name}): ${error.message}`, { cause: error, details: error.details })
  }
  const value = compact(encoded)
  const known = last.get(fn)
  if (known !== undefined && known.runtime === runtime && isSame(known.bytes, value)) return known
  // What does to its captures what it did before need not be looked at again, for other values of the same kinds.
  const kinds = sink.kinds.join()
  const verdict = onlyComputes ? 'ship' : known?.kinds === kinds ? 'maybe' : judge(runtime, fn, name, caller)
  const modules = sink.modules.map((reference) => needed(runtime, reference, runtimeEnv))
  const made = make(runtime, {
    value,
    modules,
    parts: sink.parts,
    isReusable: verdict === 'ship' && encoded.refs.length === 0,
  })
  const call: CapturedCall = { parts: made.parts, refs: encoded.refs.map(refTupleOf) }
  const captured: Captured = { runtime, bytes: value, kinds, call, head: made.head }
  last.set(fn, captured)
  return captured
}

/** Why a function that captures would be refused now, by the way to what cannot travel; undefined where it would not. */
export function whyRefused(fn: Function, refCodec: RefCodec): string | undefined {
  try {
    encodeValue(fn, fn.name === '' ? 'anonymous function' : fn.name, {
      ...refCodec,
      code: codeCodec(undefined, undefined, true),
    })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

interface Content {
  readonly value: Uint8Array
  readonly modules: readonly NeededModule[]
  /** The texts, in the order of their numbers in the value. */
  readonly parts: readonly Part[]
  /** The function leaves what it captured as it is, so that a worker may keep it from call to call. */
  readonly isReusable: boolean
}

function make(
  runtime: ProcessRuntime,
  { value, modules, parts, isReusable }: Content,
): { readonly parts: readonly Part[]; readonly head: Captured['head'] } {
  const flags = captureFlags({ isReusable, isChecked: process.env['OUTPOOL_CHECK'] === '1' })
  const bytes = packCaptures(modules, value)
  const numbers = parts.map(({ number }) => number)
  if (bytes.length <= inlineBytes) {
    const own = newPart(bytes)
    return { parts: [...parts, own], head: [[flags, own.number, ...numbers], undefined] }
  }
  const stored = new ObjectRef(runtime.owner.values.later(Promise.resolve(bytes)), 'captures', runtime)
  return { parts, head: [[flags, 0, ...numbers], stored] }
}

class CallSink implements TextSink {
  readonly parts: Part[] = []
  readonly modules: ModuleReference[] = []
  readonly kinds: string[] = []
  readonly #numbers = new Map<string, number>()

  add(text: string): number {
    let number = this.#numbers.get(text)
    if (number !== undefined) return number
    const key = text.length < 1024 ? text : createHash('sha256').update(text).digest('base64')
    const part = texts.getOrMake(key, () => newPart(Buffer.from(text)))
    number = this.parts.push(part) - 1
    this.#numbers.set(text, number)
    return number
  }

  variable(name: string, kind: string): void {
    this.kinds.push(`${name} ${kind}`)
  }

  module(reference: ModuleReference): void {
    if (!this.modules.some(({ url }) => url === reference.url)) this.modules.push(reference)
  }
}

/** A module as a worker is told of it: nodes that do not have it get it packed. */
function needed(runtime: ProcessRuntime, { url }: ModuleReference, env: RuntimeEnv | undefined): NeededModule {
  const file = originalOf(url) ?? url
  const { source } = file.startsWith('file:')
    ? carry(runtime, moduleExport(file, 'default'), env).definition
    : { source: undefined }
  return describeModule(url, source?.kind === 'module' ? source.pack : undefined)
}

/** Refuses what is certain to be lost; says once what may be. */
function judge(runtime: ProcessRuntime, fn: Function, name: string, caller: string): 'ship' | 'maybe' {
  const { verdict, reasons } = analyse(fn)
  const lost = reasons.filter((reason) => reason.verdict === 'keep')
  if (lost.length > 0) {
    throw new FunctionCaptureError(
      `${caller}(${name}): ${lost.map(({ message }) => message).join('; ')}. Return the new value instead.`,
      { details: { function: name, reasons: lost.map(({ message }) => message) } },
    )
  }
  if (verdict !== 'ship') warn(runtime, name, caller, reasons)
  return verdict === 'ship' ? 'ship' : 'maybe'
}

/** Reasons that a user is told of without asking. */
const told: ReadonlySet<ReasonKind> = new Set(['change', 'changing', 'set-up'])
const warned = new Set<string>()
const maxWarnings = 1000

function warn(runtime: ProcessRuntime, name: string, caller: string, reasons: readonly Reason[]): void {
  const about = reasons.filter(({ kind, variable }) => told.has(kind) || (kind === 'unknown' && variable !== undefined))
  const [first] = about
  if (first === undefined || warned.size >= maxWarnings) return
  const text = `${caller}(${name}): ${about.map(({ message }) => message).join('; ')}`
  if (warned.has(text)) return
  warned.add(text)
  runtime.host.warn([text, ...hintsFor(new Set(about.map(({ kind }) => kind)))].join('; '))
}

function hintsFor(kinds: ReadonlySet<ReasonKind>): string[] {
  const hints: string[] = []
  if (kinds.has('change') || kinds.has('unknown'))
    hints.push('a change is lost when the call ends (OUTPOOL_CHECK=1 tells when one is)')
  else if (kinds.has('changing')) hints.push('each call has what it is at that moment')
  if (kinds.has('set-up'))
    hints.push(
      'a worker has it as the package makes it: set it up there, too, in the function or an initializer, or give the function by its module (moduleFunction)',
    )
  return hints
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}
