/** What an `ObjectPuller` and those who serve it use of a store; values themselves take another way in the simulation. */
import type { ObjectReading, ObjectStore, ObjectWriter } from '../../runtime/objects/store.ts'
import { demand } from './checks.ts'
import { type Content, describeContent, originOf } from './contents.ts'

export abstract class PullStore implements ObjectStore {
  abstract create(key: string, sizeBytes: number): Promise<ObjectWriter>
  abstract open(key: string): Promise<ObjectReading>
  abstract delete(key: string): Promise<void>
  abstract sizeOf(key: string): number | undefined

  has(key: string): boolean {
    return this.sizeOf(key) !== undefined
  }

  size(key: string, _expected?: boolean): Promise<number | undefined> {
    return Promise.resolve(this.sizeOf(key))
  }

  contains(key: string): Promise<boolean> {
    return Promise.resolve(this.has(key))
  }

  put(): Promise<never> {
    return otherwise()
  }

  get(): Promise<never> {
    return otherwise()
  }

  read(): Promise<never> {
    return otherwise()
  }

  deleteOwnedBy(): Promise<never> {
    return otherwise()
  }

  close(): Promise<never> {
    return otherwise()
  }
}

/** A copy that arrives in chunks: each has to be what belongs there, and all of them of one making. */
export class Arriving implements ObjectWriter {
  readonly sizeBytes: number
  readonly #key: string
  readonly #seal: (content: Content) => void
  readonly #abort: () => void
  #content: Content | undefined
  #arrivedBytes = 0
  #over = false

  constructor(key: string, sizeBytes: number, seal: (content: Content) => void, abort: () => void) {
    this.#key = key
    this.sizeBytes = sizeBytes
    this.#seal = seal
    this.#abort = abort
  }

  write(chunk: Uint8Array, offset: number): Promise<void> {
    const { content, offset: from } = originOf(chunk) ?? {}
    this.#content ??= content
    const right = content?.key === this.#key && from === offset && offset === this.#arrivedBytes
    const found = content === undefined ? 'nothing of a value' : `byte ${from} of ${describeContent(content)}`
    demand(right, 'right-bytes', () => `byte ${offset} of ${this.#key} is ${found}`)
    demand(content === this.#content, 'one-making', () => `${this.#key} is put together from two makings`)
    this.#arrivedBytes += chunk.length
    return Promise.resolve()
  }

  seal(): Promise<void> {
    const content = this.#content
    const whole = this.#arrivedBytes === this.sizeBytes && content?.sizeBytes === this.sizeBytes
    demand(whole, 'right-bytes', () => `${this.#arrivedBytes} of ${this.sizeBytes} bytes of ${this.#key} are sealed`)
    if (!this.#over) this.#seal(content as Content)
    this.#over = true
    return Promise.resolve()
  }

  abort(): Promise<void> {
    if (!this.#over) this.#abort()
    this.#over = true
    return Promise.resolve()
  }
}

function otherwise(): Promise<never> {
  return Promise.reject(new Error('values of the simulation take another way'))
}
