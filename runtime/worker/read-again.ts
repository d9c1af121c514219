/**
 * Large arguments that several tasks of one worker read. Each read of a stored value is a private map of its own, since
 * a task may write into what it got; and V8, which counts what is mapped, collects garbage about every 64 MiB of it. A
 * task whose function certainly does nothing with an argument but read numbers out of it (code/analysis/reads-only.ts)
 * may get what another such task has got before: nobody can tell the difference.
 *
 * Nothing is held for that: the value is there until it is collected, as it would be anyhow.
 */
import { BoundedMap } from '../base/bounded-map.ts'
import { onlyReads } from '../code/analysis/reads-only.ts'
import type { LoadedFunction } from '../code/load.ts'
import { objectKey } from '../base/ids.ts'
import type { ObjectAccess, RegisterRefs } from '../owner/object-access.ts'
import type { CallMode } from '../owner/template.ts'
import type { Attachment } from '../protocol/messages.ts'

/** What is known of a function: its template in this worker. */
interface Known {
  readonly body: { readonly mode: CallMode }
  readonly fn?: LoadedFunction | undefined
}

/** Smaller values are read again. */
const leastBytes = 1024 * 1024
/** Values that are remembered. */
const mostValues = 64

const plain: ReadonlySet<object> = new Set<object>(
  [Float64Array, Float32Array, Int32Array, Uint32Array, Int16Array, Uint16Array, Int8Array, Uint8Array].map(
    ({ prototype }) => prototype,
  ),
)

function isPlain(mode: CallMode): boolean {
  return mode === 'call' || mode === 'exact'
}

export class ReadAgain {
  readonly #access: () => ObjectAccess
  readonly #reads = new WeakMap<LoadedFunction, readonly boolean[]>()
  readonly #values = new BoundedMap<string, WeakRef<object>>(mostValues)

  constructor(access: () => ObjectAccess) {
    this.#access = access
  }

  /** The value of an argument. Without a template, the function is made anew for each call. */
  value(template: Known | undefined, index: number, attachment: Attachment, register: RegisterRefs): unknown {
    const [ref, outcome] = attachment
    const isLarge = outcome[0] === 'stored' && outcome[1] >= leastBytes
    if (!isLarge || template?.fn === undefined || !isPlain(template.body.mode) || !this.#onlyReads(template.fn, index))
      return this.#access().decode(ref, outcome, register)
    const key = objectKey({ owner: ref[0], number: ref[1] })
    return this.#values.get(key)?.deref() ?? this.#bring(key, attachment, register)
  }

  async #bring(key: string, [ref, outcome]: Attachment, register: RegisterRefs): Promise<unknown> {
    const value = await this.#access().decode(ref, outcome, register)
    if (ArrayBuffer.isView(value) && plain.has(Object.getPrototypeOf(value) as object))
      this.#values.set(key, new WeakRef(value))
    return value
  }

  #onlyReads(fn: LoadedFunction, index: number): boolean {
    let reads = this.#reads.get(fn)
    if (reads === undefined) this.#reads.set(fn, (reads = onlyReads(Function.prototype.toString.call(fn))))
    return reads[index] === true
  }
}
