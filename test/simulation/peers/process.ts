/**
 * A process with the runtime's own way to others: `ProcessDialer` with its sessions, `Peers`, `Borrowing`. It owns
 * objects, hands refs to others with tasks, and gets refs back with their results.
 */
import { ConnectionLostError } from '../../../runtime/base/errors.ts'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { Borrowing } from '../../../runtime/owner/borrowing.ts'
import { ProcessDialer } from '../../../runtime/owner/dial-process.ts'
import { Peers } from '../../../runtime/owner/peers.ts'
import { MapCountStore, type Peer } from '../../../runtime/owner/reference-types.ts'
import type { Message, RefTuple } from '../../../runtime/protocol/messages.ts'
import type { LocalHello } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import type { PeerWorld } from './world.ts'

export const node = 'aaaaaaaaaaaaaaaa' as NodeId

export interface Handed {
  readonly id: number
  readonly submitter: PeerProcess
  readonly worker: PeerProcess
  readonly refs: readonly RefTuple[]
  /** The object of the submitter that the result becomes. */
  readonly result: number
  link: Link | undefined
}

/** Numbers of message types that the runtime does not have. */
const push = 1_001
const done = 1_002

export class PeerProcess {
  readonly peer: Peer
  readonly counts: MapCountStore = new MapCountStore()
  readonly dialer: ProcessDialer
  readonly peers: Peers
  readonly borrowing: Borrowing
  readonly handles: RefTuple[] = []
  /** What others run for it, and what it runs for others, with the link that it came by. */
  readonly submitted: Set<Handed> = new Set<Handed>()
  readonly running: Map<Handed, Link> = new Map<Handed, Link>()
  /** What the results of its tasks contain, by their number. */
  readonly contents: Map<number, readonly RefTuple[]> = new Map()
  readonly freed: Set<number> = new Set<number>()
  /** Refs of others of which it was told that their owner is lost. */
  readonly lost: Set<string> = new Set<string>()
  readonly world: PeerWorld
  created = 0

  constructor(world: PeerWorld, id: ProcessId) {
    this.world = world
    this.peer = { process: id, node }
    this.dialer = new ProcessDialer({
      self: this.hello,
      token: 'unused',
      clock: world.clock,
      dial: ({ to, from }) => world.dial(this, to === 'any' ? id : to.process, from),
      home: () => ({ unix: 'unused' }),
      homeLink: () => Promise.reject(new Error('there is no home')),
      runFolder: undefined,
      findNode: () => Promise.resolve(undefined),
      onLink: (link) => this.peers.adopt(link),
      onParted: (process) => {
        this.world.count('parted without a link')
        this.#parted(process)
      },
    })
    const home = { dial: (address: Peer) => this.dialer.link(address), sessions: this.dialer }
    this.peers = new Peers(home as unknown as ConstructorParameters<typeof Peers>[0], {
      attached: (link) => {
        link.onMessage = (message) => this.#heard(link, message as unknown as Message)
      },
      gone: (process) => this.#gone(process),
    })
    const events = {
      free: (number: number): void => this.#free(number),
      // Its objects have no copies elsewhere.
      readerGone: (): void => {},
      ownerDied: (owner: ProcessId, number: number): void => void this.lost.add(`${owner}:${number}`),
    }
    this.borrowing = new Borrowing(this.peer, this.peers, this.counts, events, world.clock)
  }

  get id(): ProcessId {
    return this.peer.process
  }

  get hello(): LocalHello {
    return { kind: 'worker', node, process: this.peer.process }
  }

  put(): RefTuple {
    const number = this.#create()
    const ref: RefTuple = [this.id, number, node]
    this.handles.push(ref)
    return ref
  }

  drop(index: number): void {
    const [ref] = this.handles.splice(index, 1)
    if (ref !== undefined) this.#release(ref)
  }

