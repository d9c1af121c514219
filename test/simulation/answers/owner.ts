/** An owner: `SubmitState` and `AnswerLooks`, as `runtime/owner/leasing.ts` puts them together. */
import type { ProcessId } from '../../../runtime/base/ids.ts'
import type { AnswerRing } from '../../../runtime/objects/answer-ring.ts'
import { claimWords, recallUnstarted } from '../../../runtime/objects/claim-page.ts'
import { AnswerLooks } from '../../../runtime/owner/answer-looks.ts'
import { SubmitState } from '../../../runtime/owner/submit-state.ts'
import {
  defaultSubmitOptions,
  type Grant,
  type SchedulingClass,
  type SubmitEffects,
  type TaskTemplate,
} from '../../../runtime/owner/submit-types.ts'
import { TaskTable } from '../../../runtime/owner/task-table.ts'
import { type Done, type Failed, MessageType } from '../../../runtime/protocol/messages.ts'
import { HeldUp, type Party, type Program } from './party.ts'

/** What grants leases, in the history itself. */
export const granter = 0

const sizes: SchedulingClass = {
  ...{ kind: 'task', resources: [['CPU', 10_000]], strategy: null, priority: 0, environment: '' },
} as const

/** The worker that a grant is of. */
const workerOf = ({ worker }: Grant): number => Number.parseInt(worker, 16)

export class OwnerProgram implements Program, SubmitEffects {
  readonly #party: Party
  readonly #pages: ReadonlyMap<number, Int32Array<ArrayBuffer>>
  readonly #submit: SubmitState
  readonly #looks: AnswerLooks
  readonly #leases = new Map<number, { readonly grant: Grant; ring: AnswerRing | undefined }>()
  readonly #table = new TaskTable()
  readonly #templates: TaskTemplate[] = []

  constructor(party: Party, pages: ReadonlyMap<number, Int32Array<ArrayBuffer>>) {
    this.#party = party
    this.#pages = pages
    this.#submit = new SubmitState(this.#table, party.clock, this, { ...defaultSubmitOptions, requestsPerClass: 4 })
    this.#looks = new AnswerLooks(party.clock, {
      tasksOf: (index) => this.#submit.leases.get(index),
      together: (tell) => this.#submit.together(tell),
      answered: (index, message) => {
        party.tell('took', workerOf(this.#grant(index)), message[1], message[2])
        this.#done(message)
      },
      damaged: (index, error) => {
        if (error instanceof HeldUp) throw error
        party.tell('damaged', index, error.message)
      },
    })
    const classIndex = this.#submit.defineClass(sizes)
    for (const timeoutMs of [0, 0, 20]) {
      const options = { classIndex, timeoutMs, maxRetries: 0, retryExceptions: false, numReturns: 1 }
      const number = this.#templates.length
      this.#templates.push({ number, name: `f${number}`, runMicros: -1, deviationMicros: 0, ...options })
    }
  }

  heard(from: number, message: readonly unknown[]): void {
    const [what, ...rest] = message
    if (typeof what === 'string') return this.#ordered(what, rest)
    // What was left before it comes first.
    for (const [index, { grant }] of this.#leases) if (workerOf(grant) === from) this.#looks.before(index)
    switch (what) {
      case MessageType.done:
        return this.#done(message as unknown as Done)
      case MessageType.failed:
        return this.#failed(message as unknown as Failed)
      default: {
        const index = this.#leaseAt(rest[0] as number)
        if (index === undefined) return
        if (what === MessageType.returned) this.#submit.returned(index, rest[1] as number[])
        else if (what === MessageType.blocked) this.#submit.blocked(index)
        else this.#submit.resumed(index)
      }
    }
  }

  /** What the history has it do, or the granter says. */
  #ordered(what: string, [first, second]: readonly unknown[]): void {
    if (what === 'call')
      for (let left = second as number; left > 0; left--) {
        const number = this.#table.allocate(1)
        this.#party.tell('called', number)
        this.#submit.submit(number, this.#templates[first as number] as TaskTemplate, true)
      }
    else if (what === 'granted') this.#submit.granted(first as number, second as Grant)
    else if (what === 'reclaim') this.#submit.reclaim('home' as never, first as number, second as boolean)
    else this.#submit.cancel(first as number, 'a whim', false, false)
  }

