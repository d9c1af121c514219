/** Real listeners in a folder of their own, and everything closed again afterwards. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newProcessId } from '../../../runtime/base/ids.ts'
import type { BulkChannel } from '../../../runtime/transport/bulk.ts'
import type { LocalHello, ProcessKind, Refusal } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import type { IncomingOptions } from '../../../runtime/transport/incoming.ts'
import { listenUnix, listenWebSocket } from '../../../runtime/transport/listen.ts'
import type { UnixListener, WebSocketListener, WebSocketListenerOptions } from '../../../runtime/transport/listen.ts'
import type { WireMessage } from '../../../runtime/protocol/frames.ts'

export const token = 'a token of the tests'

export function hello(kind: ProcessKind = 'worker'): LocalHello {
  const process = newProcessId()
  return { kind, node: kind === 'node' || kind === 'head' ? process : newProcessId(), process, info: { test: true } }
}

/** A queue that can be awaited. */
export class Inbox<T> {
  readonly items: T[] = []
  #waiting: (() => void)[] = []

  readonly put = (item: T): void => {
    this.items.push(item)
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async take(): Promise<T> {
    await this.has(1)
    return this.items.shift() as T
  }

  async has(count: number): Promise<T[]> {
    while (this.items.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return this.items
  }
}

/** One end of a link whose messages and end are collected. */
export class Ear {
  readonly messages = new Inbox<WireMessage>()
  readonly closed = new Inbox<Error>()
  readonly link: Link
  constructor(link: Link) {
    this.link = link
    link.onMessage = this.messages.put
    link.onClose = this.closed.put
  }
}

export interface Site {
  readonly links: Inbox<Link>
  readonly bulks: Inbox<BulkChannel>
  readonly refusals: Inbox<Refusal>
  readonly self: LocalHello
}

/** Everything a test opens; `close` in afterEach leaves nothing behind. */
export class Bench {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'outpool-t-'))
  readonly #cleanups: (() => unknown)[] = []
  #count = 0

  later(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup)
  }

  keep<L extends Link>(link: L): L {
    this.later(() => link.close())
    return link
  }

  site(self: LocalHello = hello()): Site & { readonly options: IncomingOptions } {
    const links = new Inbox<Link>()
    const bulks = new Inbox<BulkChannel>()
    const refusals = new Inbox<Refusal>()
    const onLink = (link: Link): void => links.put(this.keep(link))
    const onBulk = (channel: BulkChannel): void => {
      this.later(() => channel.close(new Error('the test is over')))
      bulks.put(channel)
    }
    const options = { self, token, onLink, onBulk, onRefused: refusals.put }
    return { links, bulks, refusals, self, options }
  }

  async unix(extra: Partial<IncomingOptions> = {}, self?: LocalHello): Promise<Site & { listener: UnixListener }> {
    const site = this.site(self)
    const path = join(this.folder, `${this.#count++}.sock`)
    const listener = await listenUnix({ ...site.options, ...extra, path })
    this.later(() => listener.close())
    return { ...site, listener }
  }

  async port(
    extra: Partial<WebSocketListenerOptions> = {},
    self: LocalHello = hello('node'),
  ): Promise<Site & { listener: WebSocketListener }> {
    const site = this.site(self)
    const listener = await listenWebSocket({ ...site.options, ...extra })
    this.later(() => listener.close())
    return { ...site, listener }
  }

  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) await cleanup()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The error that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<Error> {
  const value = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(value instanceof Error)) throw new Error('a rejection was expected')
  return value
}
