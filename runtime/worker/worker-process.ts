/**
 * A worker process: links to its node manager, listens for owners on a socket of its own, and runs what they push. It
 * is an owner too, of what its tasks submit.
 */
import { join } from 'node:path'
import { longestTimerMs, systemClock } from '../base/clock.ts'
import { collectGarbage } from '../base/garbage.ts'
import type { NodeId, ProcessId } from '../base/ids.ts'
import { spareMemory } from '../base/spare-memory.ts'
import { setImmediate } from '../base/timers.ts'
import { type ClaimPage, openClaimPage } from '../objects/claim-page.ts'
import { hasArena, objectsFolderOf } from '../objects/arena-file.ts'
import { nativeMemory, trimMalloc } from '../objects/native-memory.ts'
import type { ObjectStore } from '../objects/store.ts'
import { setCurrentRuntime } from '../owner/current.ts'
import { type Home, nodeSocketOf, openHome } from '../owner/home.ts'
import type { OwnerHost } from '../owner/host.ts'
import type { Owner } from '../owner/owner.ts'
import { linkToArena, type NodeStore, openNodeStore } from '../owner/node-store.ts'
import { Pulling } from '../owner/pulling.ts'
import { type WaitAwake, waitAwake } from '../owner/wait-awake.ts'
import { MessageType, type Message } from '../protocol/messages.ts'
import type { RefCodec } from '../objects/value.ts'
import type { Link } from '../transport/link.ts'
import { listenUnix } from '../transport/listen.ts'
import type { TokenSource } from '../transport/tokens.ts'
import { IdleCollection } from './idle-collection.ts'
import { IdleLending } from './idle-lending.ts'
import { LateOwner } from './late-owner.ts'
import { markOutput } from './output-marks.ts'
import { prepareContext, runningTask } from './task-context.ts'
import { TaskRunner } from './task-runner.ts'
import { WorkerCode } from './worker-code.ts'

/** How often a worker that holds objects looks whether it still does, in milliseconds. */
const holdsMs = 1_000
/** How often a worker gives memory back at the most, in milliseconds. */
const givesBackMs = 60_000
/**
 * How long the node may take to answer the hello, in milliseconds: as long as it likes. In local mode its program may keep it
 * busy; when it is gone the connection is, too.
 */
const nodeTimeoutMs = longestTimerMs

export interface WorkerStart {
  /** Whether the node lives in its one driver's process. */
  readonly local: boolean
  readonly worker: ProcessId
  readonly node: NodeId
  readonly runFolder: string
  readonly token: TokenSource
  /** How the class of object refs takes part in values. */
  readonly refCodec: RefCodec
}

export async function startWorker(start: WorkerStart): Promise<void> {
  const of = [start.runFolder, start.worker, () => worker.home] as const
  const files = hasArena(objectsFolderOf(start.runFolder)) ? undefined : await openNodeStore(...of)
  // What it takes to use an arena is loaded when a task does.
  const worker: WorkerProcess = new WorkerProcess(start, files, () => linkToArena(...of))
  await worker.start()
}

