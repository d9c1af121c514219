/**
 * The driver's side of a process: its owner exists at once, so that `.remote()` can be called synchronously; its place
 * in the cluster (a local node manager, or a joined one) is made behind it.
 *
 *     startDriver --> owner (submissions wait) --> local node | join --> home --> leases
 */
import { systemClock } from '../runtime/base/clock.ts'
import { keepSoon } from '../runtime/base/compiled-script.ts'
import { ConnectionLostError, OutpoolError } from '../runtime/base/errors.ts'
import { newProcessId, type NodeId, type ProcessId } from '../runtime/base/ids.ts'
import { spareMemory } from '../runtime/base/spare-memory.ts'
import { clearInterval, setImmediate, setInterval, setTimeout } from '../runtime/base/timers.ts'
import { workingFolder } from '../runtime/base/working-folder.ts'
import { ClusterTokens } from '../runtime/cluster/cluster-tokens.ts'
import { startLocal, type LocalBeginning, type LocalNode } from '../runtime/cluster/local.ts'
import { saysPermissions } from '../runtime/cluster/permissions.ts'
import { MemoryObjectStore } from '../runtime/objects/memory-store.ts'
import { trimMalloc } from '../runtime/objects/native-memory.ts'
import type { ObjectStore } from '../runtime/objects/store.ts'
import { serveObjects } from '../runtime/objects/transfer.ts'
import { endRuntime, type ProcessRuntime, setCurrentRuntime } from '../runtime/owner/current.ts'
import { type Home, type HomeHandlers, openHome } from '../runtime/owner/home.ts'
import type { OwnerHost } from '../runtime/owner/host.ts'
import { type NodeStore, openNodeStore } from '../runtime/owner/node-store.ts'
import { objectRefCodec } from '../runtime/owner/object-ref.ts'
import { Owner } from '../runtime/owner/owner.ts'
import { Pulling } from '../runtime/owner/pulling.ts'
import { type WaitAwake, waitAwake } from '../runtime/owner/wait-awake.ts'
import type { Message } from '../runtime/protocol/messages.ts'
import type { Link } from '../runtime/transport/link.ts'
import { setDefaultRuntimeEnv } from './carry.ts'
import { type DriverHandle, driverEnded, releases, setCurrentDriver } from './current-driver.ts'
import type { CompiledInit } from './init-options.ts'
import { LogPrinter } from './log-printer.ts'

function say(text: string): void {
  console.error(`outpool: ${text}`)
}

/** Until the home is known, nobody's. */
const noNode = '0000000000000000' as NodeId

/** How long a program that ends waits for the last lines of its workers, in milliseconds. */
const lastLinesMs = 150

/**
 * How often a driver gives memory back at the most, in milliseconds. It is the user's process, which may have to answer
 * others at once, and keep things by weak references as long as it can: so seldom that nobody notices.
 */
const givesBackMs = 600_000
/**
 * A program with a node of its own keeps workers that have nothing to do for so long, unless something else that it runs
 * needs their CPUs: its next calls begin 2 ms sooner. On a cluster others would take that node for full. Milliseconds.
 */
const aloneIdleLeaseMs = 10_000

/** A driver for this process, which has none. `begun`: its local node; absent where it joins a cluster. */
export function startDriver(options: CompiledInit, begun: LocalBeginning | undefined): DriverHandle {
  const driver = new Driver(options, begun)
  setCurrentDriver(driver)
  return driver
}

