/** Connections that others open because this node asked them to, and those that it opens because it was asked. */
import type { Clock } from '../base/clock.ts'
import { ConnectionLostError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import { directDialTimeoutMs } from '../base/limits.ts'
import type { Message } from '../protocol/messages.ts'
import { DialBackTable } from '../transport/dial-back.ts'
import { callBack } from '../transport/dial.ts'
import { Incoming } from '../transport/incoming.ts'
import { CallBacks } from './call-backs.ts'
import type { NodeManager } from './node-manager.ts'
import type { CompiledNodeOptions } from './node-options.ts'
import type { NodeParts } from './node-parts.ts'

export interface WaysOptions {
  readonly clock: Clock
  readonly options: Pick<CompiledNodeOptions, 'token' | 'tls'>
  readonly parts: () => Pick<NodeParts, 'grants' | 'cluster'>
  /** Who serves what comes in. */
  readonly node: Pick<NodeManager, 'hello' | 'attach' | 'attachBulk' | 'resolveTarget'>
}

export interface Ways {
  readonly dialBacks: DialBackTable
  readonly callBacks: CallBacks
  readonly close: (reason: string) => void
}

export function openWays({ clock, options: { token, tls }, parts, node }: WaysOptions): Ways {
  const dialBacks = new DialBackTable(clock)
  const self = node.hello
  const incoming = new Incoming({
    ...{ self, token, onLink: node.attach.bind(node), onBulk: node.attachBulk.bind(node) },
    ...{ resolveTarget: node.resolveTarget.bind(node), ...(tls && { relayTls: tls }) },
  })
  const tellHead = (message: Message): boolean => parts().cluster.tell(message)
  const connect = async (to: NodeId, ticket: string): Promise<void> => {
    const { url = '' } = parts().grants.row(to) ?? {}
    if (url === '') throw new ConnectionLostError(`node ${to} has no port that is known to node ${self.node}`)
    await callBack({
      ...{ address: { url }, token, ticket, from: self, incoming, timeoutMs: directDialTimeoutMs },
      ...(tls && { tls }),
    })
  }
  return {
    dialBacks,
    callBacks: new CallBacks({ clock, tickets: dialBacks, tellHead, connect }),
    close(reason) {
      dialBacks.closeAll(reason)
      incoming.close()
    },
  }
}
