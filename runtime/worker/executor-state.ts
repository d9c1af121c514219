/**
 * What a worker runs next. A *line* is one lease that this worker serves: the tasks that one owner pushed, in their
 * order. Pure: whether a task may start is asked of the claim page, running it is an instruction.
 *
 *     push --> 1 waiting --claimed--> 2 running --finished--> (gone)
 *                |   |                  |   ^
 *                |   +-- recalled       |   +-- resumed
 *                |       (skipped)      +-----> 3 blocked (awaits a `get`; its CPU is lent)
 *                +------ returned (its line is blocked, closing or over)
 *
 * - Tasks of one line start in the order in which they were pushed, one at a time.
 * - One task of the process runs unblocked at a time; a blocked one that resumes runs at once, beside it.
 * - When a task blocks, everything that waits behind it in its line goes back to the owner: it may be what the task
 *   waits for.
 * - Some tasks end the turn of the event loop: whatever waits behind them starts in a later one (`turned`).
 * - A line knows its epoch; what carries an older one than the newest of its owner's leases here is refused.
 */
import { invariant } from '../base/invariant.ts'
import { leaseWindow } from '../base/limits.ts'

export interface QueuedTask {
  readonly epoch: number
  readonly sequence: number
  /** Set once claimed. */
  state: 'waiting' | 'running' | 'blocked' | 'gone'
}

export interface ExecutorEffects<Task extends QueuedTask> {
  /** Run it; `finished` is called when it is over, perhaps before this returns. */
  run(task: Task): void
  /** These were not started and go back to their owner. */
  giveBack(epoch: number, sequences: readonly number[]): void
  /** Whether the function of that task is loaded; if not, `loaded` is called when it can be started. */
  isLoaded(task: Task): boolean
  load(task: Task): void
  /**
   * Tasks up to this one were passed over, as their owner has taken them back. Told of each `tellsOfEach`th since the last
   * that was started: a line has a window of `leaseWindow`, and its owner has to know when it moves.
   */
  passedOver?(epoch: number, sequence: number): void
  /** Nothing more can start now, or in the next turn. Called at the end of whatever may have started something. */
  rest(): void
  /** Calls `start` in a moment: what arrives until then starts with it. Absent: each task starts as it arrives. */
  soon?(start: () => void): void
  /**
   * Whether nothing behind that task, which has ended, starts in this turn; if so, `turned` is called in a later one.
   * Absent: no.
   */
  endsTurn?(task: Task): boolean
}

const tellsOfEach = leaseWindow / 4

interface Line<Task> {
  readonly epoch: number
  readonly waiting: Task[]
  /** Claimed and not finished, blocked ones included. */
  running: number
  blocked: number
  loading: boolean
  /** Passed over since one was started. */
  passed: number
  /** Waits for a later turn of the event loop. */
  turning: boolean
  closing: boolean
}

export class ExecutorState<Task extends QueuedTask> {
  readonly #effects: ExecutorEffects<Task>
  readonly #claim: (epoch: number, sequence: number) => boolean
  readonly #lines = new Map<number, Line<Task>>()
  #unblocked = 0
  #newestEpoch = 0
  #draining = false
  #startsSoon = false

  constructor(effects: ExecutorEffects<Task>, claim: (epoch: number, sequence: number) => boolean) {
    this.#effects = effects
    this.#claim = claim
  }

