/** What `runtime/code` reads of a value: the parts of functions, classes and instances. */
import { Pending, type PartReader } from '../protocol/code-values.ts'
import type { Unwalk } from './decode-kinds.ts'

export class PartsReader implements PartReader {
  readonly #unwalk: Unwalk
  readonly #objects: unknown[]
  readonly #after: (() => void)[] = []
  #handedOut = false

  constructor(unwalk: Unwalk, objects: unknown[]) {
    this.#unwalk = unwalk
    this.#objects = objects
  }

  count(): number {
    return this.#unwalk.reader.varint()
  }

  text(): string {
    return this.#unwalk.readText()
  }

  value(): unknown {
    return this.#unwalk.read()
  }

  add(value: object): void {
    this.#unwalk.add(value)
  }

  reserve(): Pending {
    return this.#unwalk.add(new Pending())
  }

  fill(pending: Pending, value: object): void {
    pending.value = value
    this.#objects[this.#objects.lastIndexOf(pending)] = value
  }

  finally(then: () => void): void {
    this.#after.push(then)
  }

  /** Something in the value holds what stands for an object that was not made yet. */
  handedOut(): void {
    this.#handedOut = true
  }

  /** The value is read: what was put off is done. */
  finish(objects: readonly unknown[]): void {
    if (this.#handedOut) for (const object of objects) settle(object)
    for (const then of this.#after) then()
  }
}

/** Puts what was made in the place of what stood for it. */
function settle(object: unknown): void {
  if (object instanceof Map) {
    // Its class may have methods of its own by these names.
    for (const [key, value] of Map.prototype.entries.call(object) as Iterable<[unknown, unknown]>)
      if (value instanceof Pending) Map.prototype.set.call(object, key, value.value)
    return
  }
  if (object instanceof Set) {
    const items = [...(Set.prototype.values.call(object) as Iterable<unknown>)]
    if (!items.some((item) => item instanceof Pending)) return
    Set.prototype.clear.call(object)
    for (const item of items) Set.prototype.add.call(object, item instanceof Pending ? item.value : item)
    return
  }
  if (typeof object !== 'object' || object === null || ArrayBuffer.isView(object)) return
  for (const key of Object.keys(object)) {
    const value = Object.getOwnPropertyDescriptor(object, key)?.value as unknown
    if (value instanceof Pending) (object as Record<string, unknown>)[key] = value.value
  }
}
