/** Calls with one reader, which is told by a promise or as a listener, and of which nobody has a ref. */
import type { ObjectNumber } from '../base/ids.ts'
import type { OwnerHost } from './host.ts'
import type { Borrow } from './object-access.ts'
import {
  BorrowingReader,
  type CallListener,
  ListenerReader,
  PromiseReader,
  type ReaderContext,
  SoleReader,
} from './sole-reader.ts'
import type { Submission } from './submission.ts'
import type { SubmitState } from './submit-state.ts'
import type { TaskTemplate } from './submit-types.ts'
import { slotOf, type TaskTable } from './task-table.ts'

export interface CallParts {
  readonly host: OwnerHost
  readonly table: TaskTable
  readonly submission: Submission
  readonly state: SubmitState
  readonly readers: ReaderContext
}

type Heard = (value: unknown) => void

export class Calls {
  readonly #parts: CallParts
  /** Who hears what a running task says before its end, by the task's number. */
  readonly #hearing = new Map<number, Heard>()

  constructor(parts: CallParts) {
    this.#parts = parts
  }

  /** Those who may hear something. */
  get size(): number {
    return this.#hearing.size
  }

  hearing(number: number): Heard | undefined {
    return this.#hearing.get(number)
  }

  run(
    template: TaskTemplate,
    args: readonly unknown[],
    started: ((number: number) => void) | undefined,
    heard: Heard | undefined,
    borrow: Borrow | undefined,
  ): Promise<unknown> {
    const leave = this.#parts.host.enterWait()
    const left = heard === undefined ? leave : (): void => this.#heardAll(reader, leave)
    const { readers } = this.#parts
    const reader: PromiseReader =
      borrow === undefined ? new PromiseReader(readers, left) : new BorrowingReader(readers, left, borrow)
    try {
      const number = this.#start(template, args, reader, heard)
      started?.(number)
    } catch (error) {
      reader.failed(error)
    }
    return reader.promise
  }

  /** Returns the number of the call. Throws when it was not submitted. */
  tell(template: TaskTemplate, args: readonly unknown[], listener: CallListener): number {
    const { heard } = listener
    const leave = this.#parts.host.enterWait()
    const left = heard === undefined ? leave : (): void => this.#heardAll(reader, leave)
    const reader: ListenerReader = new ListenerReader(this.#parts.readers, left, listener)
    return this.#start(template, args, reader, heard)
  }

  /**
   * Whether the worker of one's own that the template is for would get one more call at once, which `takeBack` could
   * have back.
   */
  takesAhead(template: TaskTemplate): boolean {
    return this.#parts.state.takesAhead(template)
  }

  /** Has a call back that has not started: its reader hears nothing more. False when it has, or may have. */
  takeBack(number: ObjectNumber): boolean {
    const { table, state, submission } = this.#parts
    const reader = table.page(number)?.slot[slotOf(number)]
    if (!(reader instanceof SoleReader) || !state.takeBack(number)) return false
    table.at(number).slot[slotOf(number)] = undefined
    reader.leave()
    submission.finish(number, undefined)
    return true
  }

  /** Raises the signal of a call, which goes on and answers as any other. False when it is over, or at no worker. */
  raise(number: ObjectNumber): boolean {
    return this.#parts.state.raise(number)
  }

  #heardAll({ number }: SoleReader, leave: () => void): void {
    this.#hearing.delete(number)
    leave()
  }

  #start(template: TaskTemplate, args: readonly unknown[], reader: SoleReader, heard: Heard | undefined): number {
    const { table, submission } = this.#parts
    try {
      const number = submission.start(template, args, false, reader)
      // Where its worker is gone it has ended by now.
      if (heard !== undefined && table.has(number)) this.#hearing.set(number, heard)
      return number
    } catch (error) {
      reader.leave()
      throw error
    }
  }
}
