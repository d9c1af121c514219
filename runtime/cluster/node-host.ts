/**
 * One incarnation of a node manager with everything around it: run folder, store, listeners, link to the head. Local
 * mode and the daemon differ in what they put around this.
 *
 *     run folder ─▶ object store ─▶ port (cluster mode) ─▶ NodeManager ─▶ node.sock ─▶ node.json ─▶ link to the head
 *
 * A step that fails takes back those before it. What ends it: `stop` in order, `stopNow` in an exit handler, the
 * guardian when this process is killed.
 */
import { hostname } from 'node:os'
import type { Clock } from '../base/clock.ts'
import { ConnectionLostError, ProtocolError } from '../base/errors.ts'
import { newProcessId } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { advised } from '../base/system-advice.ts'
import type { EarlyWorker } from '../node/early-worker.ts'
import { NodeManager } from '../node/node-manager.ts'
import type { NodeManagerEvents, NodeManagerOptions } from '../node/node-manager.ts'
import { ArenaHost } from '../objects/arena-host.ts'
import { koffiBinary } from '../objects/load-koffi.ts'
import { chooseStore } from '../objects/store-choice.ts'
import type { StoreOptions } from '../objects/store-choice.ts'
import { arenaUsage, fileUsage } from '../objects/store-usage.ts'
import type { StoreUsage } from '../objects/store-usage.ts'
import { nodeSocketOf } from '../owner/home.ts'
import { objectsFolderOf } from '../objects/arena-file.ts'
import { MessageType } from '../protocol/messages.ts'
import type { Message, ResourceUnits } from '../protocol/messages.ts'
import { DialBackTable } from '../transport/dial-back.ts'
import type { LocalHello } from '../transport/hello.ts'
import type { HeartbeatOptions } from '../transport/heartbeat-state.ts'
import type { IncomingOptions } from '../transport/incoming.ts'
import type { Link } from '../transport/link.ts'
import { listenUnix, listenWebSocket } from '../transport/listen.ts'
import type { UnixListener, WebSocketListener } from '../transport/listen.ts'
import { hostAndPort } from '../transport/splice.ts'
import { ringOf } from '../transport/tokens.ts'
import type { TokenRing, TokenSource } from '../transport/tokens.ts'
import { advertisedHost } from './daemon-options.ts'
import { nodeHttp } from './node-http.ts'
import type { ReplaceTokens } from './node-http.ts'
import { nodeInfo } from './node-info.ts'
import { RefusalLog } from './refusal-log.ts'
import type { ServerTls } from './tls-files.ts'
import {
  createRunFolder,
  removeRunFolder,
  removeStaleRunFolders,
  replaceNodeTokens,
  writeNodeFile,
  writeProbe,
} from './run-folder.ts'
import { workerEntry } from './worker-entry.ts'

export interface NodeHostOptions {
  readonly token: TokenSource
  /** How the source of `token` is given others; absent where they stay. */
  readonly tokens?: ReplaceTokens
  readonly total: ResourceUnits
  readonly labels: Readonly<Record<string, string>>
  /** Whether the control store is in this process. */
  readonly head: boolean
  /** Of the head's port; '' in local mode, and for the head itself, whose own it is. */
  readonly headUrl: string
  /** The one port of the node; absent in local mode. */
  readonly listen?: NodePort
  /** The log of this process; '' or absent where it has none. */
  readonly logFile?: string
  /** What was begun before; absent where nothing was. */
  readonly early?: EarlyStart
  /** Links by which other nodes register; a node that is not the head refuses them. */
  readonly onRegistration?: (link: Link) => void
  readonly clock: Clock
  readonly random: Random
  readonly heartbeat?: HeartbeatOptions
  /** The object store. Default: 30 % of the memory that this process may use, shared; and what the disk has. */
  readonly store?: StoreOptions
  readonly manager?: Partial<
    Pick<
      NodeManagerOptions,
      'leases' | 'driverGraceMs' | 'headTimeoutMs' | 'environment' | 'codeCache' | 'loadIntervalMs'
    >
  >
  readonly events: NodeManagerEvents
}

/** The beginning of a node, made before the rest of it was there to be used. */
export interface EarlyStart {
  readonly id: NodeId
  readonly runFolder: string
  readonly worker: EarlyWorker
}

