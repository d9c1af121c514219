/** Asking a node to let its work finish elsewhere and then to stop. */
import { systemClock } from '../base/clock.ts'
import { newProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import type { Message } from '../protocol/messages.ts'
import { dial } from '../transport/dial.ts'
import { Requests } from '../transport/rpc.ts'

/** Beyond the deadline, for the way there and back. */
const graceMs = 10_000

export interface DrainOrder {
  readonly deadlineMs: number
  /** Who asks, for the log of the node. */
  readonly reason: string
  /** Called when the node is asked: from then on it drains, whatever becomes of this process. */
  readonly onAsked?: () => void
}

/**
 * Resolves with true when nothing was left on the node, with false when the deadline ended what was; the node stops then.
 * Rejects with ConnectionLostError when it cannot be reached or ends without a word.
 */
export async function drainNode(url: string, token: string, order: DrainOrder): Promise<boolean> {
  const { deadlineMs, reason, onAsked } = order
  const nobody = newProcessId()
  const from = { kind: 'driver', node: nobody, process: nobody, info: { asking: true } } as const
  const link = await dial({ address: { url }, to: 'any', from, token, timeoutMs: graceMs })
  const requests = new Requests(systemClock)
  link.onMessage = (wire) => {
    const message = wire as unknown as Message
    if (message[0] === MessageType.nodeDrained) requests.settle(message[1], [message[2]])
    else if (message[0] === MessageType.ping) link.send([MessageType.pong])
  }
  link.onClose = (why) => requests.closeAll(link, why)
  const build = (id: number): Message => [MessageType.nodeDrain, id, deadlineMs, reason]
  try {
    const answer = requests.request(link, build, { what: 'the drain', timeoutMs: deadlineMs + graceMs })
    // Before a byte of it leaves: the node may have told others that it drains by the time that this process goes on.
    onAsked?.()
    link.flush()
    const [clean] = await answer
    return clean === true
  } finally {
    link.close()
  }
}
