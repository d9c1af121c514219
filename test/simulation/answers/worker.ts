/** A worker: `ExecutorState` and `TaskAnswers`, as `runtime/worker/task-runner.ts` puts them together. */
import type { AnswerRing } from '../../../runtime/objects/answer-ring.ts'
import { claimWords } from '../../../runtime/objects/claim-page.ts'
import type { WireMessage } from '../../../runtime/protocol/frames.ts'
import { MessageType } from '../../../runtime/protocol/messages.ts'
import { ExecutorState, type QueuedTask } from '../../../runtime/worker/executor-state.ts'
import { type AnsweredTask, TaskAnswers } from '../../../runtime/worker/task-answers.ts'
import { WorkAndRest } from '../../../runtime/worker/work-and-rest.ts'
import type { Party, Program } from './party.ts'

/** What becomes of a task when it runs: drawn once, by its number. */
export interface Fate {
  readonly durationMs: number
  readonly end: 'done' | 'failed' | 'blocked'
  /** Of its result. */
  readonly length: number
}

interface Task extends QueuedTask, AnsweredTask {
  readonly number: number
  told: boolean
  /** How it was answered, where it was by one small result. */
  way: 'sent' | 'left' | undefined
}

const noReferences = { reply: () => ({ borrowed: [], ackId: 0 }), leaveTask: () => {} }
const noBytes = new Uint8Array()

export class WorkerProgram implements Program {
  readonly #party: Party
  readonly #fateOf: (owner: number, number: number) => Fate
  readonly #executor: ExecutorState<Task>
  readonly #answers: TaskAnswers
  readonly #work: WorkAndRest
  readonly #owners = new Map<number, number>()
  readonly #running = new Set<Task>()
  #ring: AnswerRing | undefined

  constructor(party: Party, page: Int32Array<ArrayBuffer>, fateOf: (owner: number, number: number) => Fate) {
    this.#party = party
    this.#fateOf = fateOf
    const turns = {
      queueMicrotask: (act: () => void) => this.#soon(act),
      setImmediate: (act: () => void) => this.#soon(act),
    }
    this.#work = new WorkAndRest({ working: () => {}, idle: () => this.#idle() }, turns)
    this.#answers = new TaskAnswers(
      () => noReferences,
      () => {
        this.#ring ??= party.ringOf(party.id)
        return this.#ring
      },
    )
    this.#executor = new ExecutorState<Task>(
      {
        run: (task) => this.#run(task),
        giveBack: (epoch, sequences) => this.#returned(epoch, sequences),
        passedOver: (epoch, sequence) => this.#returned(epoch, [sequence]),
        isLoaded: () => true,
        load: () => {},
        rest: () => {
          if (this.#running.size === 0) this.#work.rest()
        },
        soon: (start) => this.#soon(start),
      },
      claimWords(page, party.accessTo()).start,
    )
  }

  heard(from: number, message: readonly unknown[]): void {
    const [what, ...rest] = message
    const [epoch, sequence, number] = rest as number[]
    if (what === 'leaseStart') {
      this.#executor.openLine(epoch as number, [])
      for (const known of this.#owners.keys()) {
        if (this.#executor.hasLine(known)) continue
        this.#owners.delete(known)
        this.#answers.over(known)
      }
    } else if (what === 'push') this.#push(from, epoch as number, sequence as number, number as number)
    else this.#abort(epoch as number, sequence as number)
  }

  #push(owner: number, epoch: number, sequence: number, number: number): void {
    this.#owners.set(epoch, owner)
    const link = {
      send: (message: WireMessage) => {
        if (task.way === 'left') this.#party.tell('told again')
        if (message[0] === MessageType.done) task.way = 'sent'
        this.#party.send(owner, message)
      },
      flush: () => {},
      closed: false,
      peer: undefined as never,
    }
    const task: Task = {
      ...{
        epoch,
        sequence,
        number,
        link,
        state: 'waiting',
        local: number,
        told: false,
        borrows: false,
        way: undefined,
      },
    }
    if (!this.#executor.push(task)) this.#party.send(owner, [MessageType.returned, epoch, [sequence]])
  }

  #abort(epoch: number, sequence: number): void {
    for (const task of this.#running)
      if (task.epoch === epoch && task.sequence === sequence) this.#end(task, 'cancelled')
  }

  #run(task: Task): void {
    const owner = this.#owners.get(task.epoch) as number
    this.#party.tell('started', owner, task.number)
    this.#work.work()
    this.#running.add(task)
    const { durationMs, end } = this.#fateOf(owner, task.number)
    if (durationMs === 0) return this.#end(task, end === 'failed' ? 'user' : undefined)
    if (end !== 'blocked') return this.#after(durationMs, () => this.#end(task, end === 'failed' ? 'user' : undefined))
    this.#after(durationMs / 2, () => {
      if (!this.#running.has(task)) return
      task.told = true
      task.link.send([MessageType.blocked, task.epoch, task.sequence])
      this.#executor.blocked(task)
      this.#after(durationMs / 2, () => this.#end(task, undefined))
    })
  }

  #end(task: Task, origin: 'user' | 'cancelled' | undefined): void {
    if (!this.#running.delete(task)) return
    if (task.state === 'blocked') {
      task.link.send([MessageType.resumed, task.epoch, task.sequence])
      this.#executor.resumed(task)
    }
    const owner = this.#owners.get(task.epoch) as number
    const { durationMs, length } = this.#fateOf(owner, task.number)
    const micros = Math.round(durationMs * 1000)
    this.#party.tell('answers', owner, task.number)
    if (origin !== undefined) this.#answers.failed(task, micros, noBytes, origin)
    else this.#answers.inline(task, micros, Buffer.from(`${task.number} `.padEnd(length, '.')))
    if (origin === undefined && task.way !== 'sent') {
      task.way = 'left'
      this.#party.tell('left')
    }
    this.#party.tell('answered', owner, task.number)
    this.#executor.finished(task)
  }

  #idle(): void {
    this.#answers.idle()
    this.#party.tell('idle')
  }

  #returned(epoch: number, sequences: readonly number[]): void {
    this.#party.send(this.#owners.get(epoch) as number, [MessageType.returned, epoch, sequences])
  }

  #after(delayMs: number, act: () => void): void {
    this.#party.clock.after(delayMs, act)
  }

  #soon(act: () => void): void {
    this.#after(0, act)
  }
}
