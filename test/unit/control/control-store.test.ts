import { expect } from 'chai'
import { newProcessId } from '../../../runtime/base/ids.ts'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { ControlStore } from '../../../runtime/control/control-store.ts'
import type { ControlStoreOptions } from '../../../runtime/control/control-store.ts'
import { MemoryPersistence } from '../../../runtime/control/persistence.ts'
import type { TableWrite } from '../../../runtime/control/tables-state.ts'
import { MessageType } from '../../../runtime/protocol/messages.ts'
import type { Message, NodeRow } from '../../../runtime/protocol/messages.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import type { ProcessKind } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'
import { ManualClock } from '../manual-clock.ts'

const turns = async (): Promise<void> => {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => setImmediate(resolve))
}
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const rowsOf = (view: Message | undefined): NodeRow[] => (view as readonly [number, number, NodeRow[]])[2]

/** A process with a link to the store, as seen from outside: what it was told. */
class Peer {
  readonly id: NodeId = newProcessId()
  readonly link: Link
  readonly heard: Message[] = []
  closed: Error | undefined
  /** Answers pings, as a live node does. */
  answers = true

  constructor(store: ControlStore, kind: ProcessKind = 'node', id?: NodeId) {
    if (id) this.id = id
    const head = newProcessId()
    const [mine, theirs] = memoryPair(
      peerHello({ kind, node: this.id, process: this.id }),
      peerHello({ kind: 'head', node: head, process: head }),
    )
    this.link = mine
    mine.onMessage = (message) => {
      if (message[0] !== MessageType.ping) this.heard.push(message as unknown as Message)
      else if (this.answers) mine.send([MessageType.pong])
    }
    mine.onClose = (reason) => (this.closed = reason)
    // Between machines it would be a WebSocket; what is tested here is what the store does with it.
    Object.defineProperty(theirs, 'kind', { value: 'websocket' })
    store.attach(theirs)
  }

  async say(message: Message): Promise<void> {
    this.link.send(message)
    await turns()
  }

  async register(): Promise<this> {
    await this.say([MessageType.nodeRegister, 1, this.row()])
    return this
  }

  row(changes: Partial<NodeRow> = {}): NodeRow {
    const units = [['CPU', 10000]] as const
    const place = { id: this.id, url: '', hostname: 'h', pid: 1, labels: {}, head: false }
    return { ...place, state: 'alive', total: units, available: units, queued: 0, workers: 0, ...changes }
  }

  /** What was heard of one type since the last time. */
  take(type: Message[0]): Message[] {
    const taken = this.heard.filter((message) => message[0] === type)
    this.heard.splice(0, this.heard.length, ...this.heard.filter((message) => message[0] !== type))
    return taken
  }
}

/** Memory whose writes wait until the test lets them through. */
class SlowPersistence extends MemoryPersistence {
  readonly waiting: (() => void)[] = []
  failure: Error | undefined
  held = false

  override async write(writes: readonly TableWrite[]): Promise<void> {
    if (this.held) await new Promise<void>((resolve) => this.waiting.push(resolve))
    if (this.failure) throw this.failure
    await super.write(writes)
  }
}

