/** A simulated worker process: `ExecutorState` over a claim page, programs that take time, and an owner of its own. */
import { objectKey, type NodeId, type ProcessId } from '../../runtime/base/ids.ts'
import { randomInteger } from '../../runtime/base/random.ts'
import type { PullReport } from '../../runtime/objects/pull-failures.ts'
import type { Peer } from '../../runtime/owner/reference-types.ts'
import { type Message, MessageType, type RefTuple } from '../../runtime/protocol/messages.ts'
import { ExecutorState } from '../../runtime/worker/executor-state.ts'
import { answerOf, WorkerAnswers } from './left-answers.ts'
import type { Endpoint } from './network.ts'
import type { SimNode } from './node.ts'
import { type Answer, SimOwner } from './owner.ts'
import { WorkerStreams } from './streams.ts'
import { type Call, type PushedTask, refKey, type Stored } from './tasks.ts'
import type { World } from './world.ts'

export interface PushMessage {
  readonly owner: Peer
  readonly job: ProcessId
  readonly link: number
  readonly epoch: number
  readonly sequence: number
  readonly number: number
  readonly attempt: number
  readonly call: Call
  readonly inside: readonly RefTuple[]
  readonly values: PushedTask['values']
}

/** How long a worker that was asked to leave may take, in milliseconds. */
const gracefulMs = 2_000

type OwnerProcess = Endpoint & { readonly objects: SimOwner }

export class SimWorker implements Endpoint {
  readonly id: ProcessId
  readonly nodeId: NodeId
  alive = true
  paused = false
  readonly inbox: (() => void)[] = []
  readonly world: World
  readonly executor: ExecutorState<PushedTask>
  readonly objects: SimOwner
  readonly streams: WorkerStreams
  readonly answers: WorkerAnswers
  /** Refs that outlived their tasks. */
  readonly kept: RefTuple[] = []
  readonly running: Set<PushedTask> = new Set<PushedTask>()
  readonly #owners = new Map<number, { readonly owner: Peer; readonly link: number }>()
  readonly #loaded = new Set<string>()
  #nextLocal = 1
  #holds = false

