import { expect } from 'chai'
import fc from 'fast-check'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { ControlStore } from '../../../runtime/control/control-store.ts'
import { MemoryPersistence } from '../../../runtime/control/persistence.ts'
import { ClusterLink } from '../../../runtime/node/cluster-link.ts'
import { TableForwarding } from '../../../runtime/node/table-forwarding.ts'
import { MessageType } from '../../../runtime/protocol/messages.ts'
import type { Message, NodeRow, TableOperation } from '../../../runtime/protocol/messages.ts'
import { defaultHeartbeat } from '../../../runtime/transport/heartbeat-state.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import { type Link } from '../../../runtime/transport/link.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'
import { ManualClock } from '../manual-clock.ts'

const timeoutMs = 10_000
const id = (number: number): ProcessId => number.toString(16).padStart(16, '0') as ProcessId
const turns = async (): Promise<void> => {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** A head with the tables of those before it, that dies when so many messages have passed between it and the node. */
class Head {
  /** What it was asked of the tables. */
  readonly operations: TableOperation[] = []
  static #starts = 0
  readonly #persistence: MemoryPersistence
  #left: number
  #cut: () => void = () => undefined

  constructor(persistence: MemoryPersistence, messages = Infinity) {
    this.#persistence = persistence
    this.#left = messages
  }

  get dead(): boolean {
    return this.#left <= 0
  }

  /** What it says and is told, and what it writes, ends with it in the middle. */
  async attach(node: ClusterLink, nodeId: ProcessId, clock: ManualClock): Promise<void> {
    const kept = this.#persistence
    const write: MemoryPersistence['write'] = (writes) =>
      this.dead ? new Promise(() => undefined) : kept.write(writes)
    const persistence = Object.assign(Object.create(kept) as MemoryPersistence, {
      ...{ write, load: () => kept.load(), saveEpoch: (epoch: number) => kept.saveEpoch(epoch) },
    })
    const store = await ControlStore.open({ clock, persistence, wallNow: () => ++Head.#starts })
    const hellos = [
      peerHello({ kind: 'node', node: nodeId, process: nodeId }),
      peerHello({ kind: 'head', node: id(1), process: id(1) }),
    ] as const
    const [nodeEnd, relayed] = memoryPair(...hellos)
    const [relaying, headEnd] = memoryPair(...hellos)
    this.#cut = () => {
      relayed.close()
      relaying.close()
    }
    relayed.onMessage = (message) =>
      this.#pass(() => {
        const said = message as unknown as Message
        if (said[0] === MessageType.tableRequest) this.operations.push(said[3])
        relaying.send(message)
      })
    relaying.onMessage = (message) => this.#pass(() => relayed.send(message))
    store.attach(headEnd)
    node.attach(nodeEnd, () => undefined)
  }

  kill(): void {
    this.#left = 0
    this.#cut()
  }

  #pass(on: () => void): void {
    if (this.dead) return
    on()
    if (--this.#left <= 0) this.#cut()
  }
}

/** A node manager as far as it speaks with the head. */
class Node {
  readonly clock = new ManualClock()
  persistence = new MemoryPersistence()
  readonly homes = new Set<ProcessId>()
  /** Job or request, and each answer to it. */
  readonly answers = new Map<number, string[]>()
  /** What watches saw, by their numbers; a watch has that of its request. */
  readonly events: [watch: number, keys: readonly string[]][] = []
  /** All nodes as it knows them. */
  rows: readonly NodeRow[] = []
  readonly #id = id(2)
  readonly tables = new TableForwarding({ clock: this.clock, timeoutMs, headName: 'ws://head' })
  readonly cluster: ClusterLink
  readonly #process: Link

