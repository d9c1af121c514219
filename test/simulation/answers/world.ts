/**
 * Owners that look for the answers of workers in shared memory, and workers that leave them there: each is a process that
 * may be held up at any operation on shared words, while the others go on. One seed is one history.
 *
 *     calls come, some are cancelled, leases are reclaimed --> all has settled, in order and in time --> nothing is left
 */
import { pick, type Random, randomInteger, seededRandom } from '../../../runtime/base/random.ts'
import { answerRingBytes } from '../../../runtime/objects/answer-ring.ts'
import { defaultSubmitOptions, type Grant } from '../../../runtime/owner/submit-types.ts'
import { demand } from '../checks.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { granter, OwnerProgram, processName } from './owner.ts'
import { type Around, Party } from './party.ts'
import { type Fate, WorkerProgram } from './worker.ts'

/** How long a process is held up mostly, and now and then, in milliseconds; and all of them together, in one history. */
const heldUpMs = 0.4
const longHeldUpMs = 4
const mostHeldUpMs = 12
/** How likely it is at a word that a history is about. */
const focusChance = 0.25
/** So often it happens in one history: a process that goes on hears again all that it has heard. */
const mostHoldUps = 25
/** An answer of a worker that has nothing more to do is known to its owner after this, in milliseconds. */
const toldMs = 3
/** One of a worker that works on: two looks, the second for answers that were waited for. */
const lookedMs = (2 * defaultSubmitOptions.mostAnswerLookMicros) / 1_000 + toldMs
const mostEvents = 100_000
/** The word of a lease's start may come so much later than its first calls, in milliseconds. */
const mostLateMs = 20
/** As far as the words of a claim page go: 16 leases of 1,024. */
const pageWords = 16 * 1_024

interface Lease {
  readonly id: number
  readonly owner: number
  readonly worker: number
  readonly epoch: number
}

interface Asked {
  readonly owner: number
  readonly request: number
}

/** Of calls: how long they take, mostly, and whether their results are large. */
interface Shape {
  readonly usualMs: number
  readonly isLarge: boolean
}

interface Answer {
  /** Of all answers of its worker. */
  readonly place: number
  readonly worker: number
  dueMs: number
}

export class AnswersWorld implements Around {
  readonly story: string[] = []
  readonly counts: Map<string, number> = new Map<string, number>()
  readonly #random: Random
  readonly #clock = new VirtualClock()
  readonly #chance: number
  readonly #rings = new Map<number, Uint8Array>()
  readonly #pages = new Map<number, Int32Array<ArrayBuffer>>()
  readonly #parties = new Map<number, Party>()
  readonly #programs = new Map<number, OwnerProgram>()
  readonly #fates = new Map<string, Fate>()
  /** By sender and receiver: when the last message is there. */
  readonly #lastAt = new Map<string, number>()
  readonly ringWords: number
  /** A word of rings at which processes are held up more often than at others, if there is one. */
  readonly #focus: number
  /** Of histories in which such words are late. */
  readonly #lateStarts: Random | undefined
  #holdUps = 0
  #heldUpMs = 0
  readonly #heldUntilMs = new Map<number, number>()
  // The granter.
  readonly #workers: number[] = []
  readonly #free: number[] = []
  readonly #asked: Asked[] = []
  readonly #leases = new Map<number, Lease>()
  #nextEpoch = 1
  // What is checked.
  readonly #open = new Set<string>()
  readonly #started = new Set<string>()
  readonly #taken = new Set<string>()
  /** Answers whose owner has yet to hear of them. */
  readonly #untold = new Map<string, Answer>()
  #answers = 0
  readonly #shapes: readonly Shape[]

