/** Workers of one's own that have not ended: whom to tell, and which templates end with them. */
import type { ResourceUnits } from '../protocol/messages.ts'
import type { SubmitState } from './submit-state.ts'
import type { Failure } from './submit-types.ts'

interface Pinned {
  readonly ended: (how: Failure) => void
  readonly templates: number[]
}

export class PinnedClasses {
  readonly #classes = new Map<number, Pinned>()

  get size(): number {
    return this.#classes.size
  }

  /** Asks for the worker at once; `ended` is called once, when it is gone or cannot be had. */
  open(state: SubmitState, resources: ResourceUnits, environment: string, ended: (how: Failure) => void): number {
    const classIndex = state.defineClass({ kind: 'pinned', resources, strategy: null, priority: 0, environment })
    this.#classes.set(classIndex, { ended, templates: [] })
    state.openPinned(classIndex)
    return classIndex
  }

  /** Ends the worker: after what it runs, or now. What is queued fails. */
  close(state: SubmitState, classIndex: number, reason: string, now: boolean): void {
    if (this.#classes.has(classIndex)) state.closePinned(classIndex, reason, now)
  }

  /** A template that is of no use without that worker, if it is one of these. */
  add(classIndex: number, template: number): void {
    this.#classes.get(classIndex)?.templates.push(template)
  }

  /** It is over; `forget` is told its templates. */
  ended(classIndex: number, how: Failure, forget: (template: number) => void): void {
    const pinned = this.#classes.get(classIndex)
    this.#classes.delete(classIndex)
    for (const template of pinned?.templates ?? []) forget(template)
    pinned?.ended(how)
  }
}
