/**
 * Plain requests at the one port of a node:
 *
 *   /healthz   200 while the process answers: who it is, its versions, its clock
 *   /readyz    200 when it is registered with the head and accepts leases, else 503 with the reason
 *   /metrics   for Prometheus (node-metrics.ts)
 *   /reach     which other nodes it can connect to, tried now; with ?most= so many of them, others with another ?turn=
 *   /memory    what lies in its object store, by owner; with ?objects= so many of the largest objects
 *   /tables    how many entries each table of the node manager and of its workers has
 *   /token     fingerprints of the tokens that it shows and accepts; POST replaces them
 *   /logs      the output files of its workers; with ?worker= and ?stream= one of them, from ?from= on
 *
 * The first three are open to this machine; everything else, and everybody else, shows the token as `Authorization:
 * Bearer`. A connection serves one request: until it is closed it counts among those that have not authenticated.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isProcessId } from '../base/ids.ts'
import type { NodeManager } from '../node/node-manager.ts'
import type { StoreUsage } from '../objects/store-usage.ts'
import { protocolVersion } from '../protocol/version.ts'
import { packageVersion, tokenText } from '../transport/hello.ts'
import { tokenMatches } from '../transport/token-digest.ts'
import { ringOf } from '../transport/tokens.ts'
import type { TokenRing, TokenSource } from '../transport/tokens.ts'
import { listLogs, readLog } from './node-logs.ts'
import { NodeMetrics } from './node-metrics.ts'
import { reachOthers, wantedPart } from './reach.ts'
import { tokenFacts, wantedTokens } from './token-requests.ts'

export interface NodeHttpOptions {
  /** undefined while it starts. */
  readonly manager: () => NodeManager | undefined
  readonly token: TokenSource
  /** Absent where they cannot be replaced. */
  readonly tokens?: ReplaceTokens
  readonly head: boolean
  readonly runFolder: string
  /** What lies in the store, with so many of the largest objects. */
  readonly usage: (mostObjects: number) => Promise<StoreUsage>
  /** The log of the daemon; '' where it has none. */
  readonly logFile: string
}

export interface ReplaceTokens {
  /** Whether the next start of the node finds them. */
  readonly areKept: boolean
  replace(ring: TokenRing): void
}

/** What `/healthz` says. */
export interface NodeHealth {
  readonly node: string
  readonly pid: number
  readonly head: boolean
  readonly version: string
  readonly protocol: number
  readonly nodeVersion: string
  /** The wall clock there, in milliseconds since 1970. */
  readonly nowMs: number
  readonly uptimeSeconds: number
  readonly ready: boolean
  /** '' when it is. */
  readonly reason: string
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

/** Objects that one answer lists. */
const mostObjects = 10_000
const openToThisMachine = new Set(['/healthz', '/readyz', '/metrics'])

export function nodeHttp(options: NodeHttpOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const serving = new NodeHttp(options)
  return (request, response) => void serving.serve(request, response)
}

class NodeHttp {
  readonly #options: NodeHttpOptions
  #metrics: Promise<NodeMetrics> | undefined
  /** Shared by those who ask at the same time. */
  #scrape: Promise<Answer> | undefined