  constructor() {
    const facts = { url: 'ws://here', hostname: 'here', pid: 1, labels: {}, head: false, total: [], available: [] }
    const ownRow = (): NodeRow => ({ ...facts, id: this.#id, state: 'alive', queued: 0, workers: 0 })
    this.cluster = new ClusterLink({
      ...{ clock: this.clock, heartbeat: defaultHeartbeat, loadIntervalMs: 50 },
      ...{ tables: this.tables, timeoutMs, headName: 'ws://head', ownRow },
      knownRows: () => this.rows,
      onView: (rows, all) => {
        const kept = all ? [] : this.rows.filter((one) => rows.every((row) => row.id !== one.id))
        this.rows = [...kept, ...rows]
      },
      heldJobs: () => [[...this.homes], []],
      onJobEnd: () => undefined,
      onDeclaredDead: () => undefined,
      callBacks: { asked: () => Promise.resolve(), failed: () => undefined },
    })
    const [process, there] = memoryPair(
      peerHello({ kind: 'node', node: this.#id, process: this.#id }),
      peerHello({ kind: 'driver', node: this.#id, process: id(3) }),
    )
    this.#process = there
    process.onMessage = (message) => {
      const said = message as unknown as Message
      if (said[0] === MessageType.tableEvent) return void this.events.push([said[1], said[2].map(([key]) => key)])
      const [type, request, text] = said as readonly [number, number, string]
      this.#answered(request, type === MessageType.headAway ? `away: ${text}` : text)
    }
  }

  startJob(job: number): void {
    this.homes.add(id(job))
    this.answers.set(job, [])
    this.cluster.jobStart(
      id(job),
      {},
      {
        started: () => this.#answered(job, ''),
        unanswered: (reason) => this.#answered(job, `away: ${reason}`),
      },
    )
  }

  ask(request: number, operation: TableOperation): void {
    this.answers.set(request, [])
    this.tables.forward(this.#process, [MessageType.tableRequest, request, 'kv', operation])
  }

  async head(messages?: number): Promise<Head> {
    const head = new Head(this.persistence, messages)
    await head.attach(this.cluster, this.#id, this.clock)
    await turns()
    return head
  }

  async jobs(): Promise<readonly string[]> {
    const { writes } = await this.persistence.load()
    return writes.filter(({ table, value }) => table === 'jobs' && value !== undefined).map(({ key }) => key)
  }

  #answered(request: number, answer: string): void {
    this.answers.get(request)?.push(answer)
  }
}

const operations: readonly ((n: number) => TableOperation)[] = [
  (n) => ['get', `key ${n}`],
  (n) => ['list', `key ${n}`],
  (n) => ['watch', `key ${n}`, n],
  (n) => ['put', `key ${n}`, new Uint8Array([n % 256]), -1],
  (n) => ['delete', `key ${n}`, -1],
]
const watchesOf = ({ operations }: Head): TableOperation[] => operations.filter(([kind]) => kind === 'watch')
const isWrite = (operation: TableOperation): boolean => ['put', 'delete'].includes(operation[0])

describe('what a node asks of a head', () => {
  it('is asked again of the next one, wherever that head died, and is answered once', async () => {
    const step = fc.record({
      jobs: fc.nat(2),
      asked: fc.array(fc.nat(operations.length - 1), { maxLength: 3 }),
      // The first two make the node a member; one that dies before was no head for it.
      messages: fc.integer({ min: 2, max: 16 }),
      awayMs: fc.integer({ min: 0, max: 9_000 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        const node = new Node()
        const operationOf = new Map<number, TableOperation>()
        const heads: Head[] = []
        let next = 10
        for (const { jobs, asked, messages, awayMs } of steps) {
          const head = await node.head(messages)
          heads.push(head)
          for (let i = 0; i < jobs; i++) node.startJob(next++)
          for (const kind of asked) {
            const operation = (operations[kind] as (n: number) => TableOperation)(next)
            operationOf.set(next, operation)
            node.ask(next++, operation)
          }
          await turns()
          head.kill()
          await turns()
          // No head is away for as long as a request may wait; all of them together may be.
          node.clock.advance(awayMs)
          await turns()
        }
        heads.push(await node.head())
        for (const [request, answers] of node.answers) {
          expect(answers, String(request)).to.have.length(1)
          const operation = operationOf.get(request)
          if (operation === undefined || !isWrite(operation) || answers[0] === '') expect(answers).to.deep.equal([''])
          else expect(answers[0]).to.contain(`the ${operation[0]} may have been done`)
        }
        expect([node.cluster.jobsStarting, node.tables.size]).to.deep.equal([0, 0])
        expect(new Set(await node.jobs())).to.deep.equal(node.homes)
        // No write was asked of two of them, and no watch twice of one.
        const once = [heads.flatMap(({ operations }) => operations.filter(isWrite)), ...heads.map(watchesOf)]
        for (const operations of once) expect(operations).to.have.length(new Set(operations.map(String)).size)
        // The last one knows every watch.
        const watches = [...operationOf].filter(([, [kind]]) => kind === 'watch').map(([watch]) => watch)
        node.events.length = 0
        for (const watch of watches) node.ask(next++, ['put', `key ${watch}`, new Uint8Array(), -1])
        await turns()
        expect(node.events).to.deep.equal(watches.map((watch) => [watch, [`key ${watch}`]]))
      }),
      { numRuns: 60 },
    )
  })

  it('is not answered when no head was there for so long, which is told by name', async () => {
    const node = new Node()
    node.startJob(10)
    node.ask(11, ['get', 'key'])
    await node.clock.pass(timeoutMs - 1, turns)
    expect([...node.answers.values()].flat()).to.deep.equal([])
    await node.clock.pass(1, turns)
    const away = 'away: the head ws://head was away for 10000 ms; is it running?'
    expect([...node.answers]).to.deep.equal([
      [10, [away]],
      [11, [away]],
    ])
  })

  it('has its time anew from each head, and is told of one that is there and says nothing', async () => {
    const node = new Node()
    await node.head(2)
    node.startJob(10)
    node.ask(11, ['list', ''])
    await node.clock.pass(timeoutMs - 1, turns)
    // Registers the node, and hears nothing of what it is asked then.
    const head = await node.head(2)
    expect([node.cluster.state, head.dead]).to.deep.equal(['away', true])
    await node.clock.pass(timeoutMs - 1, turns)
    expect([...node.answers.values()].flat()).to.deep.equal([])
    await node.clock.pass(1, turns)
    expect([...node.answers.values()].flat()).to.have.length(2)
  })

  it('is not needed by the driver of a job that a head has acknowledged, when it is back over another link', async () => {
    const node = new Node()
    const head = await node.head()
    node.startJob(10)
    await turns()
    head.kill()
    await turns()
    node.startJob(10)
    expect([node.cluster.state, node.answers.get(10)]).to.deep.equal(['away', ['']])
    node.cluster.jobEnd(id(10), 'it left')
    const timers = node.clock.pending
    node.startJob(10)
    expect(node.answers.get(10)).to.deep.equal([])
    node.cluster.close('the test is over')
    expect([node.cluster.jobsStarting, node.clock.pending]).to.deep.equal([0, timers])
  })

  it('is told to one that has lost its tables: whom to watch, who is dead, and which jobs run', async () => {
    const node = new Node()
    const head = await node.head()
    node.startJob(10)
    await turns()
    const [own] = node.rows as [NodeRow]
    const gone: NodeRow = { ...own, id: id(3), url: 'ws://gone' }
    const dead: NodeRow = { ...own, id: id(4), url: 'ws://dead', state: 'dead', reason: 'it was stopped' }
    node.rows = [own, gone, dead]
    head.kill()
    await turns()
    node.persistence = new MemoryPersistence()
    await node.head()
    expect(await node.jobs()).to.deep.equal([id(10)])
    const states = async (): Promise<unknown> => {
      const { writes } = await node.persistence.load()
      const rows = writes.filter(({ table }) => table === 'nodes')
      return rows.map(({ value }) => JSON.parse(Buffer.from(value ?? []).toString()) as NodeRow).map((row) => row.state)
    }
    expect(await states()).to.have.members(['alive', 'alive', 'dead'])
    // Until the head has told of it, it is as it was.
    expect(node.rows.find((row) => row.id === gone.id)?.state).to.equal('alive')
    await node.clock.pass(10_000, turns)
    expect(await states()).to.have.members(['alive', 'dead', 'dead'])
    await node.clock.pass(100, turns)
    expect(node.rows.find((row) => row.id === gone.id)?.state).to.equal('dead')
  })
})