/** The one port of a node, as it is asked for. */
export interface NodePort {
  readonly host: string
  readonly port: number
  readonly tls?: ServerTls
  readonly advertise?: string
  readonly allowedHosts?: readonly string[]
}

export class NodeHost {
  readonly id: NodeId
  readonly runFolder: string
  readonly manager: NodeManager
  /** The shared memory of this node; undefined where its store is on files. */
  readonly arena: ArenaHost | undefined
  /** '' in local mode. */
  readonly url: string
  readonly headUrl: string
  readonly #unix: UnixListener
  readonly #port: WebSocketListener | undefined
  /** The newest link to the head. */
  #headLink: Link | undefined
  #stopping: Promise<void> | undefined

  /** Rejects when a folder, a socket or the port cannot be had; nothing is then left behind. */
  static async start(options: NodeHostOptions): Promise<NodeHost> {
    const id = options.early?.id ?? newProcessId()
    if (options.early === undefined) removeStaleRunFolders()
    const runFolder = options.early?.runFolder ?? createRunFolder(id)
    let port: WebSocketListener | undefined
    let manager: NodeManager | undefined
    let arena: ArenaHost | undefined
    let unix: UnixListener | undefined
    try {
      const { clock, random, events, store: storeOptions = {} } = options
      const warn = (text: string): void => events.warn(text)
      const chosen = await chooseStore({
        folder: objectsFolderOf(runFolder),
        node: id,
        clock,
        options: storeOptions,
        warn,
      })
      if (chosen instanceof ArenaHost) arena = chosen
      const welcome = welcomeOf(id, runFolder, options)
      if (options.listen)
        port = await openPort({ ...options.listen, runFolder, arena }, () => manager, welcome, options)
      const url = port ? await advertisedUrl(port, options) : ''
      // The welcome is written anew for each peer: from here on it says where the head is, also when that is here.
      const headUrl = options.headUrl || url
      welcome.info['headUrl'] = headUrl
      manager = new NodeManager(managerOptions(options, { id, runFolder, url, headUrl }), {
        ...{ store: chosen instanceof ArenaHost ? chosen.store : chosen, clock, random, events },
        ...(arena && { arena }),
      })
      unix = await listenUnix({ ...serving(() => manager, welcome, options), path: nodeSocketOf(runFolder) })
      const { shown, accepted } = ringOf(options.token)
      writeNodeFile(runFolder, { id, token: shown, accepted, url, headUrl, koffi: koffiBinary() ?? '' })
      manager.start()
      return new NodeHost(manager, { runFolder, url, headUrl, unix, port, arena })
    } catch (error) {
      await Promise.all([unix?.close(), port?.close()])
      await manager?.stop('it could not start')
      await arena?.close()
      removeRunFolder(runFolder)
      throw advised(`the node could not be set up in ${runFolder}`, error)
    }
  }

  private constructor(manager: NodeManager, parts: Parts) {
    this.id = manager.id
    this.manager = manager
    this.runFolder = parts.runFolder
    this.url = parts.url
    this.headUrl = parts.headUrl
    this.arena = parts.arena
    this.#unix = parts.unix
    this.#port = parts.port
  }

  /** `onLost` is called once, when this link to the head is over. */
  attachHead(link: Link, onLost: (reason: Error) => void = () => {}): void {
    this.#headLink = link
    this.manager.attachHead(link, onLost)
  }

  /** The source of tokens has others from now on: tells the workers and the drivers of this node. */
  tokensChanged(ring: TokenRing): void {
    replaceNodeTokens(this.runFolder, ring)
    this.manager.tellDrivers([MessageType.tokens, ring.shown, ring.accepted])
  }

  /** The listeners alone do not keep this process alive from now on. */
  unref(): void {
    this.#unix.unref()
  }

  /** Ends the workers, tells the head, closes every link and socket, removes the run folder. */
  stop(reason: string): Promise<void> {
    this.#stopping ??= this.#stop(reason)
    return this.#stopping
  }

  /** Kills the workers and removes the run folder, synchronously: for an `exit` handler. The guardian does the rest. */
  stopNow(): void {
    this.manager.killNow()
    removeRunFolder(this.runFolder)
  }