class Driver implements DriverHandle {
  readonly runtime: ProcessRuntime
  readonly ready: Promise<void>
  readonly #options: CompiledInit
  readonly #self: { node: NodeId; readonly process: ProcessId } = { node: noNode, process: newProcessId() }
  readonly #owner: Owner
  readonly #logs: LogPrinter
  readonly #nodeListeners = new Set<() => void>()
  readonly #onExit = (): void => this.#local?.stopNow()
  /** However the program ends. */
  readonly #onLastExit = (): void => this.#owner.values.unread.end()
  /**
   * The program has nothing left to do, unless a listener that is told of that waits for something now: they have all been
   * told, and what they began has begun, when this looks.
   */
  readonly #onBeforeExit = (): void =>
    void setImmediate(() => {
      if (this.#waits === 0) void this.stop()
      else if (!this.#stopped) process.once('beforeExit', this.#onBeforeExit)
    })
  #home: Home | undefined
  #local: LocalNode | undefined
  #store: ObjectStore | undefined
  /** The store of a node on this machine that is in another process. */
  #nodeStore: NodeStore | undefined
  #pulling!: Pulling
  #awake: WaitAwake | undefined
  /** It rests when nobody waits for a value, nothing that was submitted is under way, and nothing else uses its CPU. */
  readonly #memory = spareMemory(
    givesBackMs,
    trimMalloc,
    () => this.#home === undefined || this.#owner.state.unsettled > 0,
  )
  #waits = 0
  #keepAlive: NodeJS.Timeout | undefined
  #stopped = false

  /** One for all waits: each is left once. */
  readonly #leaveWait = (): void => {
    // What was waited for came from a worker.
    if (this.#owner.state.leases.size > 0) keepSoon()
    if (--this.#waits > 0) return
    this.#home?.unref()
    this.#keepAlive?.unref()
    if (!this.#stopped) this.#memory.rest()
  }

  constructor(options: CompiledInit, begun: LocalBeginning | undefined) {
    this.#options = options
    this.#logs = new LogPrinter(options.logToDriver)
    const submit = options.address === undefined ? { idleLeaseMs: aloneIdleLeaseMs } : {}
    this.#owner = new Owner(this.#host(), { limits: options.limits, submit })
    this.#owner.nodeMessages = (message) => this.#logs.received(message)
    this.runtime = this.#publish()
    setDefaultRuntimeEnv(this.runtime, options.runtimeEnv)
    setCurrentRuntime(this.runtime)
    process.once('beforeExit', this.#onBeforeExit)
    process.once('exit', this.#onLastExit)
    this.ready = this.#connect(begun)
    this.ready.catch((error: unknown) => this.#fail(error as Error))
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#end(
      new ConnectionLostError('outpool was shut down in this process, and its refs have no values any more'),
      true,
    )
    const leaving = this.#lastLines().then(() => this.#release('it left'))
    releases(leaving.catch(() => {}))
    await leaving
  }

  /** Nothing of this driver is left behind, neither after `stop` nor when its home was lost. */
  async #release(left?: string): Promise<void> {
    await this.ready.catch(() => {})
    // What workers printed last comes over the home link while the local node stops.
    await this.#local?.stop()
    // What it gives back is told over the home link.
    await (this.#nodeStore ?? this.#store)?.close()
    if (left !== undefined) this.#home?.endJob(left)
    this.#home?.close()
    process.off('exit', this.#onExit)
    process.off('beforeExit', this.#onBeforeExit)
    process.off('exit', this.#onLastExit)
  }

  /** Nodes of a cluster look at the output of their workers every 100 ms. */
  async #lastLines(): Promise<void> {
    const mayPrint = this.#local === undefined && this.#options.logToDriver && this.#owner.notes.settledTasks > 0
    if (mayPrint) await new Promise((resolve) => setTimeout(resolve, lastLinesMs))
  }

  async #connect(begun: LocalBeginning | undefined): Promise<void> {
    const { address } = this.#options
    const home = await (address === undefined ? this.#startLocal(begun) : this.#join(address))
    this.#self.node = home.node
    this.#store = await this.#openStore(home)
    this.#pulling = new Pulling(() => home, this.#store)
    this.#home = home
    if (home.runFolder !== undefined) this.#awake = waitAwake('owner', home.runFolder)
    if (this.#stopped) return home.close()
    if (this.#waits > 0) home.ref()
    await home.startJob({ pid: process.pid, cwd: workingFolder() })
  }

  async #openStore(home: Home): Promise<ObjectStore> {
    if (this.#local !== undefined) return this.#local.openStore(this.#self.process)
    if (home.runFolder === undefined) return new MemoryObjectStore()
    this.#nodeStore = await openNodeStore(home.runFolder, this.#self.process, () => home, true)
    return this.#nodeStore.store
  }

  async #startLocal(begun: LocalBeginning | undefined): Promise<Home> {
    const local = await startLocal(this.#options.node, begun).catch((error: unknown) => {
      throw saysPermissions(error as Error)
    })
    this.#local = local
    process.on('exit', this.#onExit)
    return openHome({
      ...this.#handlers(),
      ...{ kind: 'driver', process: this.#self.process, node: local.node, token: local.token },
      ...{
        address: local.address,
        runFolder: local.runFolder,
        connect: () => local.connect(this.#self.process),
        reconnectMs: 0,
      },
    })
  }

  async #join(address: string): Promise<Home> {
    const { joinCluster } = await import('../runtime/cluster/join.ts')
    const { parseClusterAddress, withoutSecrets } = await import('../runtime/cluster/node-address.ts')
    try {
      // First: whoever has mistyped it is not to look for a token.
      parseClusterAddress(address)
      const token = this.#options.token ?? new ClusterTokens()
      return await joinCluster({ ...this.#handlers(), address, token, process: this.#self.process, onSlow: say })
    } catch (error) {
      throw saysWhere(error as Error, withoutSecrets(address))
    }
  }

  #handlers(): HomeHandlers {
    return {
      onMessage: (message) => this.#fromHome(message),
      onLink: (link: Link) => this.#owner.adopt(link),
      onParted: (process, reason) => this.#owner.parted(process, reason),
      onBulk: (channel) => {
        if (this.#store === undefined) channel.close()
        else serveObjects(channel, this.#store)
      },
      onNodeEvent: (node, state, reason) => {
        if (state === 'down') this.#owner.nodeDead(node, reason)
        else this.#owner.nodeUp()
        for (const listener of this.#nodeListeners) listener()
      },
      onLost: () => {
        this.#pulling.homeLost()
        this.#nodeStore?.homeLost()
        this.#owner.homeLost()
      },
      onRestored: () => this.#nodeStore?.restored(),
      onClosed: (reason) => this.#fail(reason),
    }
  }

  #fromHome(message: Message): void {
    if (this.#nodeStore?.received(message) === true) return
    if (this.#owner.fromHome(message) || this.#pulling.received(message)) return
    this.#logs.received(message)
  }

  #host(): OwnerHost {
    const whenReady = async <T>(use: () => Promise<T>): Promise<T> => {
      await this.ready
      return use()
    }
    const homeOf = (): Home => this.#home as Home
    const awakeOf = (): WaitAwake | undefined => this.#awake
    const modeOf = (): Home['mode'] => this.#home?.mode ?? 'reconnecting'
    const holderOf = (): readonly [NodeId, ProcessId] =>
      homeOf().sameMachine ? [this.#self.node, this.#self.node] : [this.#self.node, this.#self.process]
    return {
      self: this.#self,
      job: this.#self.process,
      clock: systemClock,
      refCodec: objectRefCodec,
      home: {
        dial: (address) => whenReady(() => homeOf().dial(address)),
        connected: () => whenReady(() => homeOf().connected()),
        nodes: () => whenReady(() => homeOf().nodes()),
        get mode() {
          return modeOf()
        },
        get link() {
          return homeOf().link
        },
        get sameMachine() {
          return homeOf().sameMachine
        },
        get sessions() {
          return homeOf().sessions
        },
      },
      store: laterStore(
        () => this.#store,
        () => whenReady(() => Promise.resolve(this.#store as ObjectStore)),
      ),
      get storeHolder() {
        return holderOf()
      },
      pull: (...wanted) => this.#pulling.pull(...wanted),
      enterWait: () => this.#enterWait(),
      get awake() {
        return awakeOf()
      },
      submitted() {
        // A driver's tasks have no caller that could be cancelled.
      },
      warn: say,
    }
  }

  /** A program that waits for a value must not end before it is there; one that waits for nothing may. */
  #enterWait(): () => void {
    if (this.#waits++ === 0) {
      this.#memory.work()
      this.#home?.ref()
      this.#keepAlive ??= setInterval(() => {}, 2 ** 30)
      this.#keepAlive.ref()
    }
    return this.#leaveWait
  }

  #publish(): ProcessRuntime {
    const homeOf = (): Home => {
      if (this.#home === undefined) throw new ConnectionLostError('the home is not joined yet; await init() first')
      return this.#home
    }
    return {
      kind: 'driver',
      local: this.#options.address === undefined,
      owner: this.#owner,
      host: this.#owner.host,
      get home() {
        return homeOf()
      },
      job: this.#self.process,
      environment: '',
      locate: (url) => Promise.resolve(url),
      packOf: () => undefined,
      runningTask: () => undefined,
      onNodes: (listener) => {
        this.#nodeListeners.add(listener)
        return () => this.#nodeListeners.delete(listener)
      },
    }
  }

  #fail(error: Error): void {
    const { unsettled } = this.#owner.state
    // Who waits is told by what it waits for.
    if (!this.#stopped && unsettled > 0 && this.#waits === 0)
      console.error(`outpool: ${unsettled} tasks were not run to their end: ${error.message}`)
    this.#end(error)
    this.#local?.stopNow()
    // Its store is gone with the home: what cannot be given back is nobody's.
    releases(this.#release().catch(() => {}))
  }

  #end(error: Error, left = false): void {
    if (this.#stopped) return
    this.#stopped = true
    driverEnded(this)
    endRuntime(this.runtime)
    this.#owner.values.unread.end()
    this.#owner.close(error, { kind: 'class-closed', reason: error.message, left, by: error })
    clearInterval(this.#keepAlive)
    this.#memory.stop()
  }
}

/** Of the same class. Who has the address from its environment does not know that it goes there. */
function saysWhere(error: Error, address: string): Error {
  if (!(error instanceof OutpoolError) || error.message.includes(address)) return error
  const Same = error.constructor as typeof OutpoolError
  const { cause = error, details } = error
  return new Same(`cannot join the cluster at ${address}: ${error.message}`, { cause, details })
}

/** A store that is not open yet; `now` is it, once it is. */
function laterStore(now: () => ObjectStore | undefined, open: () => Promise<ObjectStore>): ObjectStore {
  return {
    create: async (key, sizeBytes) => (await open()).create(key, sizeBytes),
    put: async (key, encoded) => (await open()).put(key, encoded),
    putNow: (key, encoded) => now()?.putNow?.(key, encoded),
    get: async (key, expected) => (await open()).get(key, expected),
    read: async (key, offset, length) => (await open()).read(key, offset, length),
    size: async (key) => (await open()).size(key),
    contains: async (key) => (await open()).contains(key),
    delete: async (key) => (await open()).delete(key),
    deleteOwnedBy: async (owner) => (await open()).deleteOwnedBy(owner),
    close: async () => (await open()).close(),
  }
}
