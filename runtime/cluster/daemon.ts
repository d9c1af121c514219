/**
 * A node manager as a member of a cluster: one incarnation after the other on one port, and the control store when it
 * is the head.
 *
 *      starting ──▶ 1. up ──▶ declared dead ──▶ 2. leaving: workers ended, links closed, run folder removed
 *                     ▲                               │
 *                     └── a new incarnation: new id, empty, same port ◀─┘
 *      any ── stop ──▶ stopped
 *
 * The link to the head is dialled again whenever it is lost, for as long as the daemon lives, also where who answers there
 * refuses this node (a head that was started with another token or version); what runs goes on meanwhile. A head's node
 * manager has its control store in the same process.
 */
import { systemClock } from '../base/clock.ts'
import type { Timer } from '../base/clock.ts'
import { OutpoolError } from '../base/errors.ts'
import { unlessAborted } from '../base/on-abort.ts'
import { systemRandom } from '../base/random.ts'
import { withAdvice } from '../base/system-advice.ts'
import type { ControlStore } from '../control/control-store.ts'
import type { NodeManagerOptions } from '../node/node-manager.ts'
import { dial } from '../transport/dial.ts'
import { defaultHeartbeat } from '../transport/heartbeat-state.ts'
import type { HeartbeatOptions } from '../transport/heartbeat-state.ts'
import type { Link } from '../transport/link.ts'
import { defaultBackoff, isRefusedForGood, Reconnect } from '../transport/reconnect.ts'
import type { TokenRing, TokenSource } from '../transport/tokens.ts'
import { ClusterTokens, sameRing } from './cluster-tokens.ts'
import { claimCodeFolder, type CodeFolder } from './code-folder.ts'
import type { DaemonFacts, DaemonOptions } from './daemon-options.ts'
import { openHeadStore } from './head-store.ts'
import { findNode } from './join.ts'
import { linkHead } from './local-node.ts'
import { defaultHeadPort } from './node-address.ts'
import { log, sayOnce } from './node-log.ts'
import { NodeHost, registering } from './node-host.ts'
import type { NodeHostOptions, NodePort } from './node-host.ts'
import type { ReplaceTokens } from './node-http.ts'
import { nodeResources, storeOptionsOf } from './node-resources.ts'
import { registered } from './registration.ts'
import { readTlsFiles, type ServerTls } from './tls-files.ts'
import { fingerprint } from './token-requests.ts'

export interface DaemonEvents {
  /** An incarnation is up: at the start, and after the cluster had declared the one before dead. */
  readonly onIncarnation: (facts: DaemonFacts) => void
  /** It is over by itself: somebody asked it to stop (no error), or it cannot go on. Not called after `stop`. */
  readonly onEnd: (error?: Error) => void
}

/** The longest pause between two attempts to reach the head, in milliseconds; well below the grace for a lost link. */
const mostBackoffMs = 1_000
const dialTimeoutMs = 5_000
/** How often the file of the token is looked at. */
const tokenPollMs = 1_000

/**
 * Resolves when the node is a member of the cluster. Rejects with why it cannot be, or with the reason of `unwanted` when
 * that comes first: a node without a head tries to reach it for as long as somebody waits. Nothing is then left behind.
 */
export async function startDaemon(
  options: DaemonOptions,
  events: DaemonEvents,
  unwanted?: AbortSignal,
): Promise<Daemon> {
  const total = nodeResources(options)
  const tokens = new ClusterTokens({ make: options.head }, (error) => log(`the token stays: ${error.message}`))
  const heartbeat: HeartbeatOptions = {
    intervalMs: options.heartbeatIntervalMs ?? defaultHeartbeat.intervalMs,
    misses: options.heartbeatMisses ?? defaultHeartbeat.misses,
  }
  const headUrl = options.head ? '' : await unlessAborted(findHead(options, tokens), unwanted)
  const store = options.head ? await openHeadStore(options, heartbeat, (error) => events.onEnd(error)) : undefined
  const daemon = new Daemon({ options, events, tokens, heartbeat, headUrl, store, total, unwanted })
  try {
    await daemon.begin()
    return daemon
  } catch (error) {
    await daemon.stop('it could not start').catch(() => {})
    throw error
  }
}

