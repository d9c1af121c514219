/**
 * Local mode: the node manager and the control store live in the driver's process, joined by links in memory. No port
 * is opened; workers come in over a socket in a folder that is closed to others. Nothing here keeps the process alive.
 *
 *     driver ══ memory ══ NodeManager ══ memory ══ ControlStore
 *                             ║
 *                          node.sock ── workers
 */
import { systemClock } from '../base/clock.ts'
import { newProcessId } from '../base/ids.ts'
import type { NodeId, ProcessId } from '../base/ids.ts'
import { systemRandom } from '../base/random.ts'
import { ControlStore } from '../control/control-store.ts'
import { MemoryPersistence } from '../control/persistence.ts'
import { FileObjectStore } from '../objects/file-store.ts'
import type { ObjectStore } from '../objects/store.ts'
import { nodeSocketOf } from '../owner/home.ts'
import { objectsFolderOf } from '../objects/arena-file.ts'
import type { Address } from '../transport/dial.ts'
import { peerHello } from '../transport/hello.ts'
import type { Link } from '../transport/link.ts'
import { memoryPair } from '../transport/memory.ts'
import { newLocalToken } from '../transport/token-digest.ts'
import { NodeHost } from './node-host.ts'
import type { EarlyStart } from './node-host.ts'
import { nodeResources, storeOptionsOf } from './node-resources.ts'
import type { StoreSizeOptions } from './node-resources.ts'
import type { NodeManager } from '../node/node-manager.ts'

export interface LocalOptions extends StoreSizeOptions {
  /** Logical CPUs. Default: those of this machine. */
  readonly numCpus?: number
  readonly numGpus?: number
  /** Bytes, or a text such as `'8GiB'`. Default: 70 % of what this process may use. */
  readonly memory?: number | string
  readonly resources?: Readonly<Record<string, number>>
  readonly labels?: Readonly<Record<string, string>>
  /** How long what nobody can run waits for a node that can, in milliseconds. Default 30,000. */
  readonly infeasibleTimeoutMs?: number
}

export interface LocalNode {
  readonly node: NodeId
  /** Of this node alone, made anew. */
  readonly token: string
  /** Where its workers, and connections that are called back, come in. */
  readonly address: Address
  readonly runFolder: string
  readonly manager: NodeManager
  /** The object store for the driver `process`: the node's own, in this process. */
  openStore(process: ProcessId): Promise<ObjectStore>
  /** A link to the node manager for the driver `process`. */
  connect(process: ProcessId): Promise<Link>
  /** Ends the workers, closes every link, removes the run folder. */
  stop(reason?: string): Promise<void>
  /** The same as far as it can be done synchronously: for an `exit` handler. The guardian does the rest. */
  stopNow(): void
}

/** Rejects with OutpoolError when a folder or socket cannot be had, TypeError or RangeError for an impossible option. */
export async function startLocalNode(options: LocalOptions, early: EarlyStart): Promise<LocalNode> {
  const total = nodeResources(options)
  const store = await ControlStore.open({ clock: systemClock, persistence: new MemoryPersistence() })
  const token = newLocalToken()
  const { infeasibleTimeoutMs } = options
  let host: NodeHost
  try {
    host = await NodeHost.start({
      ...{ token, total, labels: options.labels ?? {}, head: true, headUrl: '', early },
      clock: systemClock,
      random: systemRandom,
      store: storeOptionsOf(options),
      manager: {
        // Only this program asks.
        loadIntervalMs: 500,
        leases: { prestart: 1, ...(infeasibleTimeoutMs !== undefined && { infeasibleTimeoutMs }) },
      },
      events: {
        declaredDead: (reason) => console.error(`outpool: the local node was declared dead: ${reason}`),
        // It ends with its program, which is the only one that uses it.
        drainRequested: (_deadlineMs, reason, drained) => {
          drained(false)
          void stop(reason)
        },
        warn: (text) => console.error(`outpool: ${text}`),
      },
    })
  } catch (error) {
    store.close()
    throw error
  }
  host.unref()
  linkHead(host, store)
  const stop = async (reason = 'the driver leaves'): Promise<void> => {
    await host.stop(reason)
    await store.stop()
  }
  return {
    node: host.id,
    token,
    address: { unix: nodeSocketOf(host.runFolder) },
    runFolder: host.runFolder,
    manager: host.manager,
    openStore: async (process) =>
      host.arena?.openStore(process) ?? FileObjectStore.open(objectsFolderOf(host.runFolder)),
    connect(process) {
      const self = peerHello({ kind: 'driver', node: host.id, process })
      const [mine, theirs] = memoryPair(self, peerHello(host.manager.hello))
      host.manager.attach(theirs)
      return Promise.resolve(mine)
    },
    stop,
    stopNow: () => host.stopNow(),
  }
}

/** Joins a node manager and the control store of the same process. Links in memory are never lost, so never made again. */
export function linkHead(host: NodeHost, store: ControlStore): void {
  const head = newProcessId()
  const [mine, theirs] = memoryPair(
    peerHello(host.manager.hello),
    peerHello({ kind: 'head', node: head, process: head }),
  )
  store.attach(theirs)
  host.attachHead(mine)
}