  constructor(seed: number) {
    const random = (this.#random = seededRandom(seed ^ 0xa2775))
    this.#chance = random.next() ** 3 * 0.3
    this.#shapes = Array.from({ length: 3 }, () => ({
      usualMs: pick(random, [0, 0.05, 0.3, 1, 4]),
      isLarge: random.next() < 0.3,
    }))
    this.ringWords = pick(random, [32, 64, 512, 4_096])
    // One of the first three is where a listener is, where the ring ends, or where it begins.
    this.#focus = randomInteger(random, 6)
    const starts = seededRandom(seed ^ 0x57a27)
    this.#lateStarts = starts.next() < 0.2 ? starts : undefined
    const workers = 1 + randomInteger(random, 2)
    for (let id = 1; id <= workers; id++) {
      this.#rings.set(id, new Uint8Array(answerRingBytes))
      const page = new Int32Array(pageWords)
      this.#pages.set(id, page)
      this.#workers.push(id)
      this.#free.push(id)
      const make = (party: Party): WorkerProgram => new WorkerProgram(party, page, (...call) => this.#fateOf(...call))
      this.#parties.set(id, new Party(id, this, this.#rings, make))
    }
    const owners = random.next() < 0.6 ? 1 : 2
    for (let id = 101; id <= 100 + owners; id++)
      this.#parties.set(
        id,
        new Party(id, this, this.#rings, (party) => {
          const program = new OwnerProgram(party, this.#pages)
          this.#programs.set(id, program)
          return program
        }),
      )
  }

  run(): Promise<void> {
    const random = this.#random
    for (const owner of this.#programs.keys())
      for (let left = 1 + randomInteger(random, 3); left > 0; left--) {
        const order = ['call', randomInteger(random, 3), 1 + randomInteger(random, 90)]
        this.#clock.after(random.next() * 60, () => this.#hear(owner, granter, order))
      }
    for (let left = randomInteger(random, 8); left > 0; left--)
      this.#clock.after(random.next() * 100, () => this.#whim())
    while (this.#clock.step())
      demand(this.#clock.count < mostEvents, 'comes-to-rest', () => `${mostEvents} events, and no end`)
    this.#atRest()
    return Promise.resolve()
  }

  // --- what surrounds the processes

  now(): number {
    return this.#clock.now()
  }

  holdsUp(word: number | undefined): boolean {
    if (this.#holdUps >= mostHoldUps || this.#heldUpMs >= mostHeldUpMs) return false
    const chance = word === this.#focus ? focusChance : this.#chance
    return this.#random.next() < chance && ++this.#holdUps > 0
  }

  later(party: Party, delayMs: number, timer: number): void {
    this.#clock.after(delayMs, () => this.#does(party, () => party.hear({ timer })))
  }

  send(from: number, to: number, message: readonly unknown[]): void {
    const way = `${from}>${to}`
    const atMs = Math.max(this.#lastAt.get(way) ?? 0, this.now() + 0.02 + this.#random.next() ** 4)
    this.#lastAt.set(way, atMs)
    this.#clock.at(atMs, () => {
      if (to === granter) this.#granter(from, message)
      else this.#hear(to, from, message)
    })
  }

  tell({ id }: Party, what: string, details: readonly unknown[]): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
    this.#note(`${id}: ${what} ${details.join(' ')}`)
    const [first, second] = details as [number, number]
    if (what === 'called') this.#open.add(`${id}:${first}`)
    else if (what === 'settled') this.#settled(id, first, details)
    else if (what === 'took') this.#took(details)
    else if (what === 'damaged') demand(false, 'whole-answers', () => `owner ${id}, lease ${first}: ${second}`)
    else if (what === 'started') this.#starts(`${first}:${second}`)
    else if (what === 'answers') {
      const answer = { place: this.#answers++, worker: id, dueMs: Infinity }
      this.#untold.set(`${first}:${second}`, answer)
    } else if (what === 'answered') this.#due(`${first}:${second}`, lookedMs)
    else if (what === 'idle') for (const [name, one] of this.#untold) if (one.worker === id) this.#due(name, toldMs)
  }

  // --- the granter

  #granter(owner: number, [what, number]: readonly unknown[]): void {
    const request = this.#asked.findIndex((one) => one.owner === owner && one.request === number)
    if (what === 'request') this.#asked.push({ owner, request: number as number })
    else if (what === 'cancel') {
      if (request >= 0) this.#asked.splice(request, 1)
    } else {
      const lease = this.#leases.get(number as number)
      if (lease !== undefined) this.#free.push(lease.worker)
      this.#leases.delete(number as number)
    }
    while (this.#free.length > 0 && this.#asked.length > 0) this.#grant()
  }

  #grant(): void {
    const worker = this.#free.shift() as number
    const { owner, request } = this.#asked.shift() as Asked
    const epoch = this.#nextEpoch++
    this.#leases.set(epoch, { id: epoch, owner, worker, epoch })
    const grant: Grant = {
      ...{ leaseId: epoch, epoch, node: processName(9_999), worker: processName(worker) },
      ...{ socketPath: '', pagePath: 'page', pid: 1 },
    }
    const starts = (): void => this.send(granter, worker, ['leaseStart', epoch])
    const isLate = (this.#lateStarts?.next() ?? 1) < 0.5
    if (isLate) this.#clock.after((this.#lateStarts as Random).next() * mostLateMs, starts)
    else starts()
    this.send(granter, owner, ['granted', request, grant])
  }

  /** An owner cancels a call, or is asked for a lease. */
  #whim(): void {
    const random = this.#random
    const leases = [...this.#leases.values()]
    const open = [...this.#open]
    if (random.next() < 0.5 && leases.length > 0) {
      const { owner, id } = pick(random, leases)
      this.#hear(owner, granter, ['reclaim', id, random.next() < 0.3])
    } else if (open.length > 0) {
      const [owner, number] = pick(random, open).split(':').map(Number) as [number, number]
      this.#hear(owner, granter, ['stop', number])
    }
  }

  // --- what is checked

  #starts(name: string): void {
    demand(!this.#started.has(name), 'started-once', () => `call ${name} is started twice`)
    this.#started.add(name)
  }

  /** An owner has taken an answer out of a ring. */
  #took(details: readonly unknown[]): void {
    const name = details.join(':')
    demand(!this.#taken.has(name), 'taken-once', () => `answer ${name} is taken out of its ring twice`)
    this.#taken.add(name)
  }

  #settled(owner: number, number: number, [, said]: readonly unknown[]): void {
    const name = `${owner}:${number}`
    demand(this.#open.delete(name), 'settles-once', () => `call ${name} settles, and had settled`)
    // Its answer is worth nothing any more.
    if (said === 'ended') return
    const answer = this.#untold.get(name)
    demand(answer !== undefined, 'answered', () => `call ${name} settles by an answer that its worker did not give`)
    if (said !== 'failed') {
      const { length } = this.#fateOf(owner, number)
      const whole = `${number} `.padEnd(length, '.')
      demand(said === whole, 'whole-answers', () => `call ${name} gets ${String(said)}`)
    }
    const { place, worker, dueMs } = answer as Answer
    const late = this.now() - dueMs
    demand(late <= 0, 'told-in-time', () => `the owner of call ${name} hears of its answer ${late.toFixed(1)} ms late`)
    for (const [other, { place: before, worker: same }] of this.#untold)
      if (same === worker && before < place && other.startsWith(`${owner}:`))
        demand(
          !this.#open.has(other),
          'told-in-order',
          () => `the answer of call ${name} comes before that of ${other}`,
        )
    this.#untold.delete(name)
  }

  #due(name: string, withinMs: number): void {
    const answer = this.#untold.get(name)
    if (answer !== undefined) answer.dueMs = Math.min(answer.dueMs, this.now() + withinMs + this.#mayBeHeldUpMs())
  }

  /** How long processes may be held up from now on: what is left of it, and what is under way. */
  #mayBeHeldUpMs(): number {
    let ms = mostHeldUpMs - this.#heldUpMs
    for (const endsMs of this.#heldUntilMs.values()) ms += Math.max(endsMs - this.now(), 0)
    return ms
  }

  #atRest(): void {
    const left = [...this.#open]
    demand(left.length === 0, 'every-call-settles', () => `calls ${left.join(' ')} do not settle`)
    for (const [id, program] of this.#programs)
      demand(program.isAtRest, 'nothing-left', () => `owner ${id} is left with ${program.facts}`)
    demand(this.#leases.size === 0, 'nothing-left', () => `${this.#leases.size} leases are not given back`)
  }

  #fateOf(owner: number, number: number): Fate {
    const name = `${owner}:${number}`
    let fate = this.#fates.get(name)
    if (fate === undefined) this.#fates.set(name, (fate = this.#draw(number)))
    return fate
  }

  #draw(number: number): Fate {
    const random = this.#random
    const { usualMs, isLarge } = this.#shapes[number % 3] as Shape
    const roll = random.next()
    return {
      durationMs: random.next() < 0.03 ? random.next() * 150 : usualMs * (0.5 + random.next()),
      end: roll < 0.03 ? 'failed' : roll < 0.05 ? 'blocked' : 'done',
      length: isLarge ? 990 + randomInteger(random, 36) : randomInteger(random, 30),
    }
  }

  #hear(to: number, from: number, message: readonly unknown[]): void {
    const party = this.#parties.get(to) as Party
    this.#note(`${to} hears ${String(message[0])} ${message.slice(1, 4).join(' ')}`)
    this.#does(party, () => party.hear({ from, message }))
  }

  #does(party: Party, act: () => void): void {
    const wasHeldUp = party.isHeldUp
    act()
    if (!party.isHeldUp || wasHeldUp) return
    this.#note(`${party.id} is held up`)
    this.counts.set('held up', (this.counts.get('held up') ?? 0) + 1)
    this.#goesOn(party)
  }

  #goOn(party: Party): void {
    party.goOn()
    if (party.isHeldUp) this.#goesOn(party)
  }

  #goesOn(party: Party): void {
    const drawnMs = this.#random.next() * (this.#random.next() < 0.15 ? longHeldUpMs : heldUpMs)
    const delayMs = Math.min(drawnMs, mostHeldUpMs - this.#heldUpMs)
    this.#heldUpMs += delayMs
    this.#heldUntilMs.set(party.id, this.now() + delayMs)
    this.#clock.after(delayMs, () => this.#goOn(party))
  }

  #note(text: string): void {
    this.story.push(`${this.now().toFixed(3)} ${text}`)
  }
}