/** The head's url, out of that of any node. */
async function findHead({ address }: DaemonOptions, token: TokenSource): Promise<string> {
  if (address === undefined)
    throw new OutpoolError('a node that is not the head needs the address of one that is there')
  const found = await findNode(address, token, { onSlow: log })
  // Where we reached it is better than what it calls itself: it may have several addresses.
  return found.head ? found.url : found.headUrl
}

interface DaemonParts {
  readonly options: DaemonOptions
  readonly events: DaemonEvents
  readonly tokens: ClusterTokens
  readonly heartbeat: HeartbeatOptions
  /** '' for the head. */
  readonly headUrl: string
  readonly store: ControlStore | undefined
  readonly total: NodeHostOptions['total']
  readonly unwanted: AbortSignal | undefined
}

interface DrainRequest {
  readonly deadlineMs: number
  readonly reason: string
  readonly drained: (clean: boolean) => void
}

export class Daemon {
  readonly #parts: DaemonParts
  #host: NodeHost | undefined
  #reconnect: Reconnect | undefined
  #codeFolder: CodeFolder | undefined
  #tls: ServerTls | undefined
  /** The tokens that the processes of this node know of. */
  #told: TokenRing | undefined
  #tokenTimer: Timer | undefined
  readonly #sayOfTokens: (text: string) => void = sayOnce()
  /** Kept for the next incarnation: others know this node's address. */
  #port: number
  #mode: 'starting' | 'up' | 'leaving' | 'stopped' = 'starting'

  constructor(parts: DaemonParts) {
    this.#parts = parts
    this.#port = parts.options.port ?? (parts.options.head ? defaultHeadPort : 0)
  }