  async #stop(reason: string): Promise<void> {
    // Kills the workers before its first await: only then is it true that everything of this node is dead.
    const stopped = this.manager.stop(reason)
    const leaving: Message = [MessageType.nodeLoad, [], 0, 0, 'dead']
    this.#headLink?.send(leaving)
    this.#headLink?.flush()
    await Promise.all([this.#unix.close(), this.#port?.close()])
    await stopped
    await this.arena?.close()
    removeRunFolder(this.runFolder)
  }
}

interface Parts {
  readonly runFolder: string
  readonly url: string
  readonly headUrl: string
  readonly unix: UnixListener
  readonly port: WebSocketListener | undefined
  readonly arena: ArenaHost | undefined
}

/** What a node says in its hello when it comes to register with the head. */
export const registering = 'registering'

type Welcome = LocalHello & { readonly info: Record<string, unknown> }

function welcomeOf(id: NodeId, runFolder: string, { head, headUrl }: NodeHostOptions): Welcome {
  const info = nodeInfo({ head, headUrl, runFolder, probe: writeProbe(runFolder) })
  return { kind: 'node', node: id, process: id, info }
}

/** The port is there before the node manager, which must know its address. */
function serving(manager: () => NodeManager | undefined, self: LocalHello, options: NodeHostOptions): IncomingOptions {
  const nobody = new DialBackTable(options.clock)
  const refusals = new RefusalLog(options.clock, (line) => options.events.warn(line))
  return {
    self,
    token: options.token,
    onRefused: refusals.note,
    onFault: refusals.noteFault,
    onLink(link) {
      if (link.peer.info[registering] === true) {
        if (options.onRegistration) return options.onRegistration(link)
        return link.close(new ProtocolError(`node ${self.node} is not the head; nodes register there`))
      }
      const serves = manager()
      if (serves) serves.attach(link)
      else link.close(new ConnectionLostError(`node ${self.node} is starting`))
    },
    onBulk(channel) {
      const serves = manager()
      if (serves) serves.attachBulk(channel)
      else channel.close()
    },
    resolveTarget: (to) =>
      manager()?.resolveTarget(to) ?? { kind: 'refuse', code: 'not-found', reason: `node ${self.node} is starting` },
    get dialBack() {
      return manager()?.dialBacks ?? nobody
    },
  }
}

function openPort(
  {
    runFolder,
    arena,
    advertise,
    allowedHosts = [],
    ...place
  }: NodePort & {
    readonly runFolder: string
    readonly arena: ArenaHost | undefined
  },
  manager: () => NodeManager | undefined,
  self: LocalHello,
  options: NodeHostOptions,
): Promise<WebSocketListener> {
  // Not spread: `dialBack` is asked for when it is used.
  const incoming = serving(manager, self, options)
  const { token, tokens, head, logFile = '' } = options
  const usage = async (most: number): Promise<StoreUsage> =>
    arena === undefined ? fileUsage(objectsFolderOf(runFolder), most) : arenaUsage(arena.report(), most)
  const files = { runFolder, usage, logFile }
  const onRequest = nodeHttp({ manager, token, head, ...files, ...(tokens && { tokens }) })
  const names = [hostname(), ...(advertise === undefined ? [] : [advertise]), ...allowedHosts]
  return listenWebSocket(Object.assign(incoming, { ...place, onRequest, allowedHosts: names }))
}

async function advertisedUrl(
  { host, port, url }: WebSocketListener,
  { headUrl, listen }: NodeHostOptions,
): Promise<string> {
  const towards = headUrl === '' ? '' : hostAndPort(headUrl).host
  const shown = listen?.advertise ?? (await advertisedHost(host, towards))
  return `${new URL(url).protocol}//${shown.includes(':') ? `[${shown}]` : shown}:${port}`
}

function managerOptions(
  { token, total, labels, head, heartbeat, manager, early }: NodeHostOptions,
  own: Pick<NodeManagerOptions, 'id' | 'runFolder' | 'url'> & { readonly headUrl: string },
): NodeManagerOptions {
  const { headUrl, ...place } = own
  return {
    ...place,
    ...{ token, total, labels, head, hostname: hostname() },
    workerEntry: workerEntry(),
    headName: headUrl === '' ? 'local' : headUrl,
    ...(heartbeat && { heartbeat }),
    ...(early && { earlyWorker: early.worker }),
    ...manager,
  }
}
