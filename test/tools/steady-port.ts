/**
 * Ports for processes that end and are followed by another one at their address. The system gives none of these to
 * anybody: who listens on port 0, and every connection, has one of its own range, and would have this one as soon as it
 * is free.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

const lowest = 10_000

/** A port that is free, outside the range from which the system gives them out. */
export async function steadyPort(): Promise<number> {
  const [end = 32_768] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number)
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (end - lowest))
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}
