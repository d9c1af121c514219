/** What processes of this machine say to the node's store in shared memory. */
import { OutpoolError, ProtocolError } from '../base/errors.ts'
import type { ProcessId } from '../base/ids.ts'
import type { ArenaHost } from '../objects/arena-host.ts'
import { compact } from '../objects/compact.ts'
import { encodeThrown } from '../objects/value.ts'
import { MessageType, type StoreAnswer, type StoreNote, type StoreOperation } from '../protocol/messages.ts'
import type { Connection, ConnectionHandlers } from './connections.ts'
import { tellPeople } from './lease-effects.ts'
import type { NodeParts } from './node-parts.ts'

export function storeHandlers(parts: () => NodeParts): Pick<ConnectionHandlers, 'storeRequest' | 'storeNotes'> {
  return {
    storeRequest(connection, [, requestId, operation]) {
      const { link, process } = connection
      const { connections, ports } = parts()
      const { arena } = ports
      if (operation[0] === 'resync') connections.supersedes(connection)
      const answer = (error: Error | undefined, fields: StoreAnswer): void => {
        const undone = link.closed ? undoing(operation, fields) : undefined
        if (undone !== undefined) return arena?.note(process, undone)
        const bytes = error === undefined ? null : compact(encodeThrown(error, 'error'))
        link.send([MessageType.storeReply, requestId, bytes, fields])
      }
      if (arena === undefined) return answer(new OutpoolError('this node keeps its objects in files'), [])
      arena.request(process, operation, answer)
    },
    storeNotes({ link, process }, [, notes]) {
      const { arena } = parts().ports
      try {
        for (const note of notes) arena?.note(process, note)
      } catch (error) {
        // It speaks of memory that it was not given: nothing that it says next can be relied on.
        const text = `what ${process} says of the object store is wrong: ${(error as Error).message}`
        link.close(new ProtocolError(text, { cause: error }))
      }
    },
  }
}

/** What an answer that nobody gets has granted is taken back; what was said over a new link meanwhile knows nothing of it. */
function undoing([kind]: StoreOperation, answer: StoreAnswer): StoreNote | undefined {
  if (kind === 'room' && answer.length === 3) {
    const [segment, offset, sizeBytes] = answer as readonly number[]
    return ['returned', segment!, offset!, sizeBytes!]
  }
  return answer[0] === 'arena' || answer[0] === 'file' ? ['released', [answer[1]]] : undefined
}

/** What the store has to say to processes, and to people. */
export function arenaTells(parts: NodeParts): void {
  const { arena } = parts.ports
  if (arena === undefined) return
  arena.sendCollect = (process) => parts.connections.find(process)?.send([MessageType.storeCollect])
  arena.warn = (text) => tellPeople(parts, text)
}

export function freeAll(arena: ArenaHost, keys: readonly string[]): void {
  for (const key of keys) arena.free(key)
}

/** An owner is gone: nobody will ask for these bytes again, those included that are still on their way. */
export function freeOwnedBy({ ports, puller }: Pick<NodeParts, 'ports' | 'puller'>, owner: ProcessId): void {
  const { arena, store, events } = ports
  puller.ownerGone(owner)
  if (arena !== undefined) return arena.ownerGone(owner)
  store.deleteOwnedBy(owner).catch((error: unknown) => {
    events.warn(`removing objects failed: ${(error as Error).message}`)
  })
}

/**
 * The link of a process that is no worker of this node is gone. A driver on this machine may live on and come back; its
 * lock says whether it does. As long as it does its maps are in use.
 */
export function userGone(parts: NodeParts, { process, link }: Connection): void {
  const { arena } = parts.ports
  if (arena === undefined || link.peer.kind !== 'driver' || !arena.holds(process)) return
  const { clock } = parts.ports
  const look = (): void => {
    // With another link it is here again; without anything held there is nothing to free.
    if (parts.connections.find(process) !== undefined || !arena.holds(process)) return
    if (arena.isOver(process)) return arena.processGone(process)
    clock.after(lookMs, look)
  }
  look()
}

/** How often a driver without a link is looked at, in milliseconds. */
const lookMs = 200
