/**
 * The memory that a worker shares with those who lease it, and the answers that it leaves there: `TaskAnswers` at the
 * worker, `AnswerLooks` at the owner, and between the two a ring whose operations others may come between, one by one.
 */
import type { Clock } from '../../runtime/base/clock.ts'
import type { ProcessId } from '../../runtime/base/ids.ts'
import { pick, type Random, randomInteger, seededRandom } from '../../runtime/base/random.ts'
import { type AnswerRing, answerRing, answerRingBytes, type WordAccess } from '../../runtime/objects/answer-ring.ts'
import { AnswerLooks } from '../../runtime/owner/answer-looks.ts'
import type { Peer } from '../../runtime/owner/reference-types.ts'
import type { WireMessage } from '../../runtime/protocol/frames.ts'
import type { Done, Message } from '../../runtime/protocol/messages.ts'
import { type AnsweredTask, TaskAnswers } from '../../runtime/worker/task-answers.ts'
import { WorkAndRest } from '../../runtime/worker/work-and-rest.ts'
import { demand, Violation } from './checks.ts'
import { EndedWithin } from './network.ts'
import type { Answer, SimOwner } from './owner.ts'
import type { PushedTask } from './tasks.ts'
import type { SimWorker } from './worker.ts'
import type { World } from './world.ts'

/** Events of others that come between two operations of a process on shared memory, at the most. */
const mostBetween = 12
/** Of more than this a worker sends an answer. */
const mostBytes = 1_100
const noBytes = new Uint8Array()

/** The rings of all workers; in histories with them every operation on one, and on claim pages, may take a while. */
export class SharedRings {
  readonly access: WordAccess
  readonly #world: World
  readonly #random: Random
  /** How likely a process is held up at an operation. */
  readonly #chance: number
  readonly #memory = new Map<ProcessId, ArrayBuffer>()
  /** Words for entries that each ring has: small ones are full soon. */
  readonly #words: number

  constructor(world: World) {
    this.#world = world
    this.#random = seededRandom(world.seed ^ 0x1e47)
    this.#words = pick(seededRandom(world.seed ^ 0x3177), [32, 256, 4_096])
    this.#chance = this.#random.next() ** 2 * 0.2
    this.access = this.#accessOf(() => {})
  }

  /** The ring of a worker as one process has it mapped. `isMapped`: whether it still has. */
  of(worker: ProcessId, isMapped: () => boolean = () => true): AnswerRing {
    let memory = this.#memory.get(worker)
    if (memory === undefined) this.#memory.set(worker, (memory = new ArrayBuffer(answerRingBytes)))
    const check = (): void =>
      demand(isMapped(), 'mapped-memory', () => `the ring of ${worker} is touched by one that has let go of it`)
    return answerRing(memory, 0, this.#accessOf(check), this.#words)
  }

  #accessOf(check: () => void): WordAccess {
    const within = <T>(operate: () => T): T => {
      this.#others()
      check()
      const result = operate()
      this.#others()
      check()
      return result
    }
    return {
      load: (words, index) => within(() => Atomics.load(words, index)),
      store: (words, index, value) => within(() => Atomics.store(words, index, value)),
      compareExchange: (words, index, expected, value) =>
        within(() => Atomics.compareExchange(words, index, expected, value)),
    }
  }

  #others(): void {
    if (this.#random.next() >= this.#chance) return
    const world = this.#world
    const count = 1 + randomInteger(this.#random, mostBetween)
    const isHeld = world.network.holdUp(() => world.stepsBetween(count))
    if (isHeld) world.count('held up')
  }
}

/** What an answer says in its bytes: of which task and attempt it is, and as much as a value of its size. */
function bytesOf({ number, attempt }: PushedTask, random: Random): Uint8Array {
  const length = random.next() < 0.1 ? randomInteger(random, mostBytes) : randomInteger(random, 40)
  return Buffer.from(`${number} ${attempt} `.padEnd(length, '.'))
}

/** What a message says that was sent, or left. */
export function answerOf(worker: Answer['worker'], [, epoch, sequence, runMicros, bytes]: Done): Answer {
  const [number, attempt] = Buffer.from(bytes).toString().split(' ').map(Number)
  const said = { number: number as number, attempt: attempt as number }
  const results = [{ refs: [] }]
  return { worker, epoch, sequence, runMicros, origin: undefined, results, borrowed: [], ackId: 0, ...said }
}

/** How the answer of one task gets to its owner, as a link of the runtime. */
class AnswerLink {
  readonly peer: AnsweredTask['link']['peer']
  readonly closed: boolean
  readonly #worker: SimWorker
  readonly #put: (message: Message) => void
  #state: 'new' | 'sent' | 'left' = 'new'

