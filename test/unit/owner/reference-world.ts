/** Several processes that hold, pass and drop refs; their messages arrive in any order, and processes die. */
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { ReferenceState } from '../../../runtime/owner/reference-state.ts'
import { MapCountStore, type Peer, type ReferenceEffects } from '../../../runtime/owner/reference-types.ts'
import type { RefTuple } from '../../../runtime/protocol/messages.ts'
import { Containers, nameOf } from '../../simulation/containers.ts'

const node = 'aaaaaaaaaaaaaaaa' as NodeId

interface Letter {
  readonly from: ProcessId
  readonly to: ProcessId
  readonly name: string
  deliver(to: Process): void
}

interface Task {
  readonly number: number
  readonly submitter: Process
  readonly result: number
  readonly pins: RefTuple[]
  /** Values of arguments travel with them, and may contain refs. */
  readonly inside: RefTuple[]
  worker: Process
}

export class Process {
  readonly peer: Peer
  readonly counts: MapCountStore = new MapCountStore()
  readonly refs: ReferenceState
  readonly world: World
  handles: RefTuple[] = []
  readonly running: Set<Task> = new Set<Task>()
  readonly submitted: Set<Task> = new Set<Task>()
  readonly ready: Map<number, readonly RefTuple[]> = new Map()
  readonly freed: Set<number> = new Set<number>()
  readonly watched: Set<ProcessId> = new Set<ProcessId>()
  alive = true
  created = 0

  constructor(world: World, id: string) {
    this.world = world
    this.peer = { process: id as ProcessId, node }
    this.refs = new ReferenceState(this.peer, this.#effects(), this.counts)
  }

  get id(): ProcessId {
    return this.peer.process
  }

  send(to: ProcessId, name: string, deliver: (to: Process) => void): void {
    this.world.post({ from: this.id, to, name, deliver })
  }

  put(refs: readonly RefTuple[]): void {
    const number = this.create()
    this.world.containers.withoutCycles([this.id, number, node], refs)
    this.refs.contain(number, refs)
    this.ready.set(number, refs)
  }

  create(): number {
    const number = this.created++
    this.refs.retainOwned(number)
    this.handles.push([this.id, number, node])
    return number
  }

  drop(index: number): void {
    const [ref] = this.handles.splice(index, 1)
    if (ref !== undefined) this.refs.release(ref[0], ref[1])
  }

  submit(worker: Process, args: RefTuple[]): void {
    for (const ref of args) this.refs.retain(ref)
    const inside = args.flatMap(([owner, number]) => (owner === this.id ? (this.ready.get(number) ?? []) : []))
    for (const ref of [...args, ...inside]) this.world.give(ref, this.id, worker.id)
    const task = { number: this.world.tasks++, submitter: this, result: this.create(), pins: args, inside, worker }
    this.submitted.add(task)
    this.send(worker.id, `push ${task.number}`, (to) => to.start(task))
  }

  start(task: Task): void {
    this.running.add(task)
    for (const ref of [...task.pins, ...task.inside]) {
      this.refs.decodeInTask(ref, task.number)
      this.handles.push(ref)
    }
  }

  end(task: Task, wanted: RefTuple[], retry: Process | undefined): void {
    this.running.delete(task)
    const contained = this.world.containers.withoutCycles([task.submitter.id, task.result, node], wanted)
    const { borrowed, ackId } = this.refs.reply(task.number, task.submitter.peer, contained)
    for (const ref of [...borrowed, ...contained]) this.world.give(ref, this.id, task.submitter.id)
    this.send(task.submitter.id, `done ${task.number}`, (to) => {
      const settled = retry === undefined || !retry.alive
      const results = [{ number: task.result, refs: contained }]
      to.refs.replied({ worker: this.peer, pins: task.pins, settled, borrowed, results, ackId })
      if (settled) {
        to.submitted.delete(task)
        if (to.refs.isHeld(to.id, task.result)) to.ready.set(task.result, contained)
        return
      }
      task.worker = retry
      for (const ref of [...task.pins, ...task.inside]) this.world.give(ref, to.id, retry.id)
      to.send(retry.id, `push ${task.number}`, (worker) => worker.start(task))
    })
  }

  /** Brings a value here and decodes it. */
  get(ref: RefTuple): void {
    if (!this.world.process(ref[0]).alive) return
    this.refs.retain(ref)
    const asked = { asker: this, ref }
    const decode = (inside: readonly RefTuple[]): void => {
      this.world.gets.delete(asked)
      for (const inner of inside) this.world.give(inner, ref[0], this.id, ref)
      this.refs.decodeWithin(ref, inside)
      this.handles.push(...inside)
      this.refs.release(ref[0], ref[1])
    }
    if (ref[0] === this.id) return decode(this.ready.get(ref[1]) ?? [])
    this.world.gets.add(asked)
    this.send(ref[0], 'objectGet', (owner) => {
      const inside = owner.ready.get(ref[1]) ?? []
      // The bytes travel; their refs are protected by the object, which the asker pins.
      owner.send(this.id, 'objectValue', () => decode(inside))
    })
  }

  #effects(): ReferenceEffects {
    return {
      free: (number) => {
        if (this.freed.has(number)) throw new Error(`${this.id} frees ${number} twice`)
        this.freed.add(number)
        this.ready.delete(number)
      },
      sendAdd: (owner, requestId, numbers, borrower) =>
        this.send(owner.process, 'refAdd', (to) => to.refs.refAdd(this.id, requestId, numbers, borrower)),
      sendAck: (to, requestId) => this.send(to, 'refAck', (asker) => asker.refs.refAcked(requestId)),
      sendRemove: (owner, numbers, adder) =>
        this.send(owner.process, 'refRemove', (to) => to.refs.refRemove(numbers, this.id, adder)),
      sendReplyAck: (worker, ackId) => this.send(worker, 'replyAck', (to) => to.refs.replyAcked(ackId)),
      ownerDied: () => undefined,
      watch: (peer) => {
        this.watched.add(peer.process)
        if (!this.world.process(peer.process).alive) this.world.tell(this, peer.process)
      },
      unwatch: (process) => this.watched.delete(process),
    }
  }
}

