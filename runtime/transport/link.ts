/**
 * A link: ordered, reliable messages both ways between two processes, whatever carries them. What all kinds share is
 * here: delivery to the user of the link, and an end that is told exactly once, after the last message.
 */
import { ConnectionLostError, ProtocolError } from '../base/errors.ts'
import { linkBacklogMessages } from '../base/limits.ts'
import { queueMicrotask } from '../base/timers.ts'
import type { WireMessage } from '../protocol/frames.ts'
import type { PeerHello } from './hello.ts'

export interface Link {
  readonly kind: 'memory' | 'unix' | 'websocket'
  /** What the other side said of itself in its hello. */
  readonly peer: PeerHello
  readonly closed: boolean
  /** Bytes that were sent and not yet handed to the operating system (an estimate in memory). */
  readonly bufferedBytes: number
  /**
   * Queues a message into the current frame, which is written at 256 messages or 64 KiB, else by `setImmediate`. A
   * message to a closed link is dropped: `onClose` tells. Throws ProtocolError for a message that cannot be encoded.
   */
  send(message: WireMessage): void
  /** Writes the current frame now. */
  flush(): void
  /** Called for every message, in order. Messages that came before it was set are kept. If it throws, the link closes. */
  onMessage(message: WireMessage): void
  /** Called once, after the last message; at once if the link is closed when it is set. */
  onClose(reason: Error): void
  /** Resolves when `bufferedBytes` is low again, or the link closed. */
  drained(): Promise<void>
  /**
   * Writes what is queued and ends the link; with a reason, `onClose` here gets that reason. ProtocolError: the other side
   * said what it may not say, and who keeps a log of that (`IncomingOptions.onFault`) is told.
   */
  close(reason?: Error): void
  /** Whether the link alone keeps this process alive (it does, unless `unref` is called). */
  ref(): void
  unref(): void
}

type MessageHandler = (message: WireMessage) => void
type CloseHandler = (reason: Error) => void

export abstract class LinkCore implements Link {
  abstract readonly kind: Link['kind']
  abstract readonly bufferedBytes: number
  readonly peer: PeerHello
  /** Called when this side ends the link for what came by it, before `onClose`. */
  onFault: ((error: Error) => void) | undefined
  #onMessage: MessageHandler | undefined
  #onClose: CloseHandler | undefined
  /** Messages that came before there was a handler; undefined once they are delivered. */
  #backlog: WireMessage[] | undefined = []
  #deliveringBacklog = false
  #reason: Error | undefined
  #closeTold = false

  constructor(peer: PeerHello) {
    this.peer = peer
  }

  abstract send(message: WireMessage): void
  abstract flush(): void
  abstract drained(): Promise<void>
  abstract ref(): void
  abstract unref(): void
  /** Ends the carrier. `graceful`: what was written before still has to arrive. */
  protected abstract shut(graceful: boolean): void
  protected abstract pauseReading(): void
  protected abstract resumeReading(): void

  get closed(): boolean {
    return this.#reason !== undefined
  }

  get onMessage(): MessageHandler {
    return this.#onMessage ?? ignore
  }

  set onMessage(handler: MessageHandler) {
    this.#onMessage = handler
    if (this.#backlog === undefined || this.#deliveringBacklog) return
    this.#deliveringBacklog = true
    // Not inside the setter: its caller is still putting itself together.
    queueMicrotask(() => this.#deliverBacklog())
  }

  get onClose(): CloseHandler {
    return this.#onClose ?? ignore
  }

  set onClose(handler: CloseHandler) {
    this.#onClose = handler
    if (this.#reason !== undefined) queueMicrotask(() => this.#tellClose())
  }

  close(reason?: Error): void {
    if (this.#reason !== undefined) return
    if (reason instanceof ProtocolError) this.onFault?.(reason)
    this.flush()
    this.finish(reason ?? new ConnectionLostError(`the link to ${describePeer(this.peer)} was closed here`), true)
  }

  /** Hands received messages to the user of the link. */
  protected deliver(messages: readonly WireMessage[]): void {
    if (this.#backlog !== undefined) {
      if (this.#reason !== undefined) return
      for (const message of messages) this.#backlog.push(message)
      if (this.#backlog.length > linkBacklogMessages) this.pauseReading()
      return
    }
    this.#dispatch(messages)
  }

  /** The link is over. `graceful` lets what is written go out first. */
  protected finish(reason: Error, graceful: boolean): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.shut(graceful)
    queueMicrotask(() => this.#tellClose())
  }

  /** The other side may not say what it said, or it could not be taken: the link is over at once. */
  protected fault(reason: Error): void {
    if (this.#reason !== undefined) return
    this.onFault?.(reason)
    this.finish(reason, false)
  }

  #dispatch(messages: readonly WireMessage[]): void {
    const handler = this.#onMessage as MessageHandler
    const reasonBefore = this.#reason
    for (const message of messages) {
      if (this.#reason !== reasonBefore) return
      try {
        handler(message)
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error)
        const what = `the handler of message ${message[0]} from ${describePeer(this.peer)} failed: ${text}`
        this.fault(new ConnectionLostError(what, { cause: error }))
      }
    }
  }

  #deliverBacklog(): void {
    const backlog = this.#backlog
    if (backlog === undefined) return
    this.#backlog = undefined
    // Delivered even when the peer has closed meanwhile: it said these before.
    this.#dispatch(backlog)
    this.resumeReading()
    this.#tellClose()
  }

  #tellClose(): void {
    if (this.#closeTold || this.#reason === undefined || this.#onClose === undefined) return
    if (this.#backlog !== undefined && this.#backlog.length > 0) return
    this.#closeTold = true
    this.#onClose(this.#reason)
  }
}

function ignore(): void {}

/** That the link to a peer is lost, and how: by a text that may say already what became of that link. */
export function lostText(peer: PeerHello, how: string): string {
  const link = `the link to ${describePeer(peer)}`
  return how.startsWith(`${link} `) ? how : `${link} is lost: ${how}`
}

/** How messages and errors name a peer. */
export function describePeer(peer: PeerHello): string {
  return peer.kind === 'node' || peer.process === peer.node
    ? `${peer.kind} ${peer.process}`
    : `${peer.kind} ${peer.process} of node ${peer.node}`
}
