/**
 * Connecting to a process that may have too much to do, on a machine that may have too much to do: for whoever ends with
 * what it rejects with. A connection that is taken says that somebody is there, so the hello may take longer than the
 * connection, and who waits is told of it.
 */
import { afterFairly, systemClock } from '../base/clock.ts'
import { busyPauseMs, dial } from './dial.ts'
import type { Address, DialOptions } from './dial.ts'
import { isTurnedAway } from './hello.ts'
import type { Link } from './link.ts'

/** How long a process that takes connections may take to answer the hello of one, in milliseconds. */
const patienceMs = 30_000
/** Who waits is told after so long, in milliseconds. */
const toldAfterMs = 3_000

/**
 * As `dial`, with more time for the hello. Tries again for as long as the other side says that too many wait for it
 * already. `tell`: told once, where it takes long.
 */
export async function dialPatiently(
  options: DialOptions & { readonly address: Address },
  tell: (text: string) => void = () => {},
): Promise<Link> {
  const { address, timeoutMs = 0 } = options
  const where = 'unix' in address ? address.unix : address.url
  const text =
    `${where} has not answered for ${toldAfterMs / 1000} s: it, or this machine, has too much to do, or its process is ` +
    `stopped. It is waited for, ${patienceMs / 1000} s at most`
  const timer = afterFairly(systemClock, toldAfterMs, () => tell(text))
  const endMs = systemClock.now() + patienceMs
  try {
    for (;;) {
      try {
        return await dial({ ...options, helloTimeoutMs: Math.max(patienceMs, timeoutMs) })
      } catch (error) {
        if (!isTurnedAway(error) || systemClock.now() > endMs) throw error
        await new Promise<void>((resolve) => void systemClock.after(busyPauseMs, resolve, true))
      }
    }
  } finally {
    timer.cancel()
  }
}