  #done([, epoch, sequence, micros, bytes]: Done): void {
    const index = this.#leaseAt(epoch)
    if (index === undefined) return
    const worker = workerOf(this.#grant(index))
    const number = this.#submit.done(index, sequence, micros)
    if (number >= 0) this.#party.tell('settled', number, Buffer.from(bytes).toString(), worker, epoch, sequence)
  }

  #failed([, epoch, sequence, micros, , origin]: Failed): void {
    const index = this.#leaseAt(epoch)
    if (index === undefined) return
    const worker = workerOf(this.#grant(index))
    const verdict = this.#submit.failed(index, sequence, micros, origin)
    if (verdict?.settle === true) this.#party.tell('settled', verdict.number, 'failed', worker, epoch, sequence)
  }

  /** Epochs are never the same twice here. */
  #leaseAt(epoch: number): number | undefined {
    for (const [index, { grant }] of this.#leases) if (grant.epoch === epoch) return index
    return undefined
  }

  #grant(index: number): Grant {
    return this.#leases.get(index)?.grant as Grant
  }

  /** Whether nothing is left of all that it did. */
  get isAtRest(): boolean {
    return this.#looks.size + this.#leases.size + this.#submit.unsettled + this.#submit.requests.size === 0
  }

  get facts(): string {
    const { unsettled, requests } = this.#submit
    return `${this.#looks.size} looks, ${this.#leases.size} leases, ${unsettled} unsettled, ${requests.size} requests`
  }

  // --- instructions of SubmitState

  requestLease(requestId: number): void {
    this.#party.send(granter, ['request', requestId])
  }

  cancelRequest(requestId: number): void {
    this.#party.send(granter, ['cancel', requestId])
  }

  open(index: number, grant: Grant): void {
    this.#leases.set(index, { grant, ring: undefined })
    this.#party.clock.after(0, () => this.#submit.opened(index))
  }

  push(index: number, sequence: number, number: number, template: TaskTemplate): void {
    const { epoch } = this.#grant(index)
    this.#party.send(workerOf(this.#grant(index)), ['push', epoch, sequence, number, template.number])
  }

  rest(index: number, micros: number): void {
    const lease = this.#leases.get(index)
    if (lease === undefined) return
    const worker = workerOf(lease.grant)
    lease.ring ??= this.#party.ringOf(worker)
    this.#looks.rest(index, { ring: lease.ring, epoch: lease.grant.epoch }, micros / 1000)
    this.#party.tell('rests', index)
  }

  wake(index: number): void {
    this.#looks.wake(index)
  }

  recall(index: number, sequences: readonly number[]): readonly number[] {
    const { epoch, worker } = this.#grant(index)
    const words = this.#pages.get(Number.parseInt(worker, 16)) as Int32Array<ArrayBuffer>
    const taken = recallUnstarted(claimWords(words, this.#party.accessTo()), epoch, sequences)
    if (taken.length > 0) this.#party.tell('recalled', taken.length)
    return taken
  }

  abort(index: number, sequence: number): void {
    this.#party.send(workerOf(this.#grant(index)), ['abort', this.#grant(index).epoch, sequence])
  }

  endWorker(index: number, reason: string): void {
    this.#party.tell('damaged', index, `its worker is ended: ${reason}`)
  }

  returnLease(index: number, grant: Grant): void {
    this.#looks.end(index)
    this.#leases.delete(index)
    this.#party.send(granter, ['return', grant.leaseId])
  }

  returnGrant(grant: Grant): void {
    this.#party.send(granter, ['return', grant.leaseId])
  }

  fail(number: number): void {
    this.#party.tell('settled', number, 'ended', 0, 0, 0)
  }

  classEnded(): void {
    // No class ends here.
  }

  story(): void {
    // Only counted elsewhere.
  }
}

export const processName = (id: number): ProcessId => id.toString(16).padStart(16, '0') as ProcessId
