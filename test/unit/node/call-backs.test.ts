import { randomBytes } from 'node:crypto'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { expect } from 'chai'
import { ConnectionLostError } from '../../../runtime/base/errors.ts'
import { newProcessId, objectKey, type NodeId } from '../../../runtime/base/ids.ts'
import { chunkBytes, unreachableMs } from '../../../runtime/base/limits.ts'
import { CallBacks } from '../../../runtime/node/call-backs.ts'
import { encodeValue } from '../../../runtime/objects/value.ts'
import { MessageType } from '../../../runtime/protocol/messages.ts'
import type { Message, NodeRow } from '../../../runtime/protocol/messages.ts'
import { DialBackTable } from '../../../runtime/transport/dial-back.ts'
import { ManualClock } from '../manual-clock.ts'
import { startNode, type Peer, type TestNode } from './node-fixture.ts'

describe('runtime/node/call-backs', () => {
  const there = newProcessId()

  function make(linked = true): {
    clock: ManualClock
    table: DialBackTable
    calls: CallBacks
    said: Message[]
    reachable: { connect: () => Promise<void> }
  } {
    const clock = new ManualClock()
    const table = new DialBackTable(clock)
    const said: Message[] = []
    const reachable = { connect: () => Promise.resolve() }
    const tellHead = (message: Message): boolean => linked && said.push(message) > 0
    const calls = new CallBacks({ clock, tickets: table, tellHead, connect: () => reachable.connect() })
    return { clock, table, calls, said, reachable }
  }
  const reasonOf = (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => 'it came',
      (error: unknown) => (expect(error).to.be.instanceOf(ConnectionLostError), (error as Error).message),
    )

  it('hands out the connection that a node opens which the head has asked to', async () => {
    const { clock, table, calls, said } = make()
    const socket = new Duplex()
    const called = calls.call(there)
    const [[type, node, ticket] = []] = said
    expect([type, node]).to.deep.equal([MessageType.nodeCall, there])
    expect(table.complete(ticket as string, socket)).to.equal(true)
    expect(await called).to.equal(socket)
    expect(clock.pending).to.equal(0)
  })

  it('tells at once who cannot be asked, says that he cannot, is dead, or does not come; who said so is not asked for a while', async () => {
    expect(await reasonOf(make(false).calls.call(there))).to.include('no link to the head')
    const { clock, calls, said } = make()
    const dead = calls.call(there)
    calls.nodeDown(there, 'it was killed')
    expect(await reasonOf(dead)).to.include('it was killed')
    const late = calls.call(there)
    clock.advance(5_000)
    expect(await reasonOf(late)).to.include('within 5000 ms')
    const refused = calls.call(there)
    const ticket = said.at(-1)?.[2] as string
    calls.failed(newProcessId(), ticket, 'of somebody else')
    calls.failed(there, 'another ticket', 'of another call')
    calls.failed(there, ticket, 'there is a wall')
    expect(await reasonOf(refused)).to.include('there is a wall')
    expect(await reasonOf(calls.call(there))).to.include('a moment ago')
    expect(said).to.have.length(3)
    clock.advance(unreachableMs)
    void calls.call(there).catch(() => {})
    expect(said).to.have.length(4)
    calls.nodeDown(there, 'the test is over')
    expect(clock.pending).to.equal(0)
  })

  it('remembers a port that did not answer for a while', () => {
    const { clock, calls } = make()
    expect(calls.mayDial(there)).to.equal(true)
    calls.cannotDial(there)
    clock.advance(unreachableMs - 1)
    expect(calls.mayDial(there)).to.equal(false)
    clock.advance(1)
    expect(calls.mayDial(there)).to.equal(true)
  })

  it('tells who asked to be called that it cannot be reached from here', async () => {
    const { calls, said, reachable } = make()
    await calls.asked(there, 'ticket')
    expect(said).to.deep.equal([])
    reachable.connect = () => Promise.reject(new ConnectionLostError('no way'))
    await calls.asked(there, 'ticket')
    expect(said).to.deep.equal([[MessageType.nodeCallFailed, there, 'ticket', 'no way']])
  })
})