  constructor(worker: SimWorker, owner: Peer | undefined, put: (message: Message) => void) {
    this.#worker = worker
    this.peer = owner as AnsweredTask['link']['peer']
    this.closed = owner === undefined
    this.#put = put
  }

  send(message: WireMessage): void {
    if (this.#state === 'left') this.#worker.world.count('left answer sent')
    this.#state = 'sent'
    if (!this.closed) this.#put(message as Message)
  }

  flush(): void {
    // Nothing waits.
  }

  answered(): void {
    if (this.#state !== 'new') return
    this.#state = 'left'
    this.#worker.world.count('answer left')
  }
}

/** How a worker answers: `TaskAnswers`, and what is told when it has nothing more to do. */
export class WorkerAnswers {
  readonly #answers: TaskAnswers
  readonly #work: WorkAndRest
  readonly #worker: SimWorker
  readonly #random: Random

  constructor(worker: SimWorker) {
    const { world, id } = worker
    this.#worker = worker
    this.#random = seededRandom(world.seed ^ Number.parseInt(id, 16) ^ 0xa45)
    this.#answers = new TaskAnswers(
      () => worker.objects.refs,
      () => (world.options.rings ? world.rings.of(id) : undefined),
    )
    this.#work = new WorkAndRest(
      { working: () => {}, idle: () => this.#answers.idle() },
      {
        queueMicrotask: (act) => worker.after(0, 'rests', act),
        setImmediate: (act) => worker.after(0, 'next turn', act),
      },
    )
  }

  works(): void {
    if (this.#worker.world.options.rings) this.#work.work()
  }

  rests(): void {
    if (this.#worker.world.options.rings && this.#worker.running.size === 0) this.#work.rest()
  }

  over(epoch: number): void {
    this.#answers.over(epoch)
  }

  /** `put` sends a message; `results` are those that do not travel inline. */
  answer(
    task: PushedTask,
    owner: Peer | undefined,
    [origin, runMicros]: readonly [Answer['origin'], number],
    results: Answer['results'],
    put: (message: Message) => void,
  ): void {
    const link = new AnswerLink(this.#worker, owner, put)
    const { epoch, sequence, local, told, borrows } = task
    const answered: AnsweredTask = { epoch, sequence, local, told, borrows, link }
    const contained = results.flatMap(({ refs }) => refs)
    if (origin !== undefined) return this.#answers.failed(answered, runMicros, noBytes, origin)
    const isPlain = results.length === 1 && results[0]?.stored === undefined && contained.length === 0
    if (!isPlain || task.call.behaviour.items !== undefined)
      return this.#answers.many(answered, runMicros, [], contained)
    this.#answers.inline(answered, runMicros, bytesOf(task, this.#random))
    link.answered()
  }
}

/** A lease of which the worker may leave answers here. */
interface Mapped {
  readonly ring: AnswerRing
  readonly epoch: number
  isMapped: boolean
}

/** Where an owner looks for answers. */
export class OwnerLooks {
  readonly looks: AnswerLooks
  readonly #owner: SimOwner
  readonly #mapped = new Map<number, Mapped>()

  constructor(owner: SimOwner, clock: Clock) {
    this.#owner = owner
    this.looks = new AnswerLooks(clock, {
      tasksOf: (index) => owner.submit.leases.get(index),
      together: (tell) => owner.submit.together(tell),
      answered: (index, message) => owner.tookLeft(index, message),
      damaged: (index, error) => {
        if (error instanceof Violation || error instanceof EndedWithin) throw error
        demand(false, 'whole-answers', () => `lease ${index} of ${owner.process.id}: ${error.message}`)
      },
    })
  }

  rest(index: number, micros: number): void {
    const { world, process, leases } = this.#owner
    const grant = leases.get(index)
    const isNear = grant?.node === process.nodeId && world.sharesStore(process) && grant.pagePath !== ''
    if (grant === undefined || !isNear || !world.options.rings) return
    let mapped = this.#mapped.get(index)
    if (mapped === undefined) {
      const own: Mapped = { ring: world.rings.of(grant.worker, () => own.isMapped), epoch: grant.epoch, isMapped: true }
      this.#mapped.set(index, (mapped = own))
    }
    world.count('answers rest')
    this.looks.rest(index, mapped, micros / 1000)
  }

  /** The lease is over. */
  forget(index: number): void {
    this.looks.end(index)
    const mapped = this.#mapped.get(index)
    if (mapped !== undefined) mapped.isMapped = false
    this.#mapped.delete(index)
  }
}