describe('ControlStore', () => {
  let clock: ManualClock
  let stores: ControlStore[]
  const open = async (options: Partial<ControlStoreOptions> = {}): Promise<ControlStore> => {
    const store = await ControlStore.open({ clock, persistence: new MemoryPersistence(), wallNow: () => 0, ...options })
    stores.push(store)
    return store
  }

  beforeEach(() => {
    clock = new ManualClock()
    stores = []
  })

  afterEach(async () => {
    for (const store of stores) await store.stop()
    await turns()
    expect(clock.pending, 'timers left behind').to.equal(0)
  })

  it('registers nodes and tells each of the others, in one view', async () => {
    const store = await open()
    const a = await new Peer(store).register()
    const b = await new Peer(store).register()
    const [, , epoch, rows] = b.take(MessageType.nodeRegistered)[0] as readonly [number, number, number, NodeRow[]]
    expect(epoch).to.equal(1)
    expect(rows.map((row) => row.id)).to.have.members([a.id, b.id])
    await clock.pass(50, turns)
    const views = a.take(MessageType.clusterView)
    expect(views).to.have.length(1)
    expect(rowsOf(views[0]).map((row) => row.id)).to.have.members([a.id, b.id])
  })

  it('declares a node dead that does not answer for five heartbeats, tells it and the others', async () => {
    const store = await open()
    const [a, b] = [await new Peer(store).register(), await new Peer(store).register()]
    await clock.pass(3_000, turns)
    b.answers = false
    a.heard.length = 0
    await clock.pass(4_900, turns)
    expect(store.nodes().map((row) => row.state)).to.deep.equal(['alive', 'alive'])
    await clock.pass(2_200, turns)
    expect(b.take(MessageType.nodeDeclaredDead)[0]?.[1]).to.equal(b.id)
    expect(b.closed?.message).to.contain('closed')
    const [view] = a.take(MessageType.clusterView)
    expect(rowsOf(view).map((row) => [row.id, row.state])).to.deep.equal([[b.id, 'dead']])
    const late = await new Peer(store, 'node', b.id).register()
    expect(late.take(MessageType.nodeDeclaredDead)).to.have.length(1)
    expect(late.closed).to.be.an('error')
  })

  it('gives a node whose link broke two seconds to come back', async () => {
    const store = await open()
    const [a, b] = [await new Peer(store).register(), await new Peer(store).register()]
    a.link.close()
    b.link.close()
    await turns()
    await clock.pass(1_900, turns)
    const again = await new Peer(store, 'node', a.id).register()
    expect(again.take(MessageType.nodeRegistered)).to.have.length(1)
    await clock.pass(200, turns)
    expect(store.nodes().map((row) => [row.id, row.state])).to.deep.equal([
      [a.id, 'alive'],
      [b.id, 'dead'],
    ])
  })

  it('closes the link of whoever registers a node that it is not', async () => {
    const store = await open()
    const driver = await new Peer(store, 'driver').register()
    const liar = new Peer(store)
    await liar.say([MessageType.nodeRegister, 1, liar.row({ id: newProcessId() })])
    expect([driver.closed, liar.closed].map((error) => error instanceof Error)).to.deep.equal([true, true])
    expect(store.nodes()).to.deep.equal([])
  })

  it('shows the nodes as they are now, with the age of the last heartbeat, to readers of their table', async () => {
    const store = await open()
    const a = await new Peer(store).register()
    await a.say([MessageType.nodeLoad, [['CPU', 5000]], 3, 2, 'draining'])
    await clock.pass(700, turns)
    const tool = new Peer(store, 'driver')
    await tool.say([MessageType.tableRequest, 4, 'nodes', ['list', '']])
    const [reply] = tool.take(MessageType.tableReply)
    const written = (reply as readonly [number, number, string, [string, number, Uint8Array][]])[3]
    const rows = written.map(([, , value]): unknown => JSON.parse(Buffer.from(value).toString()))
    expect(rows).to.deep.equal([
      { ...a.row({ available: [['CPU', 5000]], queued: 3, workers: 2, state: 'draining' }), heartbeatAgeMs: 700 },
    ])
  })

  it('acknowledges nothing, and tells no watch, before it is persisted; then everything in order', async () => {
    const persistence = new SlowPersistence()
    const store = await open({ persistence })
    const watcher = new Peer(store, 'driver')
    await watcher.say([MessageType.tableRequest, 1, 'kv', ['watch', '', 8]])
    watcher.heard.length = 0
    persistence.held = true
    const writer = new Peer(store, 'driver')
    await writer.say([MessageType.tableRequest, 1, 'kv', ['put', 'a', bytes('1'), 0]])
    await writer.say([MessageType.tableRequest, 2, 'kv', ['put', 'b', bytes('2'), 0]])
    await writer.say([MessageType.tableRequest, 3, 'kv', ['get', 'a']])
    expect([writer.heard, watcher.heard]).to.deep.equal([[], []])
    persistence.waiting.shift()?.()
    await turns()
    expect(writer.heard.map((message) => message[1])).to.deep.equal([1])
    expect(watcher.heard).to.deep.equal([[MessageType.tableEvent, 8, [['a', 1, bytes('1')]], []]])
    persistence.waiting.shift()?.()
    await turns()
    expect(writer.heard.map((message) => message[1])).to.deep.equal([1, 2, 3])
    persistence.held = false
  })

  it('says nothing more, closes every link and reports it, when persistence fails', async () => {
    const persistence = new SlowPersistence()
    const failures: Error[] = []
    const store = await open({ persistence, onFailure: (error) => failures.push(error) })
    persistence.failure = new Error('disk full')
    const writer = new Peer(store, 'driver')
    await writer.say([MessageType.tableRequest, 1, 'kv', ['put', 'a', bytes('1'), 0]])
    await turns()
    expect(writer.heard).to.deep.equal([])
    expect(writer.closed).to.be.an('error')
    expect(failures.map((error) => error.message)).to.deep.equal(['disk full'])
  })

  it('tells the end of a job to every other node, also when the node of its driver dies', async () => {
    const store = await open()
    const [a, b] = [await new Peer(store).register(), await new Peer(store).register()]
    const [first, second] = [newProcessId(), newProcessId()]
    for (const job of [first, second]) await a.say([MessageType.jobStart, 5, job, {}])
    expect(a.take(MessageType.jobStarted)).to.have.length(2)
    await a.say([MessageType.jobEnd, first, 'the driver left'])
    expect(b.take(MessageType.jobEnd)).to.deep.equal([[MessageType.jobEnd, first, 'the driver left']])
    expect(a.take(MessageType.jobEnd)).to.deep.equal([])
    a.link.close()
    await turns()
    await clock.pass(2_000, turns)
    expect(b.take(MessageType.jobEnd).map((message) => message[1])).to.deep.equal([second])
  })

  it('tells a node that comes back which jobs ended meanwhile, and ends those whose home forgot them unheard', async () => {
    const store = await open()
    const [a, b] = [await new Peer(store).register(), await new Peer(store).register()]
    const [over, forgotten, running] = [newProcessId(), newProcessId(), newProcessId()]
    for (const [index, job] of [forgotten, running].entries()) await a.say([MessageType.jobStart, index + 1, job, {}])
    await b.say([MessageType.jobsHeld, [], [over, forgotten, running]])
    expect(b.take(MessageType.jobEnd).map((message) => message[1])).to.deep.equal([over])
    await a.say([MessageType.jobsHeld, [running], []])
    expect(b.take(MessageType.jobEnd).map((message) => message[1])).to.deep.equal([forgotten])
    expect(a.take(MessageType.jobEnd)).to.deep.equal([])
  })

  it('passes on that a node is to dial another one, and that it cannot; and tells at once who is not linked', async () => {
    const store = await open()
    const [a, b] = [await new Peer(store).register(), await new Peer(store).register()]
    await a.say([MessageType.nodeCall, b.id, 'ticket'])
    expect(b.take(MessageType.nodeCall)).to.deep.equal([[MessageType.nodeCall, a.id, 'ticket']])
    await b.say([MessageType.nodeCallFailed, a.id, 'ticket', 'no way'])
    expect(a.take(MessageType.nodeCallFailed)).to.deep.equal([[MessageType.nodeCallFailed, b.id, 'ticket', 'no way']])
    const stranger = newProcessId()
    await a.say([MessageType.nodeCall, stranger, 'ticket'])
    const [[, node, ticket, reason] = []] = a.take(MessageType.nodeCallFailed)
    expect([node, ticket]).to.deep.equal([stranger, 'ticket'])
    expect(reason).to.include('no link to the head')
    // Who is no node asks nobody.
    await new Peer(store, 'driver').say([MessageType.nodeCall, b.id, 'ticket'])
    expect(b.take(MessageType.nodeCall)).to.deep.equal([])
  })

  it('starts again with its rows, a higher epoch, and ten seconds for its nodes to come back', async () => {
    const persistence = new MemoryPersistence()
    const store = await open({ persistence })
    const [a, b] = [await new Peer(store).register(), await new Peer(store).register()]
    await a.say([MessageType.jobStart, 5, a.id, {}])
    await a.say([MessageType.tableRequest, 1, 'names', ['put', 'n', bytes('x'), 0]])
    await store.stop()
    const again = await open({ persistence })
    expect(again.epoch).to.equal(2)
    await clock.pass(9_000, turns)
    const back = await new Peer(again, 'node', b.id).register()
    await back.say([MessageType.tableRequest, 1, 'names', ['get', 'n']])
    expect(back.take(MessageType.tableReply)[0]?.[3]).to.deep.equal([['n', 1, bytes('x')]])
    await clock.pass(1_000, turns)
    expect(again.nodes().map((row) => [row.id, row.state])).to.deep.equal([
      [b.id, 'alive'],
      [a.id, 'dead'],
    ])
    expect(back.take(MessageType.jobEnd).map((message) => message[1])).to.deep.equal([a.id])
  })

  it('is newer than one before it whose tables are not there any more', async () => {
    const [first, second] = [await open({ wallNow: () => 5_000 }), await open({ wallNow: () => 9_000 })]
    expect(second.epoch).to.be.above(first.epoch)
    const persistence = new MemoryPersistence()
    await open({ persistence, wallNow: () => 9_000 })
    expect((await open({ persistence, wallNow: () => 0 })).epoch).to.equal(9_001)
  })

  it('whose tables are older than what its nodes have seen waits for the homes of jobs before it says that they are over', async () => {
    const store = await open()
    const [a, b] = [await new Peer(store).register(), await new Peer(store).register()]
    const [running, over] = [newProcessId(), newProcessId()]
    await b.say([MessageType.nodesHeld, 7, []])
    await b.say([MessageType.jobsHeld, [], [running, over]])
    expect(b.take(MessageType.jobEnd)).to.deep.equal([])
    await a.say([MessageType.nodesHeld, 7, []])
    await a.say([MessageType.jobsHeld, [running], []])
    await clock.pass(10_000, turns)
    expect(b.take(MessageType.jobEnd).map((message) => message[1])).to.deep.equal([over])
    const dead = b.row({ id: newProcessId(), state: 'dead' })
    await b.say([MessageType.nodesHeld, 7, [dead]])
    await b.say([MessageType.nodesHeld, store.epoch, [{ ...dead, id: newProcessId() }]])
    expect(store.nodes().filter(({ state }) => state === 'dead')).to.have.length(1)
    await clock.pass(10_000, turns)
    // From then on it knows them all.
    await b.say([MessageType.jobsHeld, [], [running, newProcessId()]])
    expect(b.take(MessageType.jobEnd)).to.have.length(1)
  })
})
