/**
 * Requests to the head's tables, sent on for the processes of this node. All of them share one link to the head, so
 * request and watch ids are translated. What can be asked again waits while the head is away; a write that was under way
 * when the link broke is answered at once, since it may or may not have been done.
 */
import { MessageType } from '../protocol/messages.ts'
import type { TableEvent, TableOperation, TableReply, TableRequest, TableRow } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import { type HeadPatience, type HeadQuestion, HeadQuestions } from './head-questions.ts'

/** `away`: `error` says that no head has answered, rather than what one answered. */
type Reply = (error: string, rows: readonly TableRow[], away?: boolean) => void

interface TableQuestion extends HeadQuestion {
  readonly reply: Reply
}

interface Watch {
  readonly link: Link
  readonly watchId: number
  readonly table: string
  readonly prefix: string
  /** The head is being asked for it. */
  isAsked: boolean
}

export class TableForwarding {
  readonly #headName: string
  readonly #questions: HeadQuestions<TableQuestion>
  readonly #watches = new Map<number, Watch>()
  #lastWatch = 0

  constructor(patience: HeadPatience) {
    this.#headName = patience.headName
    this.#questions = new HeadQuestions(patience)
  }

  /** Requests that are not answered yet. */
  get size(): number {
    return this.#questions.size
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
    if (this.#questions.isHeadAway && link.peer.info['asking'] === true && ['get', 'list'].includes(operation[0]))
      return reply(`the head ${this.#headName} is away`, [])
    if (operation[0] === 'watch') {
      const id = ++this.#lastWatch
      const watch: Watch = { link, watchId: operation[2], table, prefix: operation[1], isAsked: false }
      this.#watches.set(id, watch)
      return this.#askWatch(id, watch, (error, rows, away) => {
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
    this.#questions.connected(head)
    for (const [id, watch] of this.#watches)
      if (!watch.isAsked)
        this.#askWatch(id, watch, (error, rows) => {
          if (error === '') watch.link.send([MessageType.tableEvent, watch.watchId, rows, []])
        })
  }

  disconnected(): void {
    this.#questions.disconnected()
  }

  onReply([, id, error, rows]: TableReply): void {
    this.#questions.take(id)?.reply(error, rows)
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
    for (const { reply } of this.#questions.takeAll()) reply('the node is stopping', [])
    this.#watches.clear()
  }

  #askWatch(id: number, watch: Watch, reply: Reply): void {
    watch.isAsked = true
    this.#ask(watch.table, ['watch', watch.prefix, id], (...answer) => {
      watch.isAsked = false
      reply(...answer)
    })
  }

  #ask(table: string, operation: TableOperation, reply: Reply): void {
    const [kind] = operation
    const maybeDone = `the link to the head ${this.#headName} broke; the ${kind} may have been done`
    this.#questions.ask({
      reply,
      send: (head, id) => head.send([MessageType.tableRequest, id, table, operation]),
      unanswered: (reason) => reply(reason, [], true),
      ...((kind === 'put' || kind === 'delete') && { cutOff: () => reply(maybeDone, []) }),
    })
  }
}
