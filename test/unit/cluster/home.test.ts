import { expect } from 'chai'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AuthenticationError, ConnectionLostError, NodeDiedError } from '../../../runtime/base/errors.ts'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { maxUnauthenticated } from '../../../runtime/base/limits.ts'
import type { NodeId, ProcessAddress, ProcessId } from '../../../runtime/base/ids.ts'
import { nodeSocketOf, openHome } from '../../../runtime/owner/home.ts'
import type { Home, HomeOptions } from '../../../runtime/owner/home.ts'
import { MessageType } from '../../../runtime/protocol/messages.ts'
import type { Message, NodeRow } from '../../../runtime/protocol/messages.ts'
import { DialBackTable } from '../../../runtime/transport/dial-back.ts'
import { dial } from '../../../runtime/transport/dial.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { listenUnix, listenWebSocket } from '../../../runtime/transport/listen.ts'
import type { UnixListener, WebSocketListener } from '../../../runtime/transport/listen.ts'
import type { SpliceTarget } from '../../../runtime/transport/splice.ts'
import { eventually } from '../../tools/eventually.ts'
import { Inbox } from '../transport/support.ts'

const token = 'the token of these tests'

/** The listening side of a node manager: real sockets, and the answers that a home needs. */
class Site {
  readonly id: NodeId = newProcessId()
  readonly folder: string
  readonly links: Inbox<Link> = new Inbox()
  readonly heard: Inbox<Message> = new Inbox()
  readonly dialBack: DialBackTable = new DialBackTable()
  /** What it says when asked for nodes. */
  rows: NodeRow[] = []
  /** How often it was asked to resolve. */
  resolved = 0
  #open: Link[] = []
  #unix: UnixListener | undefined
  #port: WebSocketListener | undefined

  constructor(folder: string) {
    this.folder = folder
  }

  get url(): string {
    return this.#port?.url ?? ''
  }

  async listen(portNumber = 0): Promise<this> {
    const self = { kind: 'node', node: this.id, process: this.id } as const
    const resolveTarget = (to: ProcessAddress): Promise<SpliceTarget> => this.#resolve(to)
    const options = { self, token, dialBack: this.dialBack, resolveTarget, onLink: (link: Link) => this.#serve(link) }
    this.#unix = await listenUnix({ ...options, path: nodeSocketOf(this.folder) })
    this.#port = await listenWebSocket({ ...options, port: portNumber })
    return this
  }

  /** The one link of a process that is connected now. */
  linkOf(process: string): Link | undefined {
    return this.#open.find((link) => link.peer.process === process && !link.closed)
  }

  async close(): Promise<void> {
    for (const link of this.#open) link.close()
    await this.#unix?.close()
    await this.#port?.close()
  }

  #serve(link: Link): void {
    this.#open.push(link)
    this.links.put(link)
    link.onMessage = (message) => {
      const known = message as unknown as Message
      if (known[0] === MessageType.nodesRequest) link.send([MessageType.nodes, known[1], this.rows])
      else if (known[0] === MessageType.jobStart) link.send([MessageType.jobStarted, known[1]])
      else if (known[0] === MessageType.tableRequest)
        link.send([MessageType.tableReply, known[1], `no ${known[2]}`, []])
      this.heard.put(known)
    }
  }

  /** A process of this node calls back; one of another is relayed there. */
  async #resolve(to: ProcessAddress): Promise<SpliceTarget> {
    this.resolved++
    if (to.node !== this.id) {
      const url = this.rows.find((row) => row.id === to.node)?.url
      return url ? { kind: 'relay', url } : { kind: 'refuse', code: 'not-found', reason: `no node ${to.node}` }
    }
    const path = join(this.folder, `${to.process}.sock`)
    if (existsSync(path)) return { kind: 'unix', path }
    const link = this.linkOf(to.process)
    if (!link) return { kind: 'refuse', code: 'gone', reason: `process ${to.process} is gone` }
    const { ticket, socket } = this.dialBack.issue(to.process)
    link.send([MessageType.dialBack, ticket])
    return { kind: 'socket', socket: await socket }
  }
}

function row(site: { id: NodeId; url: string }, changes: Partial<NodeRow> = {}): NodeRow {
  const place = { id: site.id, url: site.url, hostname: 'h', pid: 1, labels: {}, head: false }
  return { ...place, state: 'alive', total: [], available: [], queued: 0, workers: 0, ...changes }
}

