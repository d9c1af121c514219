/**
 * Generators of simulated processes: `GeneratorState` at their owner, `ItemWindowState` in their worker, and between the
 * two the links. An item is its place; the same in every attempt.
 */
import type { NodeId } from '../../runtime/base/ids.ts'
import { type Random, seededRandom } from '../../runtime/base/random.ts'
import {
  type Allowance,
  type GeneratorLimits,
  type GeneratorPorts,
  GeneratorState,
} from '../../runtime/owner/generator-state.ts'
import { ItemWindowState } from '../../runtime/worker/item-window-state.ts'
import { demand } from './checks.ts'
import type { SimOwner } from './owner.ts'
import type { PushedTask, Stored } from './tasks.ts'
import { keyOf } from './values.ts'
import type { SimWorker } from './worker.ts'

/** How far a generator may be ahead. */
const limits: GeneratorLimits = { items: 4, mostItems: 8, bytes: 10 }
/** A worker that is paused for so long lends its CPU, in milliseconds. */
const lendAfterMs = 10

const sizeOf = (place: number): number => (place * 7) % 5
/** Of an item that lies in a store; 0 for one that travels inline. */
const storedBytes = (place: number): number => (place % 3 === 1 ? 200_000 + place * 20_000 : 0)

/** An item that was made, under the number of its object. */
export interface Item {
  readonly epoch: number
  readonly sequence: number
  readonly number: number
  readonly place: number
  /** Where a large one lies. */
  readonly stored?: Stored
  readonly node: NodeId
}

class OwnedStream implements GeneratorPorts {
  readonly state: GeneratorState = new GeneratorState(this, limits)
  /** Places of the items that came and were not taken, and how many were. */
  readonly came: number[] = []
  taken = 0
  over = false
  readonly items: number
  readonly stopsAfter: number
  readonly #streams: OwnedStreams
  readonly #number: number
  #tell: (allowance: Allowance) => void = () => {}
  /** Where the present attempt runs. */
  #node: NodeId | undefined
  #isPaused = false
  #pausedAtMs = 0
  #ranSinceMs = 0

  constructor(streams: OwnedStreams, number: number, items: number, stopsAfter: number) {
    this.#streams = streams
    this.#number = number
    this.items = items
    this.stopsAfter = stopsAfter
  }

  allocate(count: number): number {
    return this.#streams.owner.table.allocate(count)
  }