  /** Of the incarnation that is up. */
  get facts(): DaemonFacts {
    if (!this.#host) throw new OutpoolError(`the node is ${this.#mode}`)
    const { id, url, headUrl } = this.#host
    return { id, url, headUrl, pid: process.pid }
  }

  async begin(): Promise<void> {
    const { options, tokens, total, headUrl, heartbeat, store, events } = this.#parts
    const isFirst = this.#mode === 'starting'
    const { infeasibleTimeoutMs, driverGraceMs } = options
    const host: NodeHost = await NodeHost.start({
      ...{ token: tokens, total, headUrl, heartbeat, labels: options.labels ?? {}, head: options.head },
      tokens: this.#replaceTokens(tokens),
      logFile: options.logFile,
      manager: {
        codeCache: this.#codeCache(),
        ...(infeasibleTimeoutMs !== undefined && { leases: { infeasibleTimeoutMs } }),
        ...(driverGraceMs !== undefined && { driverGraceMs }),
      },
      store: storeOptionsOf(options),
      listen: portOf(options, this.#port, await this.#readTls()),
      ...(store && { onRegistration: (link: Link) => store.attach(link) }),
      clock: systemClock,
      random: systemRandom,
      events: {
        declaredDead: (reason) => void this.#rejoin(host, reason),
        drainRequested: (deadlineMs, reason, drained) => void this.#drainBy(host, { deadlineMs, reason, drained }),
        warn: (text) => log(text),
      },
    })
    if (this.#mode === 'stopped') return host.stop('the daemon stops')
    this.#host = host
    this.#told = tokens.ring
    this.#watchTokens()
    this.#port = Number(new URL(host.url).port)
    const unwanted = isFirst ? this.#parts.unwanted : undefined
    if (store) linkHead(host, store)
    else await unlessAborted(this.#joinHead(host), unwanted)
    const isRegistered = registered({
      headUrl,
      isMember: () => host.manager.stats().head === 'member',
      isOver: () => this.#isStopped() || host.manager.stats().head === 'dead',
      ...(!isFirst && { tell: sayOnce() }),
      clock: systemClock,
    })
    await unlessAborted(isRegistered, unwanted)
    if (this.#isStopped()) return
    if (host.manager.stats().head === 'dead') return this.#beginInstead(host)
    this.#mode = 'up'
    events.onIncarnation(this.facts)
  }

  /** Declared dead before it was a member. */
  async #beginInstead(host: NodeHost): Promise<void> {
    log(`the cluster declared node ${host.id} dead before it was a member. It begins anew.`)
    this.#reconnect?.stop()
    await host.stop('it was declared dead')
    if (!this.#isStopped()) await this.begin()
  }

  /** As it is on disk now; what is being replaced there at this moment keeps no later incarnation from beginning. */
  async #readTls(): Promise<ServerTls | undefined> {
    const { tls } = this.#parts.options
    if (tls === undefined) return undefined
    try {
      this.#tls = await readTlsFiles(tls)
    } catch (error) {
      if (this.#tls === undefined) throw error
      log(`${(error as Error).message}; the node goes on with the certificate that it had`)
    }
    return this.#tls
  }

  /** One folder for all incarnations. */
  #codeCache(): NonNullable<NodeManagerOptions['codeCache']> {
    const { codeCacheFolder: folder, codeCacheBytes: maxBytes } = this.#parts.options
    if (folder !== undefined) this.#codeFolder ??= claimCodeFolder(folder)
    return {
      ...(this.#codeFolder && { folder: this.#codeFolder.path }),
      ...(maxBytes !== undefined && { maxBytes }),
    }
  }

  /** Ends the node in order, and with a head the control store: what runs there is ended. */
  async stop(reason: string): Promise<void> {
    this.#mode = 'stopped'
    this.#tokenTimer?.cancel()
    this.#reconnect?.stop()
    await this.#host?.stop(reason)
    this.#codeFolder?.release()
    await this.#parts.store?.stop()
  }

  /** Lets what runs here end and what waits go elsewhere; then as `stop`. Resolves with whether nothing was left. */
  async drain(deadlineMs: number, reason: string): Promise<boolean> {
    const clean = this.#host === undefined || deadlineMs <= 0 ? false : await this.#host.manager.drain(deadlineMs)
    if (deadlineMs > 0) log(howDrained(clean))
    await this.stop(reason)
    return clean
  }

  /** Kills the workers and removes what is on disk, synchronously: for an `exit` handler. */
  stopNow(): void {
    this.#mode = 'stopped'
    this.#host?.stopNow()
    this.#codeFolder?.release()
    this.#parts.store?.close()
  }

  /** Looks whether there are other tokens; from its return on the processes of this node know them. */
  readTokens(): void {
    try {
      this.#tellTokens()
    } catch (error) {
      this.#sayOfTokens(`the workers here do not know the new token yet: ${withAdvice(error)}`)
    }
  }

  #tellTokens(): void {
    const { ring } = this.#parts.tokens
    if (this.#host === undefined || this.#mode === 'stopped') return
    if (this.#told !== undefined && sameRing(ring, this.#told)) return
    this.#host.tokensChanged(ring)
    this.#told = ring
    log(`shows token ${fingerprint(ring.shown)} and accepts ${ring.accepted.map(fingerprint).join(' and ')}`)
  }

  #replaceTokens(tokens: ClusterTokens): ReplaceTokens {
    return {
      areKept: tokens.areKept,
      replace: (ring) => {
        tokens.replace(ring)
        this.#tellTokens()
      },
    }
  }

  #watchTokens(): void {
    this.#tokenTimer?.cancel()
    this.#tokenTimer = systemClock.after(tokenPollMs, () => {
      this.readTokens()
      this.#watchTokens()
    })
  }

  /**
   * Resolves with the first link; later ones are made behind it. Rejects when the head refuses for good a node that has
   * never been a member.
   */
  #joinHead(host: NodeHost): Promise<void> {
    const { headUrl, tokens: token } = this.#parts
    const { hello } = host.manager
    const from = { ...hello, info: { [registering]: true } }
    const say = sayOnce()
    return new Promise((resolve, reject) => {
      const goesOn = (): boolean => reconnect.mode !== 'stopped' && this.#host === host && this.#mode !== 'starting'
      const reconnect = new Reconnect({
        dial: () => dial({ address: { url: headUrl }, to: 'any', from, token, timeoutMs: dialTimeoutMs }),
        onLink: (link) => {
          if (this.#mode === 'up' && goesOn()) say(`the head at ${headUrl} is there again`)
          host.attachHead(link, (reason) => {
            if (goesOn()) say(`the head is not there for now: ${reason.message}`)
            reconnect.lost()
          })
          resolve()
        },
        isFinal: (error) => {
          if (!goesOn() && isRefusedForGood(error)) return true
          // Whoever starts this node is shown the end of its log, where that takes too long.
          const running = this.#mode === 'up' ? 'what runs here goes on, and ' : ''
          const again = `${running}the head is asked again at ${headUrl} until this node is stopped`
          say(`${error.message}; ${goesOn() ? again : 'it is tried again'}`)
          return false
        },
        onGiveUp: reject,
        clock: systemClock,
        random: systemRandom,
        backoff: { ...defaultBackoff, mostMs: mostBackoffMs },
      })
      this.#reconnect = reconnect
      reconnect.start()
    })
  }

  /** The cluster holds this incarnation for dead, so it is: nothing of it goes on under the new one. */
  async #rejoin(host: NodeHost, reason: string): Promise<void> {
    if (this.#host !== host || this.#mode !== 'up') return
    this.#mode = 'leaving'
    log(`the cluster declared node ${host.id} dead: ${reason}. It begins anew.`)
    this.#reconnect?.stop()
    try {
      await host.stop(`it was declared dead: ${reason}`)
      if (this.#isStopped()) return
      await this.#beginAgain()
      log(`joined again as node ${this.facts.id}`)
    } catch (error) {
      if (!this.#isStopped()) this.#parts.events.onEnd(error as Error)
    }
  }

  /** On the port of the incarnation before. Where another process has got that meanwhile, any other does. */
  async #beginAgain(): Promise<void> {
    try {
      await this.begin()
    } catch (error) {
      if (!isPortTaken(error as Error) || (this.#parts.options.port ?? 0) !== 0) throw error
      this.#port = 0
      await this.begin()
    }
  }

  #isStopped(): boolean {
    return this.#mode === 'stopped'
  }

  async #drainBy(host: NodeHost, { deadlineMs, reason, drained }: DrainRequest): Promise<void> {
    log(`asked to drain within ${deadlineMs} ms: ${reason}`)
    const clean = await host.manager.drain(deadlineMs, true)
    log(howDrained(clean))
    drained(clean)
    if (this.#host === host) this.#endBy(reason)
  }

  #endBy(reason: string): void {
    if (this.#mode === 'stopped') return
    log(`asked to stop: ${reason}`)
    const { events } = this.#parts
    this.stop(reason).then(
      () => events.onEnd(),
      (error: unknown) => events.onEnd(error as Error),
    )
  }
}

function howDrained(clean: boolean): string {
  return clean ? 'drained: nothing runs here any more' : 'the deadline of the drain is over; what is left ends now'
}

function portOf(
  { host = '127.0.0.1', advertise, allowedHosts }: DaemonOptions,
  port: number,
  tls: ServerTls | undefined,
): NodePort {
  return {
    ...{ host, port },
    ...(tls && { tls }),
    ...(advertise !== undefined && { advertise }),
    ...(allowedHosts && { allowedHosts }),
  }
}

function isPortTaken({ cause }: Error): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE'
}
