/** Telling a node manager to let something go wrong: the other side is runtime/node/chaos.ts. */
import { systemClock } from '../base/clock.ts'
import { OutpoolError } from '../base/errors.ts'
import { newProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import type { Message } from '../protocol/messages.ts'
import type { ChaosCut, ChaosRules } from '../transport/chaos-rules.ts'
import { dial } from '../transport/dial.ts'
import { Requests } from '../transport/rpc.ts'

export type ChaosOrder =
  | { readonly kind: 'ask' }
  | ChaosRules
  | ChaosCut
  /** `nth`, in [0, 1), chooses among its workers. SIGSTOP lasts `forMs`. */
  | {
      readonly kind: 'worker'
      readonly signal: 'SIGKILL' | 'SIGSTOP'
      readonly nth: number
      readonly forMs: number
    }
  | { readonly kind: 'node'; readonly signal: 'SIGKILL' | 'SIGSTOP'; readonly forMs: number }

const defaultTimeoutMs = 15_000

/**
 * Resolves with what was done, in words (for `ask`: with the counts of what was injected, as JSON). Rejects with
 * ConnectionLostError or RequestTimeoutError when the node does not answer, OutpoolError when it refuses.
 */
export async function orderChaos(
  url: string,
  token: string,
  order: ChaosOrder,
  timeoutMs: number = defaultTimeoutMs,
): Promise<string> {
  const nobody = newProcessId()
  const from = { kind: 'driver', node: nobody, process: nobody, info: { asking: true } } as const
  const link = await dial({ address: { url }, to: 'any', from, token, timeoutMs })
  const requests = new Requests(systemClock)
  link.onMessage = (wire) => {
    const message = wire as unknown as Message
    if (message[0] === MessageType.chaosDone) requests.settle(message[1], [message[2], message[3]])
  }
  link.onClose = (reason) => requests.closeAll(link, reason)
  const build = (id: number): Message => [MessageType.chaos, id, { ...order }]
  try {
    const [error, text] = await requests.request(link, build, { what: `chaos (${order.kind})`, timeoutMs })
    if (error !== '') throw new OutpoolError(`${url}: ${String(error)}`)
    return String(text)
  } finally {
    link.close()
  }
}