describe('Home', () => {
  let folder: string
  const sites: Site[] = []
  const homes: Home[] = []
  const loose: Link[] = []
  const computers: { server: Server; heard: Socket[] }[] = []

  const site = async (): Promise<Site> => {
    const made = await new Site(join(folder, String(sites.length))).listen()
    sites.push(made)
    return made
  }
  const join_ = async (at: Site, changes: Partial<HomeOptions> = {}): Promise<Home> => {
    const home = await openHome({
      kind: 'driver',
      process: newProcessId(),
      node: at.id,
      address: { url: at.url },
      token,
      reconnectMs: 2_000,
      onMessage: () => {},
      onLink: () => {},
      ...changes,
    })
    homes.push(home)
    // The test is all that this process has to do: it must not end while it waits.
    home.ref()
    return home
  }

  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'h-'))))
  afterEach(async () => {
    for (const home of homes.splice(0)) home.close()
    for (const link of loose.splice(0)) link.close()
    for (const made of sites.splice(0)) await made.close()
    for (const { server, heard } of computers.splice(0)) {
      for (const socket of heard) socket.destroy()
      await new Promise((resolve) => void server.close(resolve))
    }
    rmSync(folder, { recursive: true, force: true })
  })

  it('answers for the nodes, the job and the tables, and hands on what it does not know', async () => {
    const at = await site()
    at.rows = [row(at)]
    const said = new Inbox<Message>()
    const home = await join_(at, { onMessage: said.put })
    expect(await home.nodes()).to.deep.equal(at.rows)
    await home.startJob({ argv: ['x'] })
    expect(await home.table('kv', ['get', 'a'])).to.deep.equal({ error: 'no kv', rows: [] })
    at.linkOf(home.self.process)?.send([MessageType.leaseReclaim, 7, false])
    expect(await said.take()).to.deep.equal([MessageType.leaseReclaim, 7, false])
    expect([home.node, home.mode, home.sameMachine]).to.deep.equal([at.id, 'connected', false])
  })

  it('calls back when its home asks, so that others reach a process that opens no port', async () => {
    const at = await site()
    const incoming = new Inbox<Link>()
    const home = await join_(at, { onLink: incoming.put })
    await at.links.take()
    const process = newProcessId()
    const from = { kind: 'worker', node: at.id, process } as const
    const caller = await dial({ address: { unix: nodeSocketOf(at.folder) }, to: home.self, from, token })
    loose.push(caller)
    expect(caller.peer.process).to.equal(home.self.process)
    const link = await incoming.take()
    expect(link.peer.process).to.equal(process)
    // What came in serves the other direction too: nobody is dialled.
    expect(await home.dial({ node: at.id, process })).to.equal(link)
  })

  it('calls back for all who wait, however many they are', async () => {
    const at = await site()
    const links = new Inbox<Link>()
    const home = await join_(at, { onLink: links.put, address: { unix: nodeSocketOf(at.folder) } })
    await at.links.take()
    const link = at.linkOf(home.self.process)
    const waiting = Array.from({ length: 4 * maxUnauthenticated }, () => at.dialBack.issue(home.self.process))
    for (const { ticket } of waiting) link?.send([MessageType.dialBack, ticket])
    const sockets = await Promise.all(waiting.map(({ socket }) => socket))
    expect(at.dialBack.size).to.equal(0)
    for (const socket of sockets) socket.destroy()
  })

  it('serves bulk channels that others open to it, and opens them to others', async () => {
    const [a, b] = [await site(), await site()]
    a.rows = b.rows = [row(a), row(b)]
    const chunks = new Inbox<Buffer>()
    const holder = await join_(b, { onBulk: (channel) => (channel.onChunk = chunks.put) })
    const home = await join_(a)
    const channel = await home.bulk(holder.self)
    await channel.send(Buffer.from('a chunk'))
    expect(String(await chunks.take())).to.equal('a chunk')
    channel.close()
    const refused = await holder.bulk(home.self).catch((failure: Error) => failure.message)
    expect(refused).to.contain('serves no bulk channel')
  })

  it('reaches a worker of a home on its machine over the socket of the worker', async () => {
    const at = await site()
    const home = await join_(at, { runFolder: at.folder, address: { unix: nodeSocketOf(at.folder) } })
    const process = newProcessId()
    const self = { kind: 'worker', node: at.id, process } as const
    const worker = await listenUnix({
      self,
      token,
      path: join(at.folder, `${process}.sock`),
      onLink: (link) => loose.push(link),
    })
    const links = await Promise.all([home.dial({ node: at.id, process }), home.dial({ node: at.id, process })])
    expect(links[0].kind).to.equal('unix')
    expect(links[1]).to.equal(links[0])
    expect(at.resolved).to.equal(0)
    await worker.close()
  })

  /** Of a process that computes, the kernel takes connections, and nobody reads them. */
  const computing = async (
    at: Site,
  ): Promise<{ process: ProcessId; path: string; heard: () => number; die: () => void; parted: () => boolean }> => {
    const process = newProcessId()
    const heard: Socket[] = []
    const server = createServer({ pauseOnConnect: true }, (socket) => void heard.push(socket))
    computers.push({ server, heard })
    const path = join(at.folder, `${process}.sock`)
    await new Promise<void>((resolve) => void server.listen(path, resolve))
    const die = (): void => {
      rmSync(path)
      for (const socket of heard) socket.destroy()
    }
    const parted = (): boolean => heard.every((socket) => socket.resume().readableEnded)
    return { process, path, heard: () => heard.length, die, parted }
  }

  it('waits for a worker that computes, until it is closed itself', async () => {
    const at = await site()
    const home = await join_(at, { runFolder: at.folder, address: { unix: nodeSocketOf(at.folder) } })
    const { process, heard } = await computing(at)
    const dialled = home.dial({ node: at.id, process }).catch((failure: Error) => failure.message)
    await eventually(() => heard() === 1 || undefined)
    home.close(new Error('shut down'))
    expect(await dialled).to.equal('shut down')
  })

  it('waits for what computes on another node, until that is dead', async () => {
    const [a, b] = [await site(), await site()]
    a.rows = b.rows = [row(a), row(b)]
    const home = await join_(a)
    await a.links.take()
    const { process, heard } = await computing(b)
    const dialled = home.dial({ node: b.id, process }).catch((failure: unknown) => failure)
    await eventually(() => heard() === 1 || undefined)
    a.linkOf(home.self.process)?.send([MessageType.nodeEvent, b.id, 'down', 'fire'])
    expect(await dialled)
      .to.be.instanceOf(NodeDiedError)
      .with.property('message')
      .that.contains('fire')
  })

  it('goes on to a node by its url where a process of it has died before it had answered', async () => {
    const [a, b] = [await site(), await site()]
    a.rows = b.rows = [row(a), row(b)]
    const home = await join_(a)
    const { process, heard, die } = await computing(b)
    const dialled = home.dial({ node: b.id, process }).catch((failure: Error) => failure.message)
    await eventually(() => heard() === 1 || undefined)
    die()
    expect(await dialled).to.contain(process)
    const { resolved } = a
    expect((await home.dial({ node: b.id, process: b.id })).peer.process).to.equal(b.id)
    expect(a.resolved).to.equal(resolved)
  })

  it('leaves no connection to a process behind of which its home knows that it is gone', async () => {
    const [a, b] = [await site(), await site()]
    a.rows = b.rows = [row(a), row(b)]
    const home = await join_(a)
    const { process, path, heard, parted } = await computing(b)
    const dialled = home.dial({ node: b.id, process }).catch((failure: Error) => failure.message)
    await eventually(() => heard() === 1 || undefined)
    rmSync(path)
    expect(await dialled).to.contain(`process ${process} is gone`)
    await eventually(() => parted() || undefined)
  })

  it('gives the home link for the home itself', async () => {
    const home = await join_(await site())
    expect(await home.dial({ node: home.node, process: home.node })).to.equal(home.link)
  })

  it('reaches another node by its url, and a driver there through that node', async () => {
    const [a, b] = [await site(), await site()]
    a.rows = [row(a), row(b)]
    const there = await join_(b)
    const home = await join_(a)
    expect((await home.dial({ node: b.id, process: b.id })).peer.process).to.equal(b.id)
    expect((await home.dial(there.self)).peer.process).to.equal(there.self.process)
    expect(a.resolved).to.equal(0)
    expect(await home.url(b.id)).to.equal(b.url)
  })

  it('goes through its home, when the url of a node does not answer, and does not try that again at once', async () => {
    const [a, b] = [await site(), await site()]
    // What the driver sees of b's address is not where b is: its home knows better.
    a.rows = [row(a), row(b, { url: 'ws://127.0.0.1:1' })]
    const home = await join_(a)
    await home.nodes()
    a.rows = [row(a), row(b)]
    expect((await home.dial({ node: b.id, process: b.id })).peer.process).to.equal(b.id)
    expect(a.resolved).to.equal(1)
  })

  it('refuses a dead node at once, and closes its links when it dies', async () => {
    const [a, b] = [await site(), await site()]
    a.rows = [row(a), row(b)]
    const ends = new Inbox<Error>()
    const events = new Inbox<string>()
    const home = await join_(a, {
      onLink: () => ends.put,
      onNodeEvent: (node, state, reason) => events.put(`${node} ${state} ${reason}`),
    })
    await home.dial({ node: b.id, process: b.id })
    await a.links.take()
    a.linkOf(home.self.process)?.send([MessageType.nodeEvent, b.id, 'down', 'fire'])
    expect(await ends.take()).to.be.instanceOf(NodeDiedError)
    expect(await events.take()).to.equal(`${b.id} down fire`)
    const error = await home.dial({ node: b.id, process: newProcessId() }).catch((failure: unknown) => failure)
    expect(error).to.be.instanceOf(NodeDiedError).with.property('message').that.contains('fire')
  })

  it('names the process and what was tried, when nobody can reach it', async () => {
    const at = await site()
    const home = await join_(at)
    const wanted = newProcessId()
    const error = await home.dial({ node: at.id, process: wanted }).catch((failure: unknown) => failure)
    expect(error).to.be.instanceOf(ConnectionLostError).with.property('message').that.contains(wanted)
  })

  it('makes a lost home link again, announces its job again, and tells both', async () => {
    const at = await site()
    const [lost, restored] = [new Inbox<Error>(), new Inbox<Link>()]
    const home = await join_(at, { onLost: lost.put, onRestored: restored.put })
    await home.startJob({ name: 'job' })
    const first = home.link
    at.linkOf(home.self.process)?.close()
    await lost.take()
    const second = await restored.take()
    expect(second).to.not.equal(first)
    expect([home.link, await home.connected()]).to.deep.equal([second, second])
    const starts = at.heard.items.filter((message) => message[0] === MessageType.jobStart)
    expect(starts.map((message) => message[2])).to.deep.equal([home.self.process, home.self.process])
  })

  it('is closed for good, with the reason, when the home does not come back in time', async () => {
    const at = await site()
    const closed = new Inbox<Error>()
    const home = await join_(at, { reconnectMs: 100, onClosed: closed.put })
    await at.close()
    const reason = await closed.take()
    expect(reason.message).to.contain(at.id).and.contain('is gone')
    expect(home.mode).to.equal('closed')
    expect(await home.nodes().catch((failure: unknown) => failure)).to.equal(reason)
  })

  it('is closed at once, without another attempt, when it may not reconnect', async () => {
    const at = await site()
    const closed = new Inbox<Error>()
    const home = await join_(at, { kind: 'worker', reconnectMs: 0, onClosed: closed.put })
    await at.links.take()
    at.linkOf(home.self.process)?.close()
    await closed.take()
    expect(home.mode).to.equal('closed')
    expect(at.links.items).to.have.length(0)
  })

  it('rejects with what the other side says, when it cannot be opened', async () => {
    const at = await site()
    const error = await join_(at, { token: 'another token, wrong' }).catch((failure: unknown) => failure)
    expect(error).to.be.instanceOf(AuthenticationError)
  })

  it('rejects what is under way, and later calls, when it is closed', async () => {
    const at = await site()
    const home = await join_(at)
    const closed = new Inbox<Error>()
    const dialled = home.dial({ node: at.id, process: newProcessId() }).catch((failure: unknown) => failure)
    home.close(new Error('shut down'))
    expect(await dialled).to.be.an('error')
    expect(await home.nodes().catch((failure: Error) => failure.message)).to.equal('shut down')
    expect(closed.items).to.have.length(0)
  })
})