  /** Leases that are served, those among them that have work, and tasks that wait in them. */
  sizes(): { lines: number; busy: number; waiting: number } {
    let busy = 0
    let waiting = 0
    for (const line of this.#lines.values()) {
      if (line.running > 0 || line.waiting.length > 0) busy++
      waiting += line.waiting.length
    }
    return { lines: this.#lines.size, busy, waiting }
  }

  /**
   * A lease of this worker begins. Safe to call more than once, and after its first push. `others` are the leases that
   * it serves beside this one, as the node manager says: the lines of all other leases are over.
   */
  openLine(epoch: number, others?: readonly number[]): void {
    if (epoch > this.#newestEpoch) this.#newestEpoch = epoch
    for (const line of others === undefined ? [] : this.#lines.values()) {
      const over = line.epoch < epoch && others?.includes(line.epoch) !== true
      if (over && line.running === 0 && line.waiting.length === 0) this.#lines.delete(line.epoch)
    }
    if (this.#lines.has(epoch)) return
    const begun = { running: 0, blocked: 0, passed: 0, loading: false, turning: false, closing: false }
    this.#lines.set(epoch, { epoch, waiting: [], ...begun })
  }

  hasLine(epoch: number): boolean {
    return this.#lines.has(epoch)
  }

  /** A task arrives. Returns false when its lease is over: it must not be started, and nobody may wait for it here. */
  push(task: Task): boolean {
    let line = this.#lines.get(task.epoch)
    if (line === undefined) {
      if (task.epoch <= this.#newestEpoch) return false
      this.openLine(task.epoch)
      line = this.#lines.get(task.epoch) as Line<Task>
    }
    if (line.closing || line.blocked > 0) this.#effects.giveBack(task.epoch, this.#unclaimed([task]))
    else {
      line.waiting.push(task)
      this.#arrived()
    }
    return true
  }

  #arrived(): void {
    if (this.#effects.soon === undefined) return this.#drain()
    if (this.#startsSoon || this.#draining) return
    this.#startsSoon = true
    this.#effects.soon(() => {
      this.#startsSoon = false
      this.#drain()
    })
  }

  /** The function of the tasks at the head of a line is there now (or its load failed, which `run` will tell). */
  loaded(epoch: number): void {
    const line = this.#lines.get(epoch)
    if (line !== undefined) line.loading = false
    this.#drain()
  }

  /** The turn in which a task of the line ended is over. */
  turned(epoch: number): void {
    const line = this.#lines.get(epoch)
    if (line === undefined) return
    line.turning = false
    // The worker rested already where nothing waited.
    if (line.waiting.length > 0) this.#drain()
  }

  finished(task: Task): void {
    const line = this.#lines.get(task.epoch)
    invariant(task.state === 'running' || task.state === 'blocked', `a task that is ${task.state} finishes`)
    const wasBlocked = task.state === 'blocked'
    task.state = 'gone'
    if (!wasBlocked) this.#unblocked--
    if (line !== undefined) {
      line.running--
      if (wasBlocked) line.blocked--
      line.turning = this.#effects.endsTurn?.(task) === true
      if (line.closing && line.running === 0) this.#lines.delete(line.epoch)
    }
    this.#drain()
  }

  blocked(task: Task): void {
    if (task.state !== 'running') return
    task.state = 'blocked'
    this.#unblocked--
    const line = this.#lines.get(task.epoch)
    if (line !== undefined) {
      line.blocked++
      this.#giveBackWaiting(line)
    }
    this.#drain()
  }

  resumed(task: Task): void {
    if (task.state !== 'blocked') return
    task.state = 'running'
    this.#unblocked++
    const line = this.#lines.get(task.epoch)
    if (line !== undefined) line.blocked--
    this.#drain()
  }

  /** The lease is over: what waits goes back, what runs may finish. */
  closeLine(epoch: number): void {
    const line = this.#lines.get(epoch)
    if (line === undefined) return
    line.closing = true
    this.#giveBackWaiting(line)
    if (line.running === 0) this.#lines.delete(epoch)
  }

  /** What no line has started goes back; the worker is about to leave. */
  closeAll(): void {
    for (const epoch of [...this.#lines.keys()]) this.closeLine(epoch)
  }

  #giveBackWaiting(line: Line<Task>): void {
    const sequences = this.#unclaimed(line.waiting.splice(0))
    if (sequences.length > 0) this.#effects.giveBack(line.epoch, sequences)
  }

  /** Those that the owner has not recalled itself: they are claimed here first, so that it cannot any more. */
  #unclaimed(tasks: readonly Task[]): number[] {
    const sequences: number[] = []
    for (const task of tasks) {
      task.state = 'gone'
      if (this.#claim(task.epoch, task.sequence)) sequences.push(task.sequence)
    }
    return sequences
  }

  /** Starts what may start. A task that finishes within `run` comes back here: one loop serves both. */
  #drain(): void {
    if (this.#draining) return
    this.#draining = true
    try {
      for (let line = this.#nextLine(); line !== undefined; line = this.#nextLine()) {
        const task = line.waiting[0] as Task
        if (!this.#effects.isLoaded(task)) {
          line.loading = true
          this.#effects.load(task)
          continue
        }
        line.waiting.shift()
        if (!this.#claim(task.epoch, task.sequence)) {
          task.state = 'gone'
          if (++line.passed % tellsOfEach === 0) this.#effects.passedOver?.(task.epoch, task.sequence)
          continue
        }
        line.passed = 0
        task.state = 'running'
        line.running++
        this.#unblocked++
        this.#effects.run(task)
      }
    } finally {
      this.#draining = false
    }
    if (!this.#goesOn()) this.#effects.rest()
  }

  /** Whether something starts in the next turn. */
  #goesOn(): boolean {
    for (const line of this.#lines.values()) if (line.turning && line.waiting.length > 0) return true
    return false
  }

  #nextLine(): Line<Task> | undefined {
    if (this.#unblocked > 0) return undefined
    for (const line of this.#lines.values()) {
      if (line.waiting.length > 0 && !line.loading && !line.turning && !line.closing && line.blocked === 0) return line
    }
    return undefined
  }
}
