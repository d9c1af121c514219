import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../../runtime/base/clock.ts'
import { newProcessId } from '../../../runtime/base/ids.ts'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { systemRandom } from '../../../runtime/base/random.ts'
import { NodeManager } from '../../../runtime/node/node-manager.ts'
import type { NodeManagerOptions } from '../../../runtime/node/node-manager.ts'
import { FileObjectStore } from '../../../runtime/objects/file-store.ts'
import { MessageType } from '../../../runtime/protocol/messages.ts'
import type { LeaseKind, Message, NodeRow, ResourceUnits } from '../../../runtime/protocol/messages.ts'
import { parseResources } from '../../../runtime/scheduler/resources.ts'
import { dial } from '../../../runtime/transport/dial.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { listenUnix, listenWebSocket } from '../../../runtime/transport/listen.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'

export const token = 'token-of-the-node-tests'
const entry = fileURLToPath(new URL('worker-fixture.ts', import.meta.url))

/** A peer of a node manager: what it was told, and a way to wait for it. */
export class Peer {
  /** Its own id; the job, where it is a driver. */
  readonly process: ProcessId
  readonly link: Link
  readonly messages: Message[] = []
  closed: Error | undefined
  #next = 1

  constructor(link: Link, process: ProcessId) {
    this.link = link
    this.process = process
    link.onMessage = (message) => void this.messages.push(message as unknown as Message)
    link.onClose = (reason) => (this.closed = reason)
  }

  say(message: Message): void {
    this.link.send(message)
  }

  /** The next message of this type that nobody has taken; whatever else came stays. */
  async take<Type extends Message[0]>(type: Type): Promise<Extract<Message, readonly [Type, ...unknown[]]>> {
    await until(() => this.messages.some((message) => message[0] === type))
    const index = this.messages.findIndex((message) => message[0] === type)
    return this.messages.splice(index, 1)[0] as Extract<Message, readonly [Type, ...unknown[]]>
  }

  askLease(
    job: ProcessId,
    kind: LeaseKind = 'task',
    resources: ResourceUnits = parseResources({ numCpus: 1 }),
  ): number {
    const requestId = this.#next++
    this.say([MessageType.leaseRequest, requestId, job, kind, resources, null, 0, '', [], null])
    return requestId
  }
}

export interface TestNode {
  readonly id: NodeId
  readonly runFolder: string
  readonly url: string
  readonly manager: NodeManager
  readonly store: FileObjectStore
  readonly warnings: string[]
  readonly declaredDead: string[]
  /** A driver that is linked; its process id is its job. One that is named here has one link more. */
  driver(process?: ProcessId): Promise<Peer>
  /** The other end of a link to the head. */
  head(rows?: readonly NodeRow[]): Promise<Peer>
  stop(): Promise<void>
}

export async function startNode(options: Partial<NodeManagerOptions> = {}): Promise<TestNode> {
  const runFolder = mkdtempSync(join(tmpdir(), 'op-'))
  for (const name of ['objects', 'pages']) mkdirSync(join(runFolder, name), { mode: 0o700 })
  const id = newProcessId()
  const store = await FileObjectStore.open(join(runFolder, 'objects'))
  const warnings: string[] = []
  const declaredDead: string[] = []
  const incoming = {
    self: { kind: 'node', node: id, process: id } as const,
    token,
    onLink: (link: Link) => manager.attach(link),
    onBulk: (channel: Parameters<NodeManager['attachBulk']>[0]) => manager.attachBulk(channel),
    resolveTarget: (to: { node: NodeId; process: ProcessId }) => manager.resolveTarget(to),
    get dialBack() {
      return manager.dialBacks
    },
  }
  const port = await listenWebSocket(incoming)
  const manager: NodeManager = new NodeManager(
    {
      ...{ id, token, runFolder, url: port.url, hostname: 'test', labels: {}, head: false, workerEntry: entry },
      ...{ total: parseResources({ numCpus: 2 }), headName: 'ws://head' },
      ...options,
    },
    {
      store,
      clock: systemClock,
      random: systemRandom,
      events: {
        declaredDead: (reason) => void declaredDead.push(reason),
        drainRequested: (deadlineMs, _reason, drained) => void manager.drain(deadlineMs).then(drained),
        warn: (text) => void warnings.push(text),
      },
    },
  )
  const socket = await listenUnix({ ...incoming, path: join(runFolder, 'node.sock') })
  writeFileSync(join(runFolder, 'node.json'), JSON.stringify({ id, token }), { mode: 0o600 })
  manager.start()
  return {
    ...{ id, runFolder, url: port.url, manager, store, warnings, declaredDead },
    async driver(process = newProcessId()) {
      const from = { kind: 'driver', node: id, process } as const
      return new Peer(await dial({ address: { unix: socket.path }, to: 'any', from, token }), process)
    },
    async head(rows = []) {
      const head = newProcessId()
      const [nodeEnd, headEnd] = memoryPair(
        peerHello({ kind: 'node', node: id, process: id }),
        peerHello({ kind: 'head', node: head, process: head }),
      )
      const peer = new Peer(headEnd, head)
      manager.attachHead(nodeEnd)
      const [, requestId, row] = await peer.take(MessageType.nodeRegister)
      peer.say([MessageType.nodeRegistered, requestId, 1, [row, ...rows]])
      await until(() => manager.stats().head === 'member')
      return peer
    },
    async stop() {
      await manager.stop('the test is over')
      await Promise.all([socket.close(), port.close(), store.close()])
    },
  }
}

/** Waits for a condition; only its never coming true fails, by the time limit of the test. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5)
}

export const exists: (path: string) => boolean = existsSync