class WorkerProcess {
  readonly #start: WorkerStart
  #opened: NodeStore | undefined
  readonly #openStore: () => NodeStore
  readonly #nodeListeners = new Set<() => void>()
  #home!: Home
  #owner!: LateOwner
  #runner!: TaskRunner
  #pulling: Pulling | undefined
  #code!: WorkerCode
  /** A worker serves one job until its end; told with its first lease. */
  #job: ProcessId | undefined
  #page: ClaimPage | undefined | null = null
  readonly #lending = new IdleLending(systemClock, (epoch, lent) => {
    this.#home.link.send([lent ? MessageType.workerBlocked : MessageType.workerResumed, epoch])
  })
  readonly #collection = new IdleCollection({
    clock: systemClock,
    isIdle: () => this.#runner.running === 0,
    holds: () => this.#owner.known?.holdsAnything === true || (this.#opened?.pinned ?? 0) > 0,
    collect: collectGarbage,
  })
  readonly #memory = spareMemory(givesBackMs, trimMalloc)
  #awake: WaitAwake | undefined
  #leaving = false
  #endLines = (): void => {}
  /** What the node manager was told last. */
  #holds = false
  /** A look at whether it still holds something is due. */
  #isWatching = false

  constructor(start: WorkerStart, opened: NodeStore | undefined, openStore: () => NodeStore) {
    this.#start = start
    this.#opened = opened
    this.#openStore = openStore
  }

  get home(): Home {
    return this.#home
  }

  async start(): Promise<void> {
    const { worker, node, runFolder, token } = this.#start
    const self = { kind: 'worker', node, process: worker, info: { pid: process.pid } } as const
    // Begins to connect; the hello goes out in a later turn, when the socket below stands.
    const home = openHome({
      ...{ kind: 'worker', process: worker, node, token, runFolder, info: self.info, reconnectMs: 0 },
      ...{ address: { unix: nodeSocketOf(runFolder) }, connectTimeoutMs: nodeTimeoutMs },
      onMessage: (message) => this.#fromHome(message),
      onLink: (link) => {
        // Its owner, whose link this may be, hears so, and then sends: what its tasks need is made meanwhile.
        setImmediate(() => this.#prepare())
        return this.#owner.adopt(link)
      },
      onParted: (other, reason) => this.#owner.known?.parted(other, reason),
      onNodeEvent: (dead, state, reason) => {
        if (state === 'down') this.#owner.nodeDead(dead, reason)
        else this.#owner.known?.nodeUp()
        for (const listener of this.#nodeListeners) listener()
      },
      onClosed: () => process.exit(0),
    })
    // Before the node manager hears of this worker: whoever is granted it can link at once.
    const listening = listenUnix({
      path: join(runFolder, `${worker}.sock`),
      self,
      token,
      onLink: (link) => this.#home.incoming.onLink(link),
    })
    // While the node, which has the hello by then, answers: to load what maps the claim page takes some milliseconds.
    setImmediate(() => setImmediate(nativeMemory))
    ;[this.#home] = await Promise.all([home, listening])
    this.#endLines = markOutput()
    this.#awake = waitAwake('worker', runFolder)
    const host = this.#host()
    this.#owner = new LateOwner(host, (link, message) => this.#called(link, message))
    this.#code = new WorkerCode({
      send: (message) => this.#home.link.send(message),
      get: (ref) => this.#owner.now.values.get(ref),
      job: () => this.#jobNow(),
    })
    const page = {
      claim: (epoch: number, sequence: number) => this.#claim(epoch, sequence),
      answers: () => this.#page?.answers,
    }
    this.#runner = new TaskRunner(this.#owner, host, this.#code, page, {
      idle: () => this.#idle(),
      working: () => {
        this.#awake?.arrived()
        this.#lending.working()
        this.#memory.work()
      },
      resumed: (epoch) => this.#home.link.send([MessageType.workerResumed, epoch]),
      ended: () => this.#tellHolds(),
    })
    this.#publish(host)
    this.#home.ref()
  }

  #publish(host: OwnerHost): void {
    const jobOf = (): ProcessId => this.#jobNow()
    const code = this.#code
    const ownerOf = (): Owner => this.#owner.now
    setCurrentRuntime({
      kind: 'worker',
      local: this.#start.local,
      get owner() {
        return ownerOf()
      },
      host,
      home: this.#home,
      get job() {
        return jobOf()
      },
      get environment() {
        return code.environment
      },
      locate: code.locate,
      packOf: code.packOf,
      runningTask,
      onNodes: (listener) => {
        this.#nodeListeners.add(listener)
        return () => this.#nodeListeners.delete(listener)
      },
    })
  }

  #jobNow(): ProcessId {
    return runningTask()?.job ?? this.#job ?? this.#start.worker
  }

  #host(): OwnerHost {
    const { worker, node, refCodec } = this.#start
    const jobOf = (): ProcessId => this.#jobNow()
    const storeOf = (): ObjectStore => (this.#opened ??= this.#openStore()).store
    const owns = (): void => {
      if (this.#runner.running === 0) this.#tellHolds()
    }
    return {
      self: { node, process: worker },
      get job() {
        return jobOf()
      },
      clock: systemClock,
      home: this.#home,
      refCodec,
      get store() {
        return storeOf()
      },
      storeHolder: [node, node],
      pull: (...wanted) => (this.#pulling ??= new Pulling(() => this.#home, storeOf())).pull(...wanted),
      enterWait: () => this.#enterWait(),
      submitted(number) {
        const task = runningTask()
        if (task !== undefined) (task.children ??= new Set()).add(number)
      },
      owns,
      warn: (text) => console.error(text),
    }
  }

  /** The running task waits for a value: its CPU is lent until the last such wait ends. */
  #enterWait(): () => void {
    const context = runningTask()
    if (context === undefined) return () => {}
    if (context.waits++ === 0) {
      const task = this.#runner.blocked(context)
      if (task !== undefined) this.#home.link.send([MessageType.workerBlocked, task.epoch])
    }
    return () => {
      if (--context.waits === 0) this.#runner.resumed(context)
    }
  }

  #prepare(): void {
    if (this.#page !== null) return
    this.#claimPage()
    prepareContext()
  }

  #claimPage(): ClaimPage | undefined {
    if (this.#page === null) this.#page = openClaimPage(join(this.#start.runFolder, 'pages', this.#start.worker))
    return this.#page
  }

  #claim(epoch: number, sequence: number): boolean {
    return this.#claimPage()?.start(epoch, sequence) ?? true
  }

  /** Without what it keeps however much it works: files, handles and the heap are for whoever compares. */
  #counts(): Record<string, number> {
    return {
      ...this.#owner.known?.tableSizes(),
      ...this.#runner.sizes(),
      pinnedObjects: this.#opened?.pinned ?? 0,
      packs: this.#code.size,
      handles: process.getActiveResourcesInfo().length,
      heapBytes: process.memoryUsage().heapUsed,
    }
  }

  #fromHome(message: Message): void {
    switch (message[0]) {
      case MessageType.leaseStart:
        this.#job ??= message[3]
        if (message[4] === 'pinned') this.#lending.pinned(message[1])
        return this.#runner.leaseStart(message[1], message[5])
      case MessageType.workerExit:
        this.#leaving = true
        this.#runner.executor.closeAll()
        return this.#leaveWhenIdle()
      case MessageType.countRequest:
        return this.#home.link.send([MessageType.counts, message[1], this.#counts()])
      case MessageType.chaos:
        return void import('../transport/chaos.ts').then(({ orderLinks }) => orderLinks(message[2]))
      default:
        if (this.#opened?.received(message) === true) return
        if (!this.#owner.fromHome(message) && !this.#code.received(message)) this.#pulling?.received(message)
    }
  }

  /** What owners send of their calls; false for another message. */
  #called(link: Link, message: Message): boolean {
    switch (message[0]) {
      case MessageType.template:
        this.#runner.templates.add(link, message[1], message[2])
        return true
      case MessageType.part:
        this.#runner.captured.add(link, message[1], message[2])
        return true
      case MessageType.partDrop:
        this.#runner.captured.drop(link, message[1])
        return true
      case MessageType.push:
        this.#runner.push(link, message)
        return true
      case MessageType.generatorAllow:
        this.#runner.generators.allow(message)
        return true
      case MessageType.abort:
        this.#runner.abort(message[1], message[2], message[3])
        return true
      default:
        return false
    }
  }

  /** No task runs here any more. */
  #idle(): void {
    this.#awake?.expect()
    this.#lending.idle()
    this.#collection.idle()
    this.#memory.rest()
    this.#endLines()
    this.#leaveWhenIdle()
  }

  /**
   * A worker that owns objects is not ended for being idle. Looked at in the turn in which the answer of a task leaves, for
   * that may go on in the background and compute then; when something is made there later; and again from then on.
   */
  #tellHolds(): void {
    const holds = this.#owner.known?.holdsObjects ?? false
    if (holds !== this.#holds) {
      this.#holds = holds
      this.#home.link.send([MessageType.workerHolds, holds])
      if (!holds) return
      this.#home.link.flush()
      this.#watchHolds()
    }
  }

  #watchHolds(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    systemClock.after(holdsMs, () => {
      this.#isWatching = false
      this.#tellHolds()
      if (this.#holds) this.#watchHolds()
    })
  }

  #leaveWhenIdle(): void {
    if (!this.#leaving || this.#runner.running > 0) return
    this.#home.close()
    process.exit(0)
  }
}