  constructor(options: NodeHttpOptions) {
    this.#options = options
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer
    try {
      answer = await this.#answer(request)
    } catch (error) {
      answer = json(500, { error: (error as Error).message })
    }
    response.shouldKeepAlive = false
    response.writeHead(answer.status, { ...answer.headers, 'content-type': answer.type, 'cache-control': 'no-store' })
    response.end(request.method === 'HEAD' ? undefined : answer.body)
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const url = requestedUrl(request.url ?? '/')
    if (url === undefined) return json(400, { code: 'malformed', reason: 'what was asked for is no path and no URL' })
    const isTokenStep = request.method === 'POST' && url.pathname === '/token'
    if (request.method !== 'GET' && request.method !== 'HEAD' && !isTokenStep)
      return json(405, { error: `there is no ${request.method} here` }, { allow: 'GET, HEAD' })
    if (!this.#mayAsk(request, url.pathname))
      return json(401, { code: 'authentication', reason: tokenText }, { 'www-authenticate': 'Bearer realm="outpool"' })
    const manager = this.#options.manager()
    if (manager === undefined) return json(503, { error: 'the node is starting' })
    switch (url.pathname) {
      case '/token':
        return this.#tokens(isTokenStep ? request : undefined)
      case '/healthz':
        return json(200, this.#health(manager))
      case '/readyz': {
        const reason = manager.notReady()
        return json(reason === '' ? 200 : 503, { ready: reason === '', reason })
      }
      case '/metrics':
        return (this.#scrape ??= this.#measure(manager).finally(() => (this.#scrape = undefined)))
      case '/reach':
        return json(200, await reachOthers(manager, this.#options.token, wantedPart(url.searchParams)))
      case '/memory':
        return json(200, manager.sites.marked(await this.#options.usage(countOf(url.searchParams.get('objects')))))
      case '/tables':
        return json(200, await manager.tables())
      case '/logs':
        return this.#logs(url.searchParams)
      default:
        return json(404, { code: 'not-found', reason: `there is nothing at ${url.pathname}` })
    }
  }

  #mayAsk(request: IncomingMessage, path: string): boolean {
    if (openToThisMachine.has(path) && isOwnMachine(request.socket.remoteAddress)) return true
    const shown = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
    return tokenMatches(shown, this.#options.token)
  }

  #health(manager: NodeManager): NodeHealth {
    const reason = manager.notReady()
    return {
      node: manager.id,
      pid: process.pid,
      head: this.#options.head,
      version: packageVersion,
      protocol: protocolVersion,
      nodeVersion: process.version,
      nowMs: Date.now(),
      uptimeSeconds: Math.round(process.uptime()),
      ready: reason === '',
      reason,
    }
  }

  async #tokens(step: IncomingMessage | undefined): Promise<Answer> {
    const { token, tokens } = this.#options
    if (tokens === undefined) return json(404, { code: 'not-found', reason: 'the token of this node is its own' })
    if (step !== undefined) {
      try {
        tokens.replace(await wantedTokens(step, ringOf(token)))
      } catch (error) {
        return json(409, { error: (error as Error).message })
      }
    }
    return json(200, tokenFacts(ringOf(token), tokens.areKept))
  }

  async #measure(manager: NodeManager): Promise<Answer> {
    const metrics = await (this.#metrics ??= NodeMetrics.open())
    const body = await metrics.render({
      stats: manager.stats(),
      notReady: manager.notReady(),
      nodes: manager.nodes(),
      own: manager.row(),
      store: await this.#options.usage(0),
    })
    return { status: 200, type: metrics.contentType, body }
  }

  async #logs(query: URLSearchParams): Promise<Answer> {
    const { runFolder, logFile } = this.#options
    const worker = query.get('worker')
    if (worker === null) return json(200, await listLogs(runFolder, logFile))
    // Before what it has written is read.
    const isOver = isProcessId(worker) && this.#options.manager()?.isOver(worker) === true
    const question = { name: worker, stream: query.get('stream'), from: query.get('from') }
    const part = readLog({ runFolder, logFile, ...question })
    if (part === undefined) return json(404, { code: 'not-found', reason: `there is no output of ${worker} here` })
    const places = { 'outpool-from': part.from, 'outpool-begin': part.begin, 'outpool-end': part.end }
    const texts = Object.entries(places).map(([name, place]) => [name, String(place)] as const)
    const headers = { ...Object.fromEntries(texts), ...(isOver && { 'outpool-over': '1' }) }
    return { status: 200, type: 'text/plain; charset=utf-8', body: part.bytes, headers }
  }
}

function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n`, headers }
}

/** A path as it is, `//` and all: as a reference to a URL, what follows `//` would be a host. undefined: it is neither. */
function requestedUrl(text: string): URL | undefined {
  const href = text.startsWith('/') ? `http://node${text}` : text
  return URL.canParse(href, 'http://node') ? new URL(href, 'http://node') : undefined
}

function countOf(text: string | null): number {
  const count = Number(text ?? 0)
  return Number.isSafeInteger(count) && count > 0 ? Math.min(count, mostObjects) : 0
}

function isOwnMachine(address: string | undefined): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address ?? '')
}