  /** Hands refs to another process with a task. */
  submit(worker: PeerProcess, refs: readonly RefTuple[]): void {
    for (const ref of refs) this.borrowing.state.retain(ref)
    const task: Handed = {
      ...{ id: this.world.tasks++, submitter: this, worker, refs, result: this.#create() },
      link: undefined,
    }
    this.handles.push([this.id, task.result, node])
    this.submitted.add(task)
    this.peers.reach(worker.peer).then(
      (link) => {
        if (!this.submitted.has(task)) return
        if (link.closed) return this.#giveUp(task)
        task.link = link
        for (const ref of refs) this.world.give(ref, this, worker)
        link.send([push, task] as never)
      },
      () => this.#giveUp(task),
    )
  }

  /** A task that runs here ends; its result contains some of what this process holds. */
  end(task: Handed, wanted: readonly RefTuple[]): void {
    const link = this.running.get(task) as Link
    this.running.delete(task)
    const contained = this.world.containers.withoutCycles([task.submitter.id, task.result, node], wanted)
    // As a worker does it whose owner is gone.
    if (link.closed) return this.borrowing.state.leaveTask(task.id)
    const { borrowed, ackId } = this.borrowing.state.reply(task.id, task.submitter.peer, contained)
    for (const ref of [...borrowed, ...contained]) this.world.give(ref, this, task.submitter)
    link.send([done, task, contained, borrowed, ackId] as never)
  }

  /** Everything that it holds for itself. */
  held(): RefTuple[] {
    const pins = [...this.submitted].flatMap(({ refs }) => refs)
    return [...this.handles, ...pins, ...[...this.contents.values()].flat()]
  }

  finish(): void {
    for (const task of this.running.keys()) this.end(task, [])
    while (this.handles.length > 0) this.drop(0)
  }

  #create(): number {
    const number = ++this.created
    this.borrowing.state.retainOwned(number)
    return number
  }

  #release([owner, number]: RefTuple): void {
    this.borrowing.state.release(owner, number)
    this.borrowing.released()
  }

  #free(number: number): void {
    if (this.freed.has(number)) throw new Error(`${this.id} frees ${number} twice`)
    this.freed.add(number)
    this.contents.delete(number)
  }

  #heard(link: Link, message: Message): void {
    if (this.borrowing.received(link, message)) return
    const [type, task, ...rest] = message as unknown as readonly [number, Handed, ...unknown[]]
    if (type === push) this.#start(task, link)
    else this.#ended(link, task, rest as never)
  }

  #start(task: Handed, link: Link): void {
    this.running.set(task, link)
    for (const ref of task.refs) {
      this.lost.delete(`${ref[0]}:${ref[1]}`)
      this.borrowing.state.decodeInTask(ref, task.id)
      this.handles.push(ref)
    }
  }

  #ended(
    link: Link,
    task: Handed,
    [contained, borrowed, ackId]: readonly [readonly RefTuple[], readonly RefTuple[], number],
  ): void {
    if (!this.submitted.delete(task)) throw new ConnectionLostError('an answer comes by a link that is over')
    const results = [{ number: task.result, refs: contained }]
    for (const ref of contained) this.lost.delete(`${ref[0]}:${ref[1]}`)
    if (this.borrowing.state.isHeld(this.id, task.result)) this.contents.set(task.result, contained)
    const worker = { process: link.peer.process, node: link.peer.node }
    this.borrowing.state.replied({ worker, pins: task.refs, settled: true, borrowed, results, ackId })
    this.borrowing.released()
  }

  #giveUp(task: Handed): void {
    if (!this.submitted.delete(task)) return
    for (const ref of task.refs) this.#release(ref)
  }

  #gone(process: ProcessId): void {
    for (const task of [...this.submitted])
      if (task.worker.id === process && task.link !== undefined) this.#giveUp(task)
    this.#parted(process)
  }

  #parted(process: ProcessId): void {
    this.world.parted(this.id, process)
    this.borrowing.gone(process)
  }
}
