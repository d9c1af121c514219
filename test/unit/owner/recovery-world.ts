/** Tasks, what they made and what became of it, around a `RecoveryState`: without processes, bytes or time. */
import { expect } from 'chai'
import { type LossReason, RecoveryState } from '../../../runtime/owner/recovery-state.ts'

interface Task {
  readonly number: number
  readonly args: readonly number[]
  readonly results: number
  refused: LossReason | undefined
  /** Arguments that it still waits for, while it runs again. */
  waits: Set<number> | undefined
}

export class RecoveryWorld {
  readonly state: RecoveryState
  /** In order. */
  readonly reruns: number[] = []
  readonly failed: Map<number, LossReason> = new Map<number, LossReason>()
  readonly #tasks = new Map<number, Task>()
  readonly #makers: Task[] = []
  readonly #there = new Set<number>()
  /** To be settled anew: tasks that run again wait for it. */
  readonly #open = new Map<number, Set<Task>>()
  /** Lost more often than made again: so many runs are allowed. */
  #losses = 0
  #next = 1

  constructor() {
    this.state = new RecoveryState(
      {
        makerOf: (number) => {
          const { refused, number: task } = this.#makerOf(number)
          return refused === 'put' || refused === 'lineage evicted' ? undefined : task
        },
        judge: (number) => this.#makerOf(number).refused,
        reopen: (number) => {
          expect(this.#there.has(number), `${number} is lost`).to.equal(false)
          if (!this.#open.has(number)) this.#open.set(number, new Set())
        },
        rerun: (task) => this.#rerun(this.#tasks.get(task) as Task),
        fail: (number, reason) => this.#settle([[number, reason]]),
      },
      { now: () => 0 },
    )
  }

  /** Objects that there are; they have the numbers from 1 on. */
  get size(): number {
    return this.#next - 1
  }

  /** A task that has run; returns its number. */
  task(args: readonly number[], results = 1): number {
    const number = this.#next
    this.#next += results
    const task: Task = { number, args, results, refused: undefined, waits: undefined }
    this.#tasks.set(number, task)
    for (let i = 0; i < results; i++) {
      this.#makers[number + i] = task
      this.#there.add(number + i)
    }
    return number
  }

  tasks(count: number, { results = 1 } = {}): [number, ...number[]] {
    return Array.from({ length: count }, () => this.task([], results)) as [number, ...number[]]
  }

  chain(depth: number): number[] {
    const chain: number[] = []
    for (let i = 0; i < depth; i++) chain.push(this.task(chain.slice(-1)))
    return chain
  }

  makerOf(number: number): number {
    return this.#makerOf(number).number
  }

  isThere(number: number): boolean {
    return this.#there.has(number)
  }

  /** Their last copies are gone. */
  lose(numbers: readonly number[]): void {
    for (const number of numbers) if (this.#there.delete(number)) this.#losses++
  }

  /** Somebody asks for it. */
  need(number: number): void {
    if (!this.#there.has(number) && !this.#open.has(number) && !this.failed.has(number)) this.state.need(number)
  }

  refuse(task: number, reason: LossReason): void {
    const of = this.#tasks.get(task) as Task
    if (of.waits === undefined) of.refused ??= reason
  }

  /** The task has run again. */
  finish(task: number, succeeded = true): void {
    const { results, waits } = this.#tasks.get(task) as Task
    expect(waits?.size, `task ${task} has its arguments`).to.equal(0)
    this.#end(task)
    const all = Array.from({ length: results }, (_, i) => task + i)
    if (succeeded) this.#settle(all.map((number) => [number, undefined]))
    else this.#settle(all.filter((number) => this.#open.has(number)).map((number) => [number, 'task failed']))
  }

  /** One of those that could. */
  finishOne(at: number, succeeded: boolean): void {
    const ready = [...this.#tasks.values()].filter(({ waits }) => waits?.size === 0)
    const task = ready[at % ready.length]
    if (task !== undefined) this.finish(task.number, succeeded)
  }

  finishAll(): void {
    for (;;) {
      const ready = [...this.#tasks.values()].filter(({ waits }) => waits?.size === 0)
      if (ready.length === 0) return
      // A chain has one at a time: what this one made makes the next one ready.
      for (const { number } of ready) {
        for (let task = this.#tasks.get(number); task?.waits?.size === 0; task = this.#tasks.get(task.number + 1))
          this.finish(task.number)
      }
    }
  }

  check(): void {
    const running = [...this.#tasks.values()].filter(({ waits }) => waits !== undefined)
    for (const { number } of running) expect(this.state.isRunning(number), `${number} runs`).to.equal(true)
    expect(this.state.size).to.equal(running.length)
    expect(this.reruns.length, 'runs').to.be.at.most(this.#losses)
  }

  checkNobodyWaits(): void {
    expect([...this.#open.keys()], 'still waited for').to.deep.equal([])
    expect(this.state.isIdle).to.equal(true)
  }

  #makerOf(number: number): Task {
    return this.#makers[number] as Task
  }

  #rerun(task: Task): void {
    expect(task.waits, `task ${task.number} runs once at a time`).to.equal(undefined)
    this.reruns.push(task.number)
    task.waits = new Set()
    for (const number of task.args) {
      if (this.#there.has(number)) continue
      const reason = this.failed.get(number)
      if (reason !== undefined) return this.#argumentFailed([task], reason)
      task.waits.add(number)
      if (!this.#open.has(number)) this.state.need(number)
      // It may have failed at once.
      if (task.waits === undefined) return
      this.#open.get(number)?.add(task)
    }
  }

  #end(task: number): void {
    const of = this.#tasks.get(task) as Task
    of.waits = undefined
    for (const number of of.args) this.#open.get(number)?.delete(of)
    this.state.ended(task)
  }

  #settle(outcomes: readonly (readonly [number, LossReason | undefined])[]): void {
    for (const [number, reason] of outcomes) {
      const waiting = this.#open.get(number) ?? new Set()
      this.#open.delete(number)
      if (reason === undefined) {
        // One that was lost and nobody asked for is there again, too.
        if (!this.failed.has(number)) this.#there.add(number)
        for (const { waits } of waiting) waits?.delete(number)
      } else {
        this.failed.set(number, reason)
        this.#argumentFailed([...waiting], reason)
      }
    }
  }

  /** A list, as in the owner: what fails takes others with it. */
  #argumentFailed(tasks: Task[], reason: LossReason): void {
    for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
      if (task.waits === undefined) continue
      const { number, results } = task
      this.#end(number)
      for (let i = 0; i < results; i++) {
        const waiting = this.#open.get(number + i)
        if (waiting === undefined) continue
        this.#open.delete(number + i)
        this.failed.set(number + i, reason)
        tasks.push(...waiting)
      }
    }
  }
}
