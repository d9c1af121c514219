/**
 * Functions that captured variables, at the worker: their texts and captures by the link that they came by, and the
 * function made of them for a call. Each call has variables of its own, unless it is known to leave them as they are.
 */
import { ProtocolError } from '../base/errors.ts'
import { areLoaded, loadModules } from '../code/captures/loaded-modules.ts'
import { codeCodec } from '../code/captures/send-code.ts'
import type { LoadedFunction, LocateModule } from '../code/load.ts'
import { decodeCompact, expand } from '../objects/compact.ts'
import { decodeValue, type RefCodec } from '../objects/value.ts'
import { readFlags, unpackCaptures, type CaptureFacts, type Captures } from '../owner/captured-format.ts'
import { refTupleOf } from '../owner/refs.ts'
import type { RefTuple } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import { watchCaptures } from './lost-changes.ts'

interface HeldPart {
  readonly bytes: Uint8Array
  captures: Captures | undefined
  /** Made before, of a function that leaves it as it is. */
  fn: LoadedFunction | undefined
}

/** What a task needs of what its link had been sent when it came. */
export interface Held {
  readonly facts: CaptureFacts
  readonly part: HeldPart | undefined
  readonly texts: readonly HeldPart[]
}

export interface CapturedPorts {
  readonly refCodec: RefCodec
  readonly locate: LocateModule
  warn(text: string): void
}

export class CapturedFunctions {
  readonly #ports: CapturedPorts
  readonly #byLink = new WeakMap<Link, Map<number, HeldPart>>()

  constructor(ports: CapturedPorts) {
    this.#ports = ports
  }

  add(link: Link, number: number, bytes: Uint8Array): void {
    let parts = this.#byLink.get(link)
    if (parts === undefined) this.#byLink.set(link, (parts = new Map<number, HeldPart>()))
    // A copy: the bytes are a piece of what was read from the link.
    parts.set(number, { bytes: new Uint8Array(bytes), captures: undefined, fn: undefined })
  }

  drop(link: Link, number: number): void {
    this.#byLink.get(link)?.delete(number)
  }

  /** Parts that came by this link and were not dropped. */
  countOf(link: Link): number {
    return this.#byLink.get(link)?.size ?? 0
  }

  /** `first`: the first argument of a task that has just come by the link. */
  hold(link: Link, first: Uint8Array): Held {
    const numbers = decodeCompact(first) as readonly number[]
    const parts = this.#byLink.get(link)
    const partOf = (number: number): HeldPart => {
      const part = parts?.get(number)
      if (part === undefined) throw new ProtocolError(`a call names part ${number}, which was not sent on this link`)
      return part
    }
    const [flags = 0, own = 0, ...texts] = numbers
    return { facts: readFlags(flags), part: own === 0 ? undefined : partOf(own), texts: texts.map(partOf) }
  }

  /** Calls `use` with the function; later, where modules have to be loaded first. `args`: all of the task's. */
  with(
    held: Held,
    args: readonly unknown[],
    register: (refs: readonly RefTuple[]) => void,
    use: (fn: LoadedFunction, args: readonly unknown[]) => unknown,
  ): unknown {
    const part = held.part ?? { bytes: args[1] as Uint8Array, captures: undefined, fn: undefined }
    const rest = args.slice(2)
    const captures = (part.captures ??= unpackCaptures(part.bytes))
    const call = (): unknown => {
      const fn = this.#make(held, part, captures, register)
      return held.facts.isChecked ? watchCaptures(fn, this.#ports, () => use(fn, rest)) : use(fn, rest)
    }
    if (areLoaded(captures.modules)) return call()
    return loadModules(captures.modules, this.#ports.locate).then(call)
  }

  #make(held: Held, part: HeldPart, captures: Captures, register: (refs: readonly RefTuple[]) => void): LoadedFunction {
    const { isReusable, isChecked } = held.facts
    if (part.fn !== undefined) return part.fn
    const encoded = expand(captures.value)
    if (encoded.refs.length > 0) register(encoded.refs.map(refTupleOf))
    const textOf = (number: number): string => Buffer.from((held.texts[number] as HeldPart).bytes).toString()
    const fn = decodeValue(encoded, { ...this.#ports.refCodec, code: codeCodec(undefined, textOf, true) })
    if (typeof fn !== 'function') throw new ProtocolError('the captures of a call are of no function')
    if (isReusable && !isChecked) part.fn = fn as LoadedFunction
    return fn as LoadedFunction
  }
}
