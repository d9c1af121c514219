/**
 * Lineage: which specs of finished tasks are kept, so that what they made can be made again. Pure.
 *
 * A spec is kept while one of its *stored* results (inline ones lie with their owner and cannot be lost) is held by
 * somebody, or is an argument of another spec that is kept:
 *
 *     a = f()          spec f: kept for a
 *     b = g(a)         spec g: kept for b;  a is *used* by g
 *     a is dropped     a's bytes are freed; spec f stays, because g may need a again
 *     b is dropped     spec g goes, so a is used by nobody, so spec f goes
 *
 * Whoever is asked to keep more than `maxBytes` lets go of the oldest specs first. What they made stays where it is; it
 * cannot be made again. A spec that runs again is never let go of meanwhile.
 *
 * A cascade of any length is a list here, not a recursion; what an instruction leads to may call back at once.
 */
import { invariant } from '../base/invariant.ts'
import type { ObjectNumber, TaskNumber } from '../base/ids.ts'

export interface LineageEffects {
  /** The spec is not kept any more: let go of its bytes, its pins, and those of its results to which nobody refers. */
  forget(task: TaskNumber): void
}

interface Spec {
  readonly results: readonly ObjectNumber[]
  /** Arguments that other kept specs made; one that is passed twice counts twice. */
  readonly uses: readonly ObjectNumber[]
  readonly sizeBytes: number
  isRunning: boolean
}

interface Result {
  readonly task: TaskNumber
  isHeld: boolean
  /** Kept specs that have it as an argument. */
  uses: number
}

export class LineageState {
  readonly #maxBytes: number
  readonly #effects: LineageEffects
  /** In the order in which they came. */
  readonly #specs: Map<TaskNumber, Spec> = new Map<TaskNumber, Spec>()
  readonly #results: Map<ObjectNumber, Result> = new Map<ObjectNumber, Result>()
  /** Specs that lost a reason to be kept. */
  readonly #doubtful: TaskNumber[] = []
  #isTidying = false
  /** Of all specs that are kept. */
  heldBytes = 0
  /** Specs that were let go of for want of room. */
  evicted = 0

  constructor(maxBytes: number, effects: LineageEffects) {
    this.#maxBytes = maxBytes
    this.#effects = effects
  }

  /** Specs that are kept. */
  get size(): number {
    return this.#specs.size
  }

  has(task: TaskNumber): boolean {
    return this.#specs.has(task)
  }

  /** The kept spec that makes this object. */
  makerOf(number: ObjectNumber): TaskNumber | undefined {
    return this.#results.get(number)?.task
  }

  /**
   * A task has finished. `results` are its stored ones, each held at this moment; `args` its arguments, of which those
   * count that kept specs make.
   */
  keep(task: TaskNumber, results: readonly ObjectNumber[], args: readonly ObjectNumber[], sizeBytes: number): void {
    invariant(!this.#specs.has(task), `the spec of task ${task} is kept already`)
    const uses: ObjectNumber[] = []
    for (const number of args) {
      const result = this.#results.get(number)
      if (result === undefined) continue
      result.uses++
      uses.push(number)
    }
    this.#specs.set(task, { results, uses, sizeBytes, isRunning: false })
    for (const number of results) this.#results.set(number, { task, isHeld: true, uses: 0 })
    this.heldBytes += sizeBytes
    this.#makeRoom()
    this.#tidy()
  }

  /** Nobody refers to the object any more. It may be that a spec needs it: then its number stays until `forget`. */
  unheld(number: ObjectNumber): void {
    const result = this.#results.get(number)
    if (result === undefined) return
    result.isHeld = false
    this.#doubtful.push(result.task)
    this.#tidy()
  }

  /** The task runs again: its spec stays until `ran`. */
  runs(task: TaskNumber): void {
    const spec = this.#specs.get(task)
    invariant(spec !== undefined && !spec.isRunning, `task ${task} runs again without a spec, or twice`)
    spec.isRunning = true
  }

  /** It has run, whatever came of it. */
  ran(task: TaskNumber, isHeld: (number: ObjectNumber) => boolean): void {
    const spec = this.#specs.get(task)
    invariant(spec?.isRunning === true, `task ${task} has run again, and did not run`)
    spec.isRunning = false
    for (const number of spec.results) (this.#results.get(number) as Result).isHeld = isHeld(number)
    this.#doubtful.push(task)
    this.#makeRoom()
    this.#tidy()
  }

  /** Everything is let go of, without a word: the process ends. */
  clear(): void {
    this.#specs.clear()
    this.#results.clear()
    this.heldBytes = 0
  }

  validate(): void {
    let bytes = 0
    const uses = new Map<ObjectNumber, number>()
    for (const [task, spec] of this.#specs) {
      bytes += spec.sizeBytes
      invariant(this.#isNeeded(spec), `the spec of task ${task} is kept for nothing`)
      for (const number of spec.uses) uses.set(number, (uses.get(number) ?? 0) + 1)
      for (const number of spec.results)
        invariant(this.#results.get(number)?.task === task, `result ${number} of task ${task} is not known`)
    }
    invariant(bytes === this.heldBytes, `specs have ${bytes} bytes, and ${this.heldBytes} are counted`)
    for (const [number, result] of this.#results) {
      invariant(this.#specs.has(result.task), `object ${number} is known without the spec that makes it`)
      const used = uses.get(number) ?? 0
      invariant(result.uses === used, `object ${number} is used ${used} times, and ${result.uses} are counted`)
    }
  }

  #isNeeded(spec: Spec): boolean {
    if (spec.isRunning) return true
    for (const number of spec.results) {
      const result = this.#results.get(number)
      if (result !== undefined && (result.isHeld || result.uses > 0)) return true
    }
    return false
  }

  #makeRoom(): void {
    if (this.heldBytes <= this.#maxBytes) return
    for (const [task, spec] of this.#specs) {
      if (spec.isRunning) continue
      this.evicted++
      this.#remove(task, spec)
      if (this.heldBytes <= this.#maxBytes) return
    }
  }

  #tidy(): void {
    if (this.#isTidying) return
    this.#isTidying = true
    for (let task = this.#doubtful.pop(); task !== undefined; task = this.#doubtful.pop()) {
      const spec = this.#specs.get(task)
      if (spec !== undefined && !this.#isNeeded(spec)) this.#remove(task, spec)
    }
    this.#isTidying = false
  }

  #remove(task: TaskNumber, spec: Spec): void {
    this.#specs.delete(task)
    this.heldBytes -= spec.sizeBytes
    for (const number of spec.results) this.#results.delete(number)
    for (const number of spec.uses) {
      const result = this.#results.get(number)
      // The spec that made it may have been let go of before.
      if (result === undefined) continue
      result.uses--
      if (result.uses === 0 && !result.isHeld) this.#doubtful.push(result.task)
    }
    this.#effects.forget(task)
  }
}
