/** Waiting for the head to register a node: it is of use to others when the head has answered. */
import { afterFairly } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { RequestTimeoutError } from '../base/errors.ts'

export interface Registration {
  readonly headUrl: string
  readonly isMember: () => boolean
  /** Whether nobody waits for it any more. */
  readonly isOver: () => boolean
  /** Told of a node that has been a member before, which waits as long as it takes; without, it waits for 30 s. */
  readonly tell?: (text: string) => void
  readonly clock: Clock
}

const firstTimeMs = 30_000
/** Who may wait for longer is told after so long, in milliseconds. */
const toldAfterMs = 3_000
/** Between two looks, in milliseconds: the first, and the longest. */
const pollMs = 5
const mostPollMs = 250

/** Resolves when the node is a member, or nobody waits for it. Rejects with RequestTimeoutError. */
export async function registered({ headUrl, isMember, isOver, tell, clock }: Registration): Promise<void> {
  let isLate = false
  const timer = afterFairly(clock, tell ? toldAfterMs : firstTimeMs, () => (isLate = true))
  const beganMs = clock.now()
  try {
    while (!isMember() && !isOver()) {
      if (isLate && !tell)
        throw new RequestTimeoutError(`the head at ${headUrl} did not register this node within ${firstTimeMs} ms`)
      if (isLate)
        tell?.(`the head at ${headUrl} has not registered this node yet; it is waited for until this node is stopped`)
      const pauseMs = Math.min(mostPollMs, Math.max(pollMs, (clock.now() - beganMs) / 20))
      await new Promise<void>((resolve) => void clock.after(pauseMs, resolve, true))
    }
  } finally {
    timer.cancel()
  }
}