/** What a node behind a wall dials goes through this: it counts, and breaks what is on its way. */
class Doorway {
  readonly #server = createServer((near) => this.#open(near))
  readonly #sockets = new Set<Socket>()
  readonly #port: number
  /** Bytes towards the node that is dialled, and connections, so far. */
  bytes = 0
  connections = 0
  /** Each connection ends after so many bytes. */
  mostBytes = Infinity

  constructor(url: string) {
    this.#port = Number(new URL(url).port)
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #open(near: Socket): void {
    this.connections++
    let bytes = 0
    const far = connect(this.#port, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => {}).on('close', () => (this.#sockets.delete(one), other.destroy()))
      one.pipe(other)
    }
    near.on('data', ({ length }: Buffer) => {
      bytes += length
      this.bytes += length
      if (bytes > this.mostBytes) near.destroy()
    })
  }
}

describe('a node that nobody can dial', function () {
  this.timeout(120_000)
  const bytes = randomBytes(24 * chunkBytes + 12_345)
  const key = objectKey({ owner: newProcessId(), number: 7 })
  const ends: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  const rowOf = (id: NodeId, url: string): NodeRow => ({
    ...{ id, url, hostname: '', pid: 1, state: 'alive', total: [], available: [], labels: {}, queued: 0, workers: 0 },
    head: false,
  })

  /** The head: it passes on what they have to say to each other, and no bytes. */
  function pass(from: Peer, to: Peer, node: TestNode): void {
    from.link.onMessage = (message) => {
      const said = message as unknown as Message
      const [type, , ...rest] = said
      if (type === MessageType.nodeCall || type === MessageType.nodeCallFailed)
        to.say([type, node.id, ...rest] as never)
      else from.messages.push(said)
    }
  }

  async function pair(): Promise<{ holder: TestNode; receiver: TestNode; driver: Peer; door: Doorway }> {
    // Where nothing listens.
    const holder = await startNode({ url: 'ws://127.0.0.1:1' })
    ends.push(() => holder.stop())
    const receiver = await startNode()
    ends.push(() => receiver.stop())
    const door = new Doorway(receiver.url)
    ends.push(() => door.close())
    const url = await door.open()
    const heads = [
      await holder.head([rowOf(receiver.id, url)]),
      await receiver.head([rowOf(holder.id, 'ws://127.0.0.1:1')]),
    ] as const
    pass(heads[0], heads[1], holder)
    pass(heads[1], heads[0], receiver)
    await holder.store.put(key, encodeValue(bytes, 'value'))
    return { holder, receiver, driver: await receiver.driver(), door }
  }

  it('dials the node that needs an object of it, and the bytes go straight there', async () => {
    const { holder, receiver, driver, door } = await pair()
    const size = (await holder.store.size(key)) as number
    driver.say([MessageType.pull, 1, key, size, [[holder.id, holder.id]]])
    expect((await driver.take(MessageType.pulled))[2]).to.equal('')
    const [sent, got] = await Promise.all([holder.store.read(key, 0, size), receiver.store.read(key, 0, size)])
    expect(Buffer.compare(sent, got)).to.equal(0)
    expect(door.connections).to.equal(1)
  })

  it('goes on where it was when the connection breaks', async () => {
    const { holder, receiver, driver, door } = await pair()
    const size = (await holder.store.size(key)) as number
    door.mostBytes = 5 * chunkBytes
    driver.say([MessageType.pull, 1, key, size, [[holder.id, holder.id]]])
    expect((await driver.take(MessageType.pulled))[2]).to.equal('')
    const [sent, got] = await Promise.all([holder.store.read(key, 0, size), receiver.store.read(key, 0, size)])
    expect(Buffer.compare(sent, got)).to.equal(0)
    expect(door.connections).to.be.greaterThan(4)
    // Each break loses what was under way, and nothing else.
    expect(door.bytes).to.be.lessThan(size + door.connections * 3 * chunkBytes)
  })
})