  constructor(world: World, id: ProcessId, node: NodeId) {
    this.world = world
    this.id = id
    this.nodeId = node
    this.objects = new SimOwner(world, this, id)
    this.answers = new WorkerAnswers(this)
    const page = world.pageOf(id)
    this.streams = new WorkerStreams({
      worker: this,
      send: (task, item) =>
        this.#tellOwner(task.epoch, 'generatorItem', (owner, link) => {
          let standing = -1
          owner.fromLease(this.id, task.epoch, link, (index) => {
            standing = owner.submit.standing(index, item.sequence)
          })
          owner.streams.item(standing, item)
        }),
      end: (task, failed) => this.#end(task, failed ? 'user' : undefined),
      blocked: (task) => this.#blocked(task),
      unblocked: (task) => this.#unblocked(task),
    })
    this.executor = new ExecutorState<PushedTask>(
      {
        run: (task) => this.#run(task),
        giveBack: (epoch, sequences) => {
          this.#tell(epoch, 'returned', (owner, index) => owner.returned(index, sequences))
        },
        passedOver: (epoch, sequence) => {
          this.#tell(epoch, 'returned', (owner, index) => owner.returned(index, [sequence]))
        },
        isLoaded: (task) => this.#loaded.has(this.#functionOf(task)),
        load: (task) =>
          this.after(this.world.random.next() * 5, 'loaded', () => {
            this.#loaded.add(this.#functionOf(task))
            this.executor.loaded(task.epoch)
          }),
        rest: () => this.answers.rests(),
      },
      (epoch, sequence) => page.start(epoch, sequence),
    )
  }

  after(delayMs: number, what: string, act: () => void): void {
    this.world.network.after(this, delayMs, what, act)
  }

  /** The node manager begins a lease here. */
  leaseStart(epoch: number, job: ProcessId, others: readonly number[]): void {
    this.objects.job = job
    this.executor.openLine(epoch, others)
    for (const known of this.#owners.keys()) {
      if (this.executor.hasLine(known)) continue
      this.#owners.delete(known)
      this.answers.over(known)
    }
  }

  push(message: PushMessage): void {
    this.#owners.set(message.epoch, message)
    // It may overtake the word of the node manager.
    this.objects.job = message.job
    const { epoch, sequence, call, inside } = message
    if (call.behaviour.items !== undefined) this.streams.opened(epoch, sequence)
    // Field by field: a spread of a message takes a tenth of a history.
    this.executor.push({
      state: 'waiting',
      owner: message.owner.process,
      link: message.link,
      epoch,
      sequence,
      number: message.number,
      attempt: message.attempt,
      call,
      inside,
      values: message.values,
      local: this.#nextLocal++,
      aborted: false,
      over: false,
      waits: 0,
      told: false,
      isStoring: false,
      handles: [],
      children: [],
      readings: [],
      reports: new Map(),
      borrows: call.contained.length + inside.length > 0,
    })
  }

  abort(epoch: number, sequence: number, recursive: boolean): void {
    for (const task of this.running) {
      if (task.epoch !== epoch || task.sequence !== sequence) continue
      task.aborted = true
      if (recursive) for (const child of task.children) this.objects.submit.cancel(child, 'its caller', false, true)
      if (!task.call.behaviour.heedsAbort) continue
      const end = (): void => {
        if (task.isStoring) this.after(1, 'aborted', end)
        else this.#end(task, 'cancelled')
      }
      this.after(this.world.random.next() * 3, 'aborted', end)
    }
  }

  gone(peer: ProcessId): void {
    if (peer === this.nodeId) return this.world.kill(this)
    if (this.world.isNode(peer)) this.objects.nodeGone(peer)
    this.objects.gone(peer)
    for (const [epoch, { owner }] of this.#owners) {
      if (owner.process !== peer) continue
      this.#owners.delete(epoch)
      this.executor.closeLine(epoch)
    }
  }

  /** The node manager asks it to leave; it does when nobody needs it any more, and is killed when that lasts. */
  exit(): void {
    this.executor.closeAll()
    this.after(gracefulMs, 'graceful end is over', () => this.world.kill(this))
    this.#leaveWhenIdle()
  }

  #leaveWhenIdle(): void {
    if (this.executor.sizes().busy === 0 && !this.holds) this.world.leave(this)
    else this.after(10, 'leave', () => this.#leaveWhenIdle())
  }

  /** Whether others may need it: for its objects, its own calls, or the refs that it has passed on. */
  get holds(): boolean {
    const { table, refs, values } = this.objects
    return table.size > 0 || refs.size() > 0 || values.size > 0
  }

  /** After each event: an idle worker that holds objects is not to be ended. */
  settle(): void {
    this.objects.refs.validate()
    if (this.holds === this.#holds) return
    const holds = !this.#holds
    this.#holds = holds
    this.#tellNode('holds', (node) => node.grants.workerHolds(this.id, holds))
  }

  dropKept(): void {
    for (const ref of this.kept.splice(0)) this.objects.release(ref)
  }

  #functionOf(task: PushedTask): string {
    return `${task.owner}/${task.call.template.number}`
  }

  #tell(epoch: number, what: string, tell: (owner: SimOwner, index: number) => void): void {
    this.#tellOwner(epoch, what, (owner, link) => owner.fromLease(this.id, epoch, link, (index) => tell(owner, index)))
  }

  #tellOwner(epoch: number, what: string, tell: (owner: SimOwner, link: number) => void): void {
    const to = this.#owners.get(epoch)
    if (to === undefined) return
    this.world.network.send<OwnerProcess>(this, to.owner.process, what, ({ objects }, link) => tell(objects, link))
  }

  #run(task: PushedTask): void {
    const { call, inside, owner, number, attempt } = task
    this.world.note(this, `starts ${number}/${attempt} of ${owner} as ${task.epoch}.${task.sequence}`)
    this.answers.works()
    this.running.add(task)
    for (const ref of [...call.contained, ...inside]) {
      this.objects.refs.decodeInTask(ref, task.local)
      this.#hold(task, ref)
    }
    this.#readArguments(task, [...task.values])
  }

  /** Values that are in stores are brought here and mapped, one after the other. */
  #readArguments(task: PushedTask, left: PushedTask['values'][number][]): void {
    const next = left.shift()
    if (next === undefined) return this.#begin(task)
    this.objects.values.read(next[0], next[1], (reading, report) => {
      if (task.over) return reading && this.objects.values.drop(reading)
      if (reading === undefined && report === undefined) {
        // That counts as a run of it.
        this.world.checks.started(task.owner, task.number, task.attempt)
        return this.#end(task, 'user')
      }
      if (reading === undefined) {
        task.reports.set(refKey(next[0]), report as PullReport)
        return this.#end(task, 'arguments')
      }
      task.readings.push(reading)
      this.#readArguments(task, left)
    })
  }

  #begin(task: PushedTask): void {
    this.world.checks.started(task.owner, task.number, task.attempt)
    const { durationMs } = task.call.behaviour
    if (durationMs === 0) return this.#middle(task)
    this.after(durationMs * (0.2 + this.world.random.next() * 0.4), 'middle', () => this.#middle(task))
  }

  #middle(task: PushedTask): void {
    if (task.over) return
    const { behaviour, depth } = task.call
    const gets: RefTuple[] = []
    if (behaviour.getsRefs) gets.push(...task.handles)
    for (let i = 0; i < behaviour.children; i++) {
      const call = this.world.workload.nested(this.objects, depth + 1, task.handles)
      const results = this.objects.start(call)
      task.children.push((results[0] as RefTuple)[1])
      for (const ref of results) this.#hold(task, ref)
      if (behaviour.awaitsChildren) gets.push(...results)
    }
    this.#getAll(task, gets)
  }

  #getAll(task: PushedTask, refs: readonly RefTuple[]): void {
    task.waits = refs.length
    if (refs.length > 0) this.world.note(this, `${task.number} of ${task.owner} gets ${refs.map(refKey).join(' ')}`)
    for (const ref of refs) {
      this.objects.get(ref, (handles) => {
        // What comes after the end of the task is let go of at once.
        for (const inner of handles) {
          if (task.over) this.objects.release(inner)
          else task.handles.push(inner)
        }
        if (--task.waits === 0 && !task.over) this.#resumed(task)
      })
    }
    if (refs.length === 0) this.#last(task)
    else if (task.waits > 0) this.#blocked(task)
  }

  #blocked(task: PushedTask): void {
    if (task.state !== 'running') return
    task.told = true
    this.#tell(task.epoch, 'blocked', (owner, index) => owner.submit.blocked(index))
    this.#tellNode('blocked', (node) => node.blocked(this.id, task.epoch, true))
    this.executor.blocked(task)
  }

  #resumed(task: PushedTask): void {
    this.#unblocked(task)
    this.#last(task)
  }

  #unblocked(task: PushedTask): void {
    if (task.state !== 'blocked') return
    this.#tell(task.epoch, 'resumed', (owner, index) => owner.submit.resumed(index))
    this.#tellNode('resumed', (node) => node.blocked(this.id, task.epoch, false))
    this.executor.resumed(task)
  }

  #tellNode(what: string, tell: (node: SimNode) => void): void {
    this.world.network.send<SimNode>(this, this.nodeId, what, tell)
  }

  #last(task: PushedTask): void {
    const { durationMs, throws, items } = task.call.behaviour
    if (items !== undefined) return this.streams.run(task)
    const end = (): void => this.#end(task, this.world.random.next() < throws ? 'user' : undefined)
    if (durationMs === 0) end()
    else this.after(durationMs * 0.5, 'last', end)
  }

  #end(task: PushedTask, origin: Answer['origin']): void {
    if (task.over) return
    // It may end without what it waits for.
    this.#unblocked(task)
    task.over = true
    this.running.delete(task)
    const { behaviour, template } = task.call
    this.world.note(this, `ends ${task.number}/${task.attempt} of ${task.owner}: ${origin ?? 'done'}`)
    const refs = Array.from({ length: origin === undefined ? template.numReturns : 0 }, () =>
      behaviour.returnsRefs ? this.#some(task.handles) : [],
    )
    if (behaviour.resultBytes === 0 || origin !== undefined || !this.#owners.has(task.epoch))
      return this.#answer(
        task,
        origin,
        refs.map((inner) => ({ refs: inner })),
      )
    // Large results go into the store of this machine before they are told.
    let left = refs.length
    const stored: (Stored | string)[] = []
    refs.forEach((_, i) =>
      this.objects.values.put(
        [task.owner, task.number + i, this.nodeId],
        behaviour.resultBytes,
        task.attempt,
        (one) => {
          stored[i] = one
          if (--left > 0) return
          if (stored.some((each) => typeof each === 'string')) {
            stored.forEach((each, at) => {
              const key = objectKey({ owner: task.owner, number: task.number + at })
              if (typeof each === 'string') return
              this.world.losses.takenBack(key, this.nodeId)
              this.objects.values.store.delete(key)
            })
            return this.#answer(task, 'user', [])
          }
          this.#answer(
            task,
            origin,
            refs.map((inner, at) => ({ refs: inner, stored: stored[at] as Stored })),
          )
        },
      ),
    )
  }

  #answer(task: PushedTask, origin: Answer['origin'], results: Answer['results']): void {
    const owner = this.#owners.get(task.epoch)?.owner
    const { epoch, sequence, number, attempt, reports } = task
    const worker = { process: this.id, node: this.nodeId }
    const runMicros = Math.round(task.call.behaviour.durationMs * 1000)
    this.answers.answer(task, owner, [origin, runMicros], results, (message) => {
      const { process } = owner as Peer
      const what = origin === 'arguments' ? 'unread' : 'answer'
      const [borrowed, ackId] = lentIn(message)
      for (const ref of [...results.flatMap(({ refs }) => refs), ...borrowed]) this.world.checks.held(ref, process)
      const answer: Answer =
        message[0] === MessageType.done
          ? answerOf(worker, message)
          : { worker, epoch, sequence, number, attempt, runMicros, origin, results, borrowed, ackId, reports }
      this.world.network.send<OwnerProcess>(this, process, what, (to, link) => to.objects.answered(answer, link))
    })
    for (const reading of task.readings.splice(0)) this.objects.values.drop(reading)
    this.#letGo(task)
    this.executor.finished(task)
  }

  #letGo(task: PushedTask): void {
    for (const ref of task.handles.splice(0)) {
      if (task.call.behaviour.keepsRefs && this.world.random.next() < 0.5) this.kept.push(ref)
      else this.objects.release(ref)
    }
    if (this.kept.length > 0) this.after(this.world.random.next() * 400, 'drop kept', () => this.dropKept())
  }

  #hold(task: PushedTask, ref: RefTuple): void {
    task.handles.push(ref)
    this.world.checks.held(ref, this.id)
  }

  #some(refs: readonly RefTuple[]): RefTuple[] {
    return refs.filter(() => randomInteger(this.world.random, 2) === 0)
  }
}

/** The refs that an answer lends, and by what they are acknowledged. */
function lentIn(message: Message): readonly [readonly RefTuple[], number] {
  if (message[0] === MessageType.doneMany) return [message[5], message[6]]
  return message[0] === MessageType.failed ? [message[6], 0] : [[], 0]
}
