/** The outside of `ReplicaState`: node managers are asked to keep copies, and the directory of the owner follows. */
import { ConnectionLostError, ObjectStoreFullError } from '../base/errors.ts'
import { type NodeId, objectKey, type ObjectNumber } from '../base/ids.ts'
import { type Holder, MessageType, type Message, type NodeRow } from '../protocol/messages.ts'
import type { OwnerHost } from './host.ts'
import type { NodeLinks } from './node-links.ts'
import type { ObjectTable } from './object-table.ts'
import { ReplicaState } from './replica-state.ts'

interface Question {
  readonly node: NodeId
  readonly number: ObjectNumber
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** A node that cannot be reached is asked again after this, until it is declared dead, in milliseconds. */
const askAgainMs = 300
/** How long the list of nodes is taken for what it is, in milliseconds. */
const rowsMs = 1_000

export class Replication {
  readonly state: ReplicaState
  readonly #host: OwnerHost
  readonly #nodes: NodeLinks
  readonly #objects: ObjectTable
  readonly #questions = new Map<number, Question>()
  readonly #waiting = new Map<ObjectNumber, Waiting>()
  #nextQuestion = 1
  #rows: Promise<readonly NodeRow[]> | undefined
  #rowsUntilMs = 0
  #warned = false
  #closed = false

  constructor(host: OwnerHost, nodes: NodeLinks, objects: ObjectTable) {
    this.#host = host
    this.#nodes = nodes
    this.#objects = objects
    this.state = new ReplicaState({
      ask: (number, node) => this.#ask(number, node),
      stands: (number) => this.#stands(number),
      failed: (number, reasons) => this.#failed(number, reasons),
    })
  }

  /** Objects that several nodes keep, and what is asked for them. */
  get size(): number {
    return this.state.size + this.#questions.size
  }

  /**
   * Resolves when so many nodes keep a stored object of this process, or as many as there are. Rejects with
   * ObjectStoreFullError where nodes could not take it; the copies that were made go with the object. A program does not
   * end meanwhile, though nothing else of it may be under way.
   */
  async replicate(number: ObjectNumber, copies: number): Promise<void> {
    const leave = this.#host.enterWait()
    try {
      await this.#keep(number, copies)
    } finally {
      leave()
    }
  }

  async #keep(number: ObjectNumber, copies: number): Promise<void> {
    const rows = await this.#nodesNow()
    const kept = this.#holders(number).flatMap(([node, process]) => (node === process ? [node] : []))
    await new Promise<void>((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject })
      this.state.add(number, copies, kept, rows)
    })
    // A program on its own machine has all that it can have.
    const isCluster = rows.some(({ url }) => url !== '')
    if (this.#warned || !isCluster || rows.filter(({ state }) => state === 'alive').length >= copies) return
    this.#warned = true
    this.#host.warn(`a value is to be kept by ${copies} nodes, and there are not so many; those that join get a copy`)
  }

  /** The answer of a node manager; false for another message. */
  received(message: Message): boolean {
    if (message[0] !== MessageType.replicated) return false
    const [, id, error] = message
    const question = this.#questions.get(id)
    this.#questions.delete(id)
    if (question === undefined) return true
    const { number, node } = question
    if (error === '') this.state.taken(number, node)
    else {
      this.#objects.removeHolder(number, node)
      this.state.refused(number, node, error)
    }
    return true
  }

  /** The link to that node is gone, not the node: it is asked again. */
  linkGone(node: NodeId): void {
    for (const [id, question] of [...this.#questions]) if (question.node === node) this.#askLater(id)
  }

  nodeDead(node: NodeId): void {
    if (this.size === 0) return
    this.#rows = undefined
    for (const [id, question] of this.#questions) if (question.node === node) this.#questions.delete(id)
    for (const number of this.state.numbers()) this.#objects.removeHolder(number, node)
    this.state.nodeDead(node)
  }

  /** There may be more nodes than before. */
  nodeUp(): void {
    this.#rows = undefined
    if (this.state.size === 0) return
    this.#nodesNow().then(
      (rows) => this.state.nodes(rows),
      () => {
        // The home is gone for good.
      },
    )
  }

  /** The object is freed, at its holders too. */
  drop(number: ObjectNumber): void {
    this.state.drop(number)
    for (const [id, question] of this.#questions) if (question.number === number) this.#questions.delete(id)
  }

  close(error: Error): void {
    this.#closed = true
    this.#questions.clear()
    this.state.close()
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  #nodesNow(): Promise<readonly NodeRow[]> {
    const now = this.#host.clock.now()
    if (this.#rows === undefined || now > this.#rowsUntilMs) {
      this.#rowsUntilMs = now + rowsMs
      const rows = this.#askNodes()
      this.#rows = rows
      rows.catch(() => {
        if (this.#rows === rows) this.#rows = undefined
      })
    }
    return this.#rows
  }

  /** For as long as there is a home, which may compute, in the process of a program, or be on its way back. */
  async #askNodes(): Promise<readonly NodeRow[]> {
    for (;;) {
      try {
        return await this.#host.home.nodes(Number.POSITIVE_INFINITY)
      } catch (error) {
        if (!(error instanceof ConnectionLostError)) throw error
        await this.#host.home.connected()
      }
    }
  }

  /** The node that made it is gone: of the copies that are left, that one is to stay, however short memory gets there. */
  inherit(number: ObjectNumber, node: NodeId): void {
    this.#ask(number, node)
  }

  #ask(number: ObjectNumber, node: NodeId): void {
    const id = this.#nextQuestion++
    this.#questions.set(id, { node, number })
    // Told to free it with the others, whether or not its answer ever comes.
    this.#objects.addHolder(number, [node, node])
    this.#send(id)
  }

  #send(id: number): void {
    const question = this.#questions.get(id)
    if (question === undefined || this.#closed) return
    const { node, number } = question
    const outcome = this.#objects.outcome(number)
    if (outcome?.[0] !== 'stored') return
    const { self, job } = this.#host
    const holders = outcome[2].filter(([holder, process]) => holder !== node || process !== node)
    const key = objectKey({ owner: self.process, number })
    this.#nodes.send(node, [MessageType.replicate, id, job, key, outcome[1], holders], () => this.#askLater(id))
  }

  #askLater(id: number): void {
    this.#host.clock.after(askAgainMs, () => this.#send(id))
  }

  #holders(number: ObjectNumber): readonly Holder[] {
    const outcome = this.#objects.outcome(number)
    return outcome?.[0] === 'stored' ? outcome[2] : []
  }

  #stands(number: ObjectNumber): void {
    this.#waiting.get(number)?.resolve()
    this.#waiting.delete(number)
  }

  #failed(number: ObjectNumber, reasons: readonly string[]): void {
    const error = new ObjectStoreFullError(
      `the value is not kept by as many nodes as were asked for: ${reasons.join('; ')}; ask for fewer replicas, or give those nodes more room`,
      { details: { reasons } },
    )
    this.#waiting.get(number)?.reject(error)
    this.#waiting.delete(number)
  }
}