  giveUp(number: number, count: number, stored: boolean): void {
    const { owner } = this.#streams
    const items = Array.from({ length: count }, (_, i) => number + i)
    if (!stored || this.#node === undefined) return items.forEach((item) => owner.table.release(item))
    owner.strayed(number, count, this.#node)
    for (const item of items) {
      owner.refs.retainOwned(item)
      // They have no value, and nobody waits for one.
      owner.outcomes.set(item, { error: true, refs: [] })
    }
    const refs = items.map((item) => owner.refOf(item))
    // A worker that runs on may store more of them, and be ended before it tells.
    if (this.state.ended && owner.keepLate(this.#number, refs)) return
    for (const ref of refs) owner.release(ref)
  }

  allow(allowance: Allowance): void {
    const { index, count, taken } = allowance
    const ahead = index + count - taken
    demand(ahead <= limits.mostItems, 'not-too-far-ahead', () => `task ${this.#number} may be ${ahead} items ahead`)
    this.#tell(allowance)
  }

  pushed(attempt: number, node: NodeId, tell: (allowance: Allowance) => void): void {
    this.#tell = tell
    this.#ranSinceMs = this.#streams.now
    this.#isPaused = false
    // What is given up by that is of the attempt before.
    this.state.pushed(attempt)
    this.#node = node
    this.tellPause()
  }

  /** What was under way to a worker that is gone is not taken; what is taken is what comes next. */
  item({ number, place, stored }: Item): boolean {
    if (!this.state.item(number, sizeOf(place))) return false
    const next = this.taken + this.came.length
    demand(place === next, 'items-in-order', () => `item ${place} of task ${this.#number} came, and ${next} was next`)
    this.came.push(place)
    if (stored !== undefined) this.#streams.itemStored(number, stored)
    this.tellPause()
    return true
  }

  take(): boolean {
    const number = this.state.take()
    if (number === undefined) return false
    this.came.shift()
    this.taken++
    this.#streams.itemTaken(number)
    this.tellPause()
    return true
  }

  /** How long it has run since it was pushed, in milliseconds. */
  get ranMs(): number {
    return (this.#isPaused ? this.#pausedAtMs : this.#streams.now) - this.#ranSinceMs
  }

  tellPause(): void {
    const { paused } = this.state
    if (paused === this.#isPaused) return
    if (paused) this.#pausedAtMs = this.#streams.now
    else this.#ranSinceMs += this.#streams.now - this.#pausedAtMs
    this.#isPaused = paused
    this.#streams.owner.submit.paused(this.#number, paused)
  }
}

/** Those of one owner, with who consumes them. */
export class OwnedStreams {
  readonly owner: SimOwner
  readonly #random: Random
  readonly #open = new Map<number, OwnedStream>()

  constructor(owner: SimOwner) {
    this.owner = owner
    this.#random = seededRandom(owner.world.seed ^ Number.parseInt(owner.process.id, 16) ^ 0x9e4)
  }

  get now(): number {
    return this.owner.world.clock.now()
  }

  get size(): number {
    return this.#open.size
  }

  /** A driver calls a generator. Draws are its own, so that the rest of a history is as it was without. */
  begin(): void {
    const { owner } = this
    const random = this.#random
    if (random.next() >= 0.25) return
    const template = owner.template('task', [['CPU', 10_000]], {
      maxRetries: random.next() < 0.6 ? 0 : 3,
      retryExceptions: random.next() < 0.5,
      timeoutMs: random.next() < 0.3 ? 60 : 0,
      numReturns: 1,
    })
    const items = Math.floor(random.next() * 25)
    const behaviour = {
      ...{ durationMs: random.next() * 3, children: 0, awaitsChildren: false, getsRefs: false, returnsRefs: false },
      ...{ keepsRefs: false, throws: random.next() < 0.3 ? 0.5 : 0, heedsAbort: random.next() < 0.7, resultBytes: 0 },
      items,
    }
    const stopsAfter = random.next() < 0.2 ? Math.floor(random.next() * 10) : Infinity
    owner.start({ template, behaviour, awaited: [], contained: [], depth: 0 }, (number) => {
      const stream = new OwnedStream(this, number, items, stopsAfter)
      this.#open.set(number, stream)
      this.#consume(number, stream)
    })
    owner.world.count('generators')
  }

  pushed(number: number, attempt: number, node: NodeId, tell: (allowance: Allowance) => void): void {
    this.#open.get(number)?.pushed(attempt, node, tell)
  }

  /** One that nobody takes is not left in its store. */
  item(number: number, item: Item): void {
    if (this.#open.get(number)?.item(item) === true || item.stored === undefined) return
    this.owner.world.count('item not taken')
    this.owner.values.freeAt(item.node, keyOf(this.owner.refOf(item.number)))
  }

  /** An item has come, and lies in a store: it is held until its consumer has had it. */
  itemStored(number: number, stored: Stored): void {
    const { owner } = this
    owner.world.count('item stored')
    owner.refs.retainOwned(number)
    owner.world.checks.held(owner.refOf(number), owner.process.id)
    owner.outcomes.set(number, { error: false, refs: [], stored })
  }

  itemTaken(number: number): void {
    const { owner } = this
    const stored = owner.outcomes.get(number)?.stored
    const ref = owner.refOf(number)
    if (stored === undefined) owner.table.release(number)
    else if (stored.holders.length === 0) owner.release(ref)
    else
      owner.values.read(ref, stored, (reading) => {
        owner.world.count(reading === undefined ? 'item lost' : 'item read')
        if (reading !== undefined) owner.values.drop(reading)
        owner.release(ref)
      })
  }

  /** By the answer of its worker, or from outside. */
  settled(number: number, answered: boolean, failed: boolean): void {
    const stream = this.#open.get(number)
    if (stream === undefined) return
    stream.state.end(answered)
    const { arrived } = stream.state
    const whole = failed || arrived === stream.items
    demand(whole, 'every-item', () => `task ${number} is over with ${arrived} of ${stream.items} items`)
  }

  timedOut(number: number, timeoutMs: number): void {
    const { ranMs } = this.#open.get(number) ?? { ranMs: timeoutMs }
    const isOver = ranMs >= timeoutMs - 0.001
    demand(isOver, 'run-time-alone', () => `task ${number} ran for ${ranMs} of ${timeoutMs} ms when its time was over`)
  }

  /** How many items its consumer has had. */
  takenOf(number: number): number {
    return this.#open.get(number)?.taken ?? Infinity
  }

  #consume(number: number, stream: OwnedStream): void {
    const { world, process } = this.owner
    const slow = this.#random.next() < 0.2
    world.network.after(process, this.#random.next() * (slow ? 60 : 3), 'takes an item', () => {
      const isOver = stream.state.ended && stream.state.buffered === 0
      if (isOver || stream.taken >= stream.stopsAfter) return this.#close(number, stream)
      stream.take()
      this.#consume(number, stream)
    })
  }

  /** Its consumer wants no more. */
  #close(number: number, stream: OwnedStream): void {
    const { owner } = this
    if (!stream.state.ended) owner.cancel(number, false)
    while (stream.take());
    this.#open.delete(number)
    owner.release([owner.process.id, number, owner.process.nodeId])
  }
}

interface Running {
  readonly task: PushedTask
  readonly window: ItemWindowState
  isPaused: boolean
  isLending: boolean
}

export interface StreamPorts {
  readonly worker: SimWorker
  send(task: PushedTask, item: Item): void
  end(task: PushedTask, failed: boolean): void
  blocked(task: PushedTask): void
  unblocked(task: PushedTask): void
}

/** Those that run in a worker, from the push on. */
export class WorkerStreams {
  readonly #ports: StreamPorts
  readonly #windows = new Map<string, ItemWindowState>()
  readonly #running = new Map<string, Running>()

  constructor(ports: StreamPorts) {
    this.#ports = ports
  }

  opened(epoch: number, sequence: number): void {
    this.#windows.set(`${epoch}.${sequence}`, new ItemWindowState(limits.bytes))
  }

  allow(epoch: number, sequence: number, { index, number, count, taken }: Allowance): void {
    const key = `${epoch}.${sequence}`
    this.#windows.get(key)?.allow(index, number, count, taken)
    const running = this.#running.get(key)
    if (running === undefined || !running.isPaused || !running.window.mayMake) return
    running.isPaused = false
    if (running.isLending) this.#ports.unblocked(running.task)
    running.isLending = false
    this.#next(running)
  }

  run(task: PushedTask): void {
    const key = `${task.epoch}.${task.sequence}`
    const window = this.#windows.get(key) as ItemWindowState
    const running = { task, window, isPaused: false, isLending: false }
    this.#running.set(key, running)
    this.#next(running)
  }

  #next(running: Running): void {
    const { task, window } = running
    const { worker } = this.#ports
    if (task.over) return
    const { items = 0, throws } = task.call.behaviour
    if (!window.mayMake) return this.#pause(running)
    if (window.made === items) return this.#ports.end(task, worker.world.random.next() < throws)
    const place = window.made
    const number = window.make()
    const goOn = (): void => worker.after(0.1, 'next item', () => this.#next(running))
    if (number !== undefined) {
      const ahead = place + 1 - worker.world.takenBy(task.owner, task.number)
      demand(ahead <= limits.mostItems, 'not-too-far-ahead', () => `task ${task.number} is ${ahead} items ahead`)
      window.sent(sizeOf(place))
      return this.#send(task, number, place, goOn)
    }
    worker.world.count('item skipped')
    goOn()
  }

  /** A large one goes into the store of this machine before it is told; it is told whatever has become of the task. */
  #send(task: PushedTask, number: number, place: number, then: () => void): void {
    const { worker } = this.#ports
    const { epoch, sequence } = task
    const item = { epoch, sequence, number, place, node: worker.nodeId }
    const end = (stored?: Stored): void => {
      this.#ports.send(task, stored === undefined ? item : { ...item, stored })
      worker.world.count('item')
      then()
    }
    const sizeBytes = storedBytes(place)
    if (sizeBytes === 0 || !worker.world.options.locates) return end()
    const ref = [task.owner, number, worker.nodeId] as const
    task.isStoring = true
    worker.objects.values.put(ref, sizeBytes, task.attempt, (stored) => {
      task.isStoring = false
      if (typeof stored !== 'string') return end(stored)
      // No room: that is an error of the generator.
      worker.world.count('item refused')
      this.#ports.end(task, true)
    })
  }

  #pause(running: Running): void {
    running.isPaused = true
    const { worker } = this.#ports
    worker.world.count('generator paused')
    worker.after(lendAfterMs, 'lends its CPU', () => {
      if (!running.isPaused || running.isLending || running.task.over) return
      running.isLending = true
      this.#ports.blocked(running.task)
    })
  }
}
