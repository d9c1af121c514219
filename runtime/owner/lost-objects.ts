/** Lineage and recovery of an owner, put together. */
import type { NodeId } from '../base/ids.ts'
import type { AnswerContext } from './answers.ts'
import { Lineage, type LineageParts } from './lineage.ts'
import { Recovery, type RecoveryParts } from './recovery.ts'
import type { Submission } from './submission.ts'
import type { SubmitState } from './submit-state.ts'

export type LostParts = Omit<LineageParts, 'self' | 'tasks' | 'maxBytes'> &
  Omit<RecoveryParts, 'lineage' | 'submit' | 'isHeld' | 'rerun'> & {
    readonly submission: Submission
    readonly state: SubmitState
    /** Bytes of specs that are kept. */
    readonly maxLineageBytes: number | undefined
  }

export class LostObjects {
  readonly lineage: Lineage
  readonly recovery: Recovery
  readonly #parts: LostParts

  constructor(parts: LostParts) {
    this.#parts = parts
    const { submission, state, values, host, maxLineageBytes } = parts
    const tasks = { templateOf: state.templateOf.bind(state), classAt: state.classAt.bind(state) }
    this.lineage = new Lineage({ ...parts, tasks, self: host.self, maxBytes: maxLineageBytes })
    this.recovery = new Recovery({
      ...{ ...parts, submit: tasks, lineage: this.lineage, isHeld: (number) => values.isHeld(number) },
      rerun: (task, spec) => submission.rerun(task, spec, this.lineage.slab),
    })
  }

  /** What answers of workers lead to here. */
  answers(): Pick<AnswerContext, 'untaken' | 'settle' | 'settleInline' | 'keepSpec' | 'takes' | 'argumentsLost'> {
    const { objects, values, submission } = this.#parts
    const { recovery, lineage } = this
    return {
      settle: (number, index, outcome) => recovery.settle(number + index, outcome),
      settleInline(number, bytes) {
        if (recovery.state.isIdle) objects.settleInline(number, bytes, values.isHeld(number))
        else recovery.settle(number, ['inline', bytes])
      },
      keepSpec: (number, results) => lineage.keep(number, results, submission),
      untaken: (number, node) => values.frees.untaken(number, node),
      takes: (number) => recovery.takes(number),
      argumentsLost: (number, error) => submission.waits.lost(number, error),
    }
  }

  /** `leases`: what becomes of the tasks that ran there. They see the directory without that node. */
  nodeDead(node: NodeId, reason: string, leases: () => void): void {
    this.recovery.nodeDead(node, reason)
    leases()
    this.#parts.submission.waits.nodeDead(node)
  }

  close(): void {
    this.lineage.clear()
    this.recovery.clear()
  }

  tableSizes(): { readonly lineage: number; readonly recoveries: number } {
    return { lineage: this.lineage.size, recoveries: this.recovery.size }
  }
}
