/** The link to a worker that was leased: the one kind of process that is not waited for while it computes. */
import { afterFairly, type Clock } from '../base/clock.ts'
import { ConnectionLostError } from '../base/errors.ts'
import { dialTimeoutMs, directDialTimeoutMs } from '../base/limits.ts'
import type { Link } from '../transport/link.ts'
import type { Peers } from './peers.ts'
import type { Grant } from './submit-types.ts'

/** How long it may take to answer, in milliseconds. It has nothing else to do: tasks that wait for it go elsewhere then. */
const openingMs = directDialTimeoutMs + dialTimeoutMs

/** Rejects as `Peers.reach` does, and with ConnectionLostError when it takes too long. */
export function reachLeased(clock: Clock, peers: Peers, { node, worker }: Grant): Promise<Link> {
  return new Promise((resolve, reject) => {
    const late = (): void =>
      reject(new ConnectionLostError(`worker ${worker} of node ${node} has not answered for ${openingMs} ms`))
    const timer = afterFairly(clock, openingMs, late)
    const link = peers.reach({ node, process: worker }).finally(() => timer.cancel())
    link.then(resolve, reject)
  })
}
