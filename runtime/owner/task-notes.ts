/**
 * What happened to tasks, for people: the story of those that had one (recalled, retried, fenced, cancelled), and how
 * many ran where. Nothing is decided by it.
 */
import type { NodeId } from '../base/ids.ts'
import type { Grant, StoryEvent } from './submit-types.ts'

/** Tasks that this process submitted and that ended, by the node that ran them. */
export interface NodeCount {
  tasks: number
}

/** The last events of one task that are kept. */
const storyLength = 20

export class TaskNotes {
  readonly #stories = new Map<number, string[]>()
  readonly byNode: Map<NodeId, NodeCount> = new Map<NodeId, NodeCount>()
  /** Attempts beyond the first. */
  retried = 0
  /** Tasks that ran again because a result of theirs was lost. */
  rebuilt = 0
  recalled = 0
  fenced = 0
  settledTasks = 0

  get size(): number {
    return this.#stories.size
  }

  add(number: number, event: StoryEvent, grant: Grant | undefined): void {
    if (event === 'retried') this.retried++
    else if (event === 'rebuilt') this.rebuilt++
    else if (event === 'recalled' || event === 'returned') this.recalled++
    else if (event === 'fenced') {
      // Its task has settled: there is nobody left to tell.
      this.fenced++
      return
    }
    let story = this.#stories.get(number)
    if (story === undefined) this.#stories.set(number, (story = []))
    story.push(
      grant === undefined ? event : `${event} at worker ${grant.worker} (pid ${grant.pid}) of node ${grant.node}`,
    )
    if (story.length > storyLength) story.shift()
  }

  of(number: number): readonly string[] {
    return this.#stories.get(number) ?? []
  }

  settled(number: number, node: NodeId | undefined): void {
    this.settledTasks++
    if (this.#stories.size > 0) this.#stories.delete(number)
    if (node === undefined) return
    const count = this.byNode.get(node)
    if (count === undefined) this.byNode.set(node, { tasks: 1 })
    else count.tasks++
  }
}
