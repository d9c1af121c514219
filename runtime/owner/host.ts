/** What an owner needs of the process it lives in: its place in the cluster, and the store. */
import type { Clock } from '../base/clock.ts'
import type { NodeId, ProcessAddress, ProcessId } from '../base/ids.ts'
import type { Holder } from '../protocol/messages.ts'
import type { ObjectStore } from '../objects/store.ts'
import type { RefCodec } from '../objects/value.ts'
import type { Home } from './home.ts'
import type { WaitAwake } from './wait-awake.ts'

export interface OwnerHost {
  readonly self: ProcessAddress
  readonly job: ProcessId
  readonly clock: Clock
  readonly home: Pick<Home, 'dial' | 'connected' | 'link' | 'mode' | 'nodes' | 'sameMachine' | 'sessions'>
  readonly refCodec: RefCodec
  /** The store of this machine, or the memory of this process where it shares no machine with its node. */
  readonly store: ObjectStore
  /** Who holds what this process puts into `store`. */
  readonly storeHolder: Holder
  /** Brings a stored object into `store`, whose owner is reached through that node. */
  pull(key: string, sizeBytes: number, holders: readonly Holder[], ownerNode: NodeId): Promise<void>
  /**
   * Something here waits for a value from elsewhere; returns what ends the wait. A driver stays alive meanwhile, a
   * worker lends its CPU.
   */
  enterWait(): () => void
  /** A task was submitted here; a worker notes it under the task that it runs. */
  submitted(number: number): void
  /** This process owns something again. */
  owns?(): void
  /** How it waits for the answer to its only call; absent where it sleeps. */
  readonly awake?: WaitAwake | undefined
  /** Something that the user should see, once: a line for stderr. */
  warn(text: string): void
}
