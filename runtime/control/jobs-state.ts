/**
 * Which jobs run, pure. A job is named by its driver's incarnation and reported by the node that is the driver's home;
 * it ends when that node says so, or with that node. Every end is told to all other nodes, which then end the job's
 * workers and free its objects.
 *
 *      jobStart ──▶ running ──▶ jobEnd, or the home node died ──▶ gone (told to the nodes)
 */
import type { NodeId, ProcessId } from '../base/ids.ts'

export interface JobRow {
  readonly job: ProcessId
  /** The driver's home node. */
  readonly node: NodeId
  readonly info: Readonly<Record<string, unknown>>
}

export type JobsInstruction =
  | { readonly kind: 'save'; readonly row: JobRow }
  | { readonly kind: 'forget'; readonly job: ProcessId }
  /** Told to every linked node but `except`, which knows. */
  | { readonly kind: 'tellEnd'; readonly job: ProcessId; readonly reason: string; readonly except: NodeId | undefined }

export class JobsState {
  readonly #jobs: Map<ProcessId, JobRow>

  constructor(saved: Iterable<JobRow> = []) {
    this.#jobs = new Map([...saved].map((row) => [row.job, row]))
  }

  get size(): number {
    return this.#jobs.size
  }

  start(row: JobRow): JobsInstruction[] {
    this.#jobs.set(row.job, row)
    return [{ kind: 'save', row }]
  }

  /** `from`: the node that said so. Told even when the job is unknown here: it may have begun while the head was away. */
  end(job: ProcessId, reason: string, from: NodeId | undefined): JobsInstruction[] {
    const known = this.#jobs.delete(job)
    const tell: JobsInstruction = { kind: 'tellEnd', job, reason, except: from }
    return known ? [{ kind: 'forget', job }, tell] : [tell]
  }

  /**
   * A node has registered, and is the home of these: other jobs of which it was the home ended unheard, and those that
   * are not known began on a head whose tables were lost.
   */
  homesHeld(node: NodeId, homes: readonly ProcessId[]): JobsInstruction[] {
    const held = new Set(homes)
    const over = [...this.#jobs.values()].filter((row) => row.node === node && !held.has(row.job))
    const begun = homes.filter((job) => !this.#jobs.has(job))
    return [
      ...over.flatMap((row) => this.end(row.job, 'its home does not know it any more', node)),
      ...begun.flatMap((job) => this.start({ job, node, info: {} })),
    ]
  }

  /** Those that are over: a job is known here before its driver does anything. */
  overOf(jobs: readonly ProcessId[]): ProcessId[] {
    return jobs.filter((job) => !this.#jobs.has(job))
  }

  nodeDown(node: NodeId, reason: string): JobsInstruction[] {
    const out: JobsInstruction[] = []
    for (const row of this.#jobs.values())
      if (row.node === node) out.push(...this.end(row.job, `node ${node} of its driver died: ${reason}`, node))
    return out
  }
}
