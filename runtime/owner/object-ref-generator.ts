/** What consumes a remote generator: item by item, as refs or as values. */
import { inspect } from 'node:util'
import type { ObjectNumber } from '../base/ids.ts'
import { staysHere } from '../protocol/code-values.ts'
import type { ProcessRuntime } from './current.ts'
import type { OwnedGenerator } from './generators.ts'
import { ObjectRef } from './object-ref.ts'

/** Whoever drops a generator without having come to its end takes no more of it. */
const registry = new FinalizationRegistry<OwnedGenerator>((owned) => owned.close())

let ownedOf: (reader: object) => OwnedGenerator | undefined

/** The order of `next()`s is that of the items, also when they are called without waiting for one another. */
abstract class ItemReader<Item, R> {
  readonly #owned: OwnedGenerator
  #over = false

  constructor(owned: OwnedGenerator) {
    this.#owned = owned
    registry.register(this, owned, owned)
  }

  static {
    ownedOf = (reader) => (#owned in reader ? reader.#owned : undefined)
    Object.defineProperty(this.prototype, staysHere, {
      value:
        'gives its items in this process alone; pass refs that it gave, or call the remote generator inside the task',
    })
  }

  /** The item, held once for it. */
  protected abstract convert(number: ObjectNumber): Item | Promise<Item>

  /**
   * The next item, when it is there. After the last one `done` is true and `value` what the generator returned; where it
   * threw, this rejects with what it threw.
   */
  next(): Promise<IteratorResult<Item, R>> {
    const number = this.#over ? undefined : this.#owned.take()
    if (number !== undefined) return this.#item(number)
    if (this.#over || this.#owned.ended) return this.#end()
    return new Promise((resolve) => {
      this.#owned.wait(() => {
        const came = this.#over ? undefined : this.#owned.take()
        resolve(came === undefined ? this.#end() : this.#item(came))
      })
    })
  }

  /** Takes no more: the remote generator is cancelled, what was not taken is freed. `break` in a loop does this. */
  return(value?: R | PromiseLike<R>): Promise<IteratorResult<Item, R>> {
    this.#close()
    return Promise.resolve(value).then((settled) => ({ done: true, value: settled as R }))
  }

  /** As `return`; rejects with `error`. */
  throw(error: unknown): Promise<IteratorResult<Item, R>> {
    this.#close()
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- it is the caller's
    return Promise.reject(error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** For `await using`: as `return`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #close(): void {
    this.#over = true
    registry.unregister(this.#owned)
    this.#owned.read()
    this.#owned.close()
  }

  async #item(number: ObjectNumber): Promise<IteratorResult<Item, R>> {
    return { done: false, value: await this.convert(number) }
  }

  async #end(): Promise<IteratorResult<Item, R>> {
    if (this.#over) return { done: true, value: undefined as R }
    this.#over = true
    registry.unregister(this.#owned)
    return { done: true, value: (await this.#owned.result()) as R }
  }
}

/**
 * The items of a remote generator as refs, in their order, each as soon as it is there: an async iterable. The generator
 * runs ahead of its consumer, by 64 items (up to 1,024 where that has to wait for more) or 64 MiB, and pauses then; its
 * CPU is lent meanwhile. Who stops (`break`, `return()`, or by dropping it) cancels it. When its worker dies it is run
 * again, and what was delivered is skipped: it has to yield the same items again.
 *
 * @example
 * const count = remote(function* (to: number) {
 *   for (let i = 0; i < to; i++) yield i
 * })
 * for await (const ref of count.remote(3)) console.log(await ref.get())
 */
export class ObjectRefGenerator<T = unknown, R = unknown>
  extends ItemReader<ObjectRef<T>, R>
  implements AsyncIterableIterator<ObjectRef<T>>
{
  readonly #name: string
  readonly #runtime: ProcessRuntime

  /** Made by `remote()`. */
  constructor(owned: OwnedGenerator, name: string, runtime: ProcessRuntime) {
    super(owned)
    this.#name = name
    this.#runtime = runtime
  }

  static {
    // Defined from inside for the private fields; as a plain member its name could not stand in the declarations.
    Object.defineProperty(this.prototype, inspect.custom, {
      value(this: ObjectRefGenerator): string {
        return `ObjectRefGenerator<${this.#name}>`
      },
    })
  }

  protected override convert(number: ObjectNumber): ObjectRef<T> {
    const { node, process } = this.#runtime.host.self
    return new ObjectRef<T>([process, number, node], this.#name, this.#runtime)
  }
}

/** The items of a remote generator as values. Made by `run()`. */
export class ValueGenerator<T = unknown, R = unknown> extends ItemReader<T, R> implements AsyncIterableIterator<T> {
  readonly #runtime: ProcessRuntime

  constructor(owned: OwnedGenerator, runtime: ProcessRuntime) {
    super(owned)
    this.#runtime = runtime
  }

  protected override convert(number: ObjectNumber): Promise<T> {
    const { values, host } = this.#runtime.owner
    const { node, process } = host.self
    const value = values.get([process, number, node]) as Promise<T>
    // Who gets it holds it until it is there.
    values.release(process, number)
    return value
  }
}

/** What a remote generator is to its owner; undefined for anything else. */
export function ownedGenerator(value: unknown): OwnedGenerator | undefined {
  return typeof value === 'object' && value !== null ? ownedOf(value) : undefined
}