export class World {
  readonly processes: Process[]
  readonly gets: Set<{ asker: Process; ref: RefTuple }> = new Set()
  letters: Letter[] = []
  tasks = 1
  readonly containers: Containers = new Containers()
  /** By ref and receiver: who passed it, and inside of what. When one of them has died, the ref may be lost with it. */
  readonly #givers: Map<string, { readonly from: ProcessId; readonly inside: RefTuple }[]> = new Map()

  constructor(count: number) {
    this.processes = Array.from({ length: count }, (_, index) => new Process(this, `p${index}`))
  }

  process(id: ProcessId): Process {
    return this.processes.find((process) => process.id === id) as Process
  }

  post(letter: Letter): void {
    if (this.process(letter.to).alive) this.letters.push(letter)
  }

  give(ref: RefTuple, from: ProcessId, to: ProcessId, inside: RefTuple = ref): void {
    const key = `${nameOf(ref)} ${to}`
    this.#givers.set(key, [...(this.#givers.get(key) ?? []), { from, inside }])
  }

  deliver(index: number): void {
    const [letter] = this.letters.splice(index, 1)
    if (letter === undefined) return
    const to = this.process(letter.to)
    if (to.alive) letter.deliver(to)
  }

  /** What a dead process still had on its way to `to` is refused from now on. */
  tell(to: Process, dead: ProcessId): void {
    const letter: Letter = {
      from: to.id,
      to: to.id,
      name: `dead ${dead}`,
      deliver: () => {
        this.letters = this.letters.filter((other) => other.from !== dead || other.to !== to.id)
        to.refs.processDead(dead)
        for (const task of to.submitted) if (task.worker.id === dead) this.#giveUp(to, task)
        for (const get of this.gets) {
          if (get.asker !== to || get.ref[0] !== dead) continue
          this.gets.delete(get)
          to.refs.release(get.ref[0], get.ref[1])
        }
      },
    }
    this.letters.push(letter)
  }

  kill(process: Process): void {
    process.alive = false
    this.letters = this.letters.filter((letter) => letter.to !== process.id)
    for (const other of this.processes) if (other.alive) this.tell(other, process.id)
  }

  #giveUp(submitter: Process, task: Task): void {
    submitter.submitted.delete(task)
    for (const [owner, number] of task.pins) submitter.refs.release(owner, number)
  }

  isTainted(ref: RefTuple, holder: ProcessId, seen: Set<string> = new Set()): boolean {
    const key = `${nameOf(ref)} ${holder}`
    if (seen.has(key)) return false
    seen.add(key)
    if (!this.process(holder).alive) return true
    return (this.#givers.get(key) ?? []).some(
      ({ from, inside }) => this.isTainted(ref, from, seen) || (inside !== ref && this.isTainted(inside, holder, seen)),
    )
  }

  /** No ref that is held names an object that was freed. */
  check(): void {
    for (const holder of this.processes) {
      if (!holder.alive) continue
      holder.refs.validate()
      const pins = [...holder.submitted].flatMap((task) => task.pins)
      const held = [...holder.handles, ...pins, ...[...holder.ready.values()].flat()]
      for (const ref of held) {
        const owner = this.process(ref[0])
        if (!owner.alive || !owner.freed.has(ref[1]) || this.isTainted(ref, holder.id)) continue
        throw new Error(`${holder.id} holds ${nameOf(ref)}, which was freed`)
      }
    }
  }
}
