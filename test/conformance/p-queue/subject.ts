/** What the suites of p-queue are run against: the originals, or the shim over them. */
import type original from 'p-queue'

export type Queue = InstanceType<typeof original>
export type Options = ConstructorParameters<typeof original>[0]
export type AddOptions = Parameters<Queue['add']>[1]

export interface PQueueModule {
  readonly default: typeof original
  readonly PriorityQueue: unknown
  readonly TimeoutError: new (message?: string) => Error
}

export interface Subject {
  readonly name: string
  readonly major: 9 | 10
  load(): Promise<PQueueModule>
}

/** Listens as both majors let one listen: an EventEmitter, or an EventTarget. */
export function listen(queue: Queue, event: string, heard: (detail: unknown) => void): void {
  const any = queue as unknown as {
    on?(event: string, listener: (detail: unknown) => void): void
    addEventListener?(event: string, listener: (event: { detail?: unknown }) => void): void
  }
  if (any.on !== undefined) any.on(event, heard)
  else any.addEventListener?.(event, ({ detail }) => heard(detail))
}
