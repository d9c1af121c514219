/** What an owner needs of the process it lives in: a way to its node, to other processes, and to the store. */
import type { Clock } from '../base/clock.ts'
import type { NodeId, ProcessAddress, ProcessId } from '../base/ids.ts'
import type { Holder } from '../protocol/messages.ts'
import type { ObjectStore } from '../objects/store.ts'
import type { RefCodec } from '../objects/value.ts'
import type { Link } from '../transport/link.ts'

export interface OwnerHost {
  readonly self: ProcessAddress
  readonly job: ProcessId
  readonly clock: Clock
  readonly refCodec: RefCodec
  /** The store of this machine, or the memory of this process where it shares no machine with its node. */
  readonly store: ObjectStore
  /** Who holds what this process puts into `store`. */
  readonly storeHolder: Holder
  /** The link to the home node manager; it rejects when the home is lost for good. */
  home(): Promise<Link>
  /** A new link to the manager of another node. */
  dialNode(node: NodeId): Promise<Link>
  /** A new link to a process; `socketPath` is of use on the same machine. */
  dialProcess(address: ProcessAddress, socketPath: string): Promise<Link>
  /** Whether the files of that node can be opened here. */
  sharesMachine(node: NodeId): boolean
  /** Brings a stored object into `store`. */
  pull(key: string, sizeBytes: number, holders: readonly Holder[]): Promise<void>
  /**
   * Something here waits for a value from elsewhere; returns what ends the wait. A driver stays alive meanwhile, a
   * worker lends its CPU.
   */
  enterWait(): () => void
  /** A task was submitted here; a worker notes it under the task that it runs. */
  submitted(number: number): void
  /** Something that the user should see, once: a line for stderr. */
  warn(text: string): void
}
