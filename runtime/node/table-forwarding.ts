/**
 * Requests to the head's tables, sent on for the processes of this node. All of them share one link to the head, so
 * request and watch ids are translated. While the head is away, what can be asked again waits for it until its timeout,
 * which is counted anew from each head that it is asked of; a write that was under way when the link broke is answered
 * at once, since it may or may not have been done.
 */
import type { Timer } from '../base/clock.ts'
import { MessageType } from '../protocol/messages.ts'
import type { Message, TableEvent, TableOperation, TableReply, TableRequest, TableRow } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import { headSilence, type HeadPatience } from './head-patience.ts'

interface Pending {
  readonly table: string
  readonly operation: TableOperation
  readonly reply: Reply
  timer: Timer | undefined
  sent: boolean
}

/** `away`: `error` says that no head has answered, rather than what one answered. */
type Reply = (error: string, rows: readonly TableRow[], away?: boolean) => void

interface Watch {
  readonly link: Link
  readonly watchId: number
  readonly table: string
  readonly prefix: string
}

export class TableForwarding {
  readonly #options: HeadPatience
  readonly #pending = new Map<number, Pending>()
  readonly #watches = new Map<number, Watch>()
  #head: Link | undefined
  #nextId = 1

  constructor(options: HeadPatience) {
    this.#options = options
  }

  /** Requests that are not answered yet. */
  get size(): number {
    return this.#pending.size
  }

  get watches(): number {
    return this.#watches.size
  }

  /** A process of this node asks. */
  forward(link: Link, message: TableRequest): void {
    const [, requestId, table, operation] = message
    const reply: Reply = (error, rows, away = false) =>
      link.send(away ? [MessageType.headAway, requestId, error] : [MessageType.tableReply, requestId, error, rows])
    // Somebody who only wants to know how the cluster is does not wait for what is known to be away.
    if (this.#head === undefined && link.peer.info['asking'] === true && ['get', 'list'].includes(operation[0]))
      return reply(`the head ${this.#options.headName} is away`, [])
    if (operation[0] === 'watch') {
      const id = this.#nextId++
      this.#watches.set(id, { link, watchId: operation[2], table, prefix: operation[1] })
      return this.#ask(table, ['watch', operation[1], id], (error, rows, away) => {
        if (error !== '') this.#watches.delete(id)
        reply(error, rows, away)
      })
    }
    if (operation[0] !== 'unwatch') return this.#ask(table, operation, reply)
    for (const [id, watch] of this.#watches)
      if (watch.link === link && watch.watchId === operation[1]) {
        this.#watches.delete(id)
        return this.#ask(table, ['unwatch', id], reply)
      }
    reply('', [])
  }

  /** This node itself asks. Rejects with the head's error or its absence, as a process would be told. */
  ask(table: string, operation: TableOperation): Promise<readonly TableRow[]> {
    return new Promise((resolve, reject) => {
      this.#ask(table, operation, (error, rows) => (error === '' ? resolve(rows) : reject(new Error(error))))
    })
  }

  /** The head is there (again): what waits is sent, watches are renewed. */
  connected(head: Link): void {
    this.#head = head
    const waiting = [...this.#pending.values()].filter((entry) => entry.operation[0] === 'watch')
    const asked = new Set(waiting.map((entry) => entry.operation[2]))
    for (const [id, entry] of this.#pending) if (!entry.sent) this.#send(id, entry)
    for (const [id, { link, watchId, table, prefix }] of this.#watches)
      if (!asked.has(id))
        this.#ask(table, ['watch', prefix, id], (error, rows) => {
          if (error === '') link.send([MessageType.tableEvent, watchId, rows, []])
        })
  }

  disconnected(): void {
    this.#head = undefined
    for (const [id, entry] of [...this.#pending]) {
      if (!entry.sent) continue
      entry.sent = false
      const [kind] = entry.operation
      if (kind === 'put' || kind === 'delete')
        this.#settle(id, `the link to the head ${this.#options.headName} broke; the ${kind} may have been done`, [])
    }
  }

  onReply([, id, error, rows]: TableReply): void {
    this.#settle(id, error, rows)
  }

  onEvent([, id, rows, deleted]: TableEvent): void {
    const watch = this.#watches.get(id)
    watch?.link.send([MessageType.tableEvent, watch.watchId, rows, deleted])
  }

  /** A process is gone, and its watches with it. */
  linkGone(link: Link): void {
    for (const [id, watch] of [...this.#watches]) {
      if (watch.link !== link) continue
      this.#watches.delete(id)
      this.#ask(watch.table, ['unwatch', id], () => {})
    }
  }

  close(): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, 'the node is stopping', [])
    this.#watches.clear()
  }

  #ask(table: string, operation: TableOperation, reply: Reply): void {
    const id = this.#nextId++
    const entry: Pending = { table, operation, timer: undefined, reply, sent: false }
    this.#pending.set(id, entry)
    this.#send(id, entry)
  }

  #send(id: number, entry: Pending): void {
    const { clock, timeoutMs } = this.#options
    entry.timer?.cancel()
    entry.timer = clock.after(timeoutMs, () => {
      this.#settle(id, headSilence(this.#options, this.#head !== undefined), [], true)
    })
    if (this.#head === undefined) return
    entry.sent = true
    const message: Message = [MessageType.tableRequest, id, entry.table, entry.operation]
    this.#head.send(message)
  }

  #settle(id: number, error: string, rows: readonly TableRow[], away = false): void {
    const entry = this.#pending.get(id)
    if (entry === undefined) return
    this.#pending.delete(id)
    entry.timer?.cancel()
    entry.reply(error, rows, away)
  }
}
