/**
 * The links of processes to this node manager: its own workers, drivers, and owners from other nodes. Who they are is
 * told by their hello; what they say is handed to the parts of the node manager that answer it.
 */
import { ConnectionLostError, ProtocolError } from '../base/errors.ts'
import type { NodeId, ProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import type {
  CodeMade,
  Counts,
  LeaseRequest,
  Message,
  Pull,
  Recall,
  Replicate,
  StoreNotes,
  StoreRequest,
  TableRequest,
  WorkerEnd,
} from '../protocol/messages.ts'
import type { Prefetch } from '../protocol/store-messages.ts'
import { describePeer } from '../transport/link.ts'
import type { Link } from '../transport/link.ts'
import type { OwnerKey } from './lease-types.ts'

export interface Connection {
  readonly key: OwnerKey
  readonly link: Link
  readonly process: ProcessId
  /** One of this node's own workers. */
  readonly ownWorker: boolean
}

/** What the node manager does with what its peers say. */
export interface ConnectionHandlers {
  /** Whether this worker was started here and lives. */
  isOwnWorker(worker: ProcessId): boolean
  workerLinked(connection: Connection): void
  linked(connection: Connection): void
  gone(connection: Connection, reason: Error): void
  leaseRequest(connection: Connection, message: LeaseRequest): void
  leaseCancel(connection: Connection, requestId: number): void
  leaseReturn(connection: Connection, leaseId: number, endWorker: boolean): void
  workerEnd(connection: Connection, message: WorkerEnd): void
  recall(connection: Connection, message: Recall): void
  holds(worker: ProcessId, holds: boolean): void
  blocked(worker: ProcessId, epoch: number): void
  resumed(worker: ProcessId, epoch: number): void
  pull(connection: Connection, message: Pull): void
  prefetch(connection: Connection, message: Prefetch): void
  free(keys: readonly string[]): void
  replicate(connection: Connection, message: Replicate): void
  madeAt(key: string, site: string): void
  storeRequest(connection: Connection, message: StoreRequest): void
  storeNotes(connection: Connection, message: StoreNotes): void
  codeNeed(worker: ProcessId, requestId: number, key: string): void
  codeMade(worker: ProcessId, message: CodeMade): void
  counts(connection: Connection, message: Counts): void
  processQuery(connection: Connection, requestId: number, node: NodeId, process: ProcessId): void
  nodesRequest(connection: Connection, requestId: number): void
  jobStart(connection: Connection, requestId: number, job: ProcessId, info: Readonly<Record<string, unknown>>): void
  jobEnd(connection: Connection, job: ProcessId, reason: string): void
  tableRequest(connection: Connection, message: TableRequest): void
  nodeDrain(connection: Connection, requestId: number, deadlineMs: number, reason: string): void
  chaos(connection: Connection, requestId: number, order: Readonly<Record<string, unknown>>): void
}

export class Connections {
  readonly #handlers: ConnectionHandlers
  readonly #node: NodeId
  readonly #byKey = new Map<OwnerKey, Connection>()
  /** Newest last; a process may have more than one link here. */
  readonly #byProcess = new Map<ProcessId, Connection[]>()
  #next = 1
  #closed: Error | undefined

  constructor(node: NodeId, handlers: ConnectionHandlers) {
    this.#node = node
    this.#handlers = handlers
  }

  get size(): number {
    return this.#byKey.size
  }

  /** Takes over a link that came in, or the memory link of a driver in this process. */
  attach(link: Link): void {
    if (this.#closed !== undefined) return link.close(this.#closed)
    const { kind, process, node } = link.peer
    const ownWorker = kind === 'worker' && node === this.#node
    if (ownWorker && !this.#handlers.isOwnWorker(process))
      return link.close(new ConnectionLostError(`worker ${process} was not started by this node manager, or was ended`))
    // Their processes depend on this one, not the other way round.
    if (kind !== 'driver') link.unref()
    const connection: Connection = { key: `${process}/${this.#next++}`, link, process, ownWorker }
    const before = this.#byProcess.get(process)
    this.#byKey.set(connection.key, connection)
    if (before === undefined) this.#byProcess.set(process, [connection])
    else before.push(connection)
    link.onMessage = (message) => this.#dispatch(connection, message as unknown as Message)
    link.onClose = (reason) => this.#gone(connection, reason)
    this.#handlers.linked(connection)
    if (ownWorker && before === undefined) this.#handlers.workerLinked(connection)
  }

  get(key: OwnerKey): Connection | undefined {
    return this.#byKey.get(key)
  }

  /** The newest link of that process. */
  find(process: ProcessId): Link | undefined {
    return this.#byProcess.get(process)?.at(-1)?.link
  }

  /** It has told over this link what holds: what it said over an older one, and was not read, holds no more. */
  supersedes({ process, link }: Connection): void {
    const links = (this.#byProcess.get(process) ?? []).map((connection) => connection.link)
    for (const older of links.slice(0, Math.max(0, links.indexOf(link))))
      older.close(new ConnectionLostError(`${process} is here over a newer link, and has said there what it holds`))
  }

  all(): Connection[] {
    return [...this.#byKey.values()]
  }

  broadcast(message: Message): void {
    for (const { link } of this.#byKey.values()) link.send(message)
  }

  /** The node is dead: its processes are, whatever TCP says. */
  nodeDown(node: NodeId, reason: string): void {
    for (const { link } of this.all())
      if (link.peer.node === node && link.peer.kind !== 'driver')
        link.close(new ConnectionLostError(`node ${node} is dead: ${reason}`))
  }

  close(reason: string): void {
    this.#closed = new ConnectionLostError(reason)
    for (const { link } of this.all()) link.close(this.#closed)
  }

  #gone(connection: Connection, reason: Error): void {
    this.#byKey.delete(connection.key)
    const left = this.#byProcess.get(connection.process)?.filter((other) => other !== connection) ?? []
    if (left.length === 0) this.#byProcess.delete(connection.process)
    else this.#byProcess.set(connection.process, left)
    this.#handlers.gone(connection, reason)
  }

  #dispatch(connection: Connection, message: Message): void {
    const on = this.#handlers
    switch (message[0]) {
      case MessageType.ping:
        return connection.link.send([MessageType.pong])
      case MessageType.leaseRequest:
        return on.leaseRequest(connection, message)
      case MessageType.leaseCancel:
        return on.leaseCancel(connection, message[1])
      case MessageType.leaseReturn:
        return on.leaseReturn(connection, message[1], message[2])
      case MessageType.workerEnd:
        return on.workerEnd(connection, message)
      case MessageType.recall:
        return on.recall(connection, message)
      case MessageType.workerBlocked:
        return connection.ownWorker ? on.blocked(connection.process, message[1]) : this.#refuse(connection, message)
      case MessageType.workerResumed:
        return connection.ownWorker ? on.resumed(connection.process, message[1]) : this.#refuse(connection, message)
      case MessageType.workerHolds:
        return connection.ownWorker ? on.holds(connection.process, message[1]) : this.#refuse(connection, message)
      case MessageType.pull:
        return on.pull(connection, message)
      case MessageType.prefetch:
        return on.prefetch(connection, message)
      case MessageType.free:
        return on.free(message[1])
      case MessageType.replicate:
        return on.replicate(connection, message)
      case MessageType.madeAt:
        return on.madeAt(message[1], message[2])
      case MessageType.storeRequest:
        return on.storeRequest(connection, message)
      case MessageType.storeNotes:
        return on.storeNotes(connection, message)
      case MessageType.codeNeed:
        return connection.ownWorker
          ? on.codeNeed(connection.process, message[1], message[2])
          : this.#refuse(connection, message)
      case MessageType.codeMade:
        return connection.ownWorker ? on.codeMade(connection.process, message) : this.#refuse(connection, message)
      case MessageType.counts:
        return on.counts(connection, message)
      case MessageType.processQuery:
        return on.processQuery(connection, message[1], message[2], message[3])
      case MessageType.nodesRequest:
        return on.nodesRequest(connection, message[1])
      case MessageType.jobStart:
        return on.jobStart(connection, message[1], message[2], message[3])
      case MessageType.jobEnd:
        return on.jobEnd(connection, message[1], message[2])
      case MessageType.tableRequest:
        return on.tableRequest(connection, message)
      case MessageType.nodeDrain:
        return on.nodeDrain(connection, message[1], message[2], message[3])
      case MessageType.chaos:
        return on.chaos(connection, message[1], message[2])
      default:
      // pong; and what a later version may say.
    }
  }

  #refuse(connection: Connection, message: Message): void {
    connection.link.close(new ProtocolError(`${describePeer(connection.link.peer)} may not say ${message[0]} here`))
  }
}
