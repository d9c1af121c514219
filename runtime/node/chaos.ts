/**
 * What a node manager does when it is told to let something go wrong (`outpool chaos`). An order is plain data:
 *
 *   { kind: 'ask' }                                  says what was injected into the links of this process so far
 *   { kind: 'rules', seed, rules, forMs }            faults in links, of this process and of its workers
 *   { kind: 'cut', peer, direction, forMs, breaks }  the same, for the links that lead to one node or process
 *   { kind: 'worker', signal, nth, forMs }           SIGKILL, or SIGSTOP for a while, to one of its workers
 *   { kind: 'node', signal, forMs }                  the same to this process
 *
 * Only a process that was started for it obeys; all others refuse.
 */
import { spawn } from 'node:child_process'
import type { Clock } from '../base/clock.ts'
import { OutpoolError } from '../base/errors.ts'
import { setImmediate } from '../base/timers.ts'
import { MessageType } from '../protocol/messages.ts'
import { duration } from '../transport/chaos-rules.ts'
import type { Link } from '../transport/link.ts'

type Order = Readonly<Record<string, unknown>>

export interface ChaosVictims {
  /** Process ids of the workers, the oldest first. */
  pids(): number[]
  /** The links of the workers that are ready. */
  links(): Link[]
}

export class NodeChaos {
  readonly #clock: Clock
  readonly #victims: ChaosVictims
  /** For workers that come later. */
  #rules: { readonly order: Order; readonly untilMs: number } | undefined

  constructor(clock: Clock, victims: ChaosVictims) {
    this.#clock = clock
    this.#victims = victims
  }

  /** Obeys, or refuses, and says so. */
  async order(link: Link, requestId: number, order: Order): Promise<void> {
    const answer = (error: string, text: string): void => {
      link.send([MessageType.chaosDone, requestId, error, text])
      link.flush()
    }
    try {
      // Not part of a node that is never told any of this.
      const { linkChaos, orderLinks } = await import('../transport/chaos.ts')
      const { counts } = linkChaos()
      switch (order['kind']) {
        case 'ask':
          return answer('', JSON.stringify(counts))
        case 'rules':
        case 'cut':
          orderLinks(order)
          return answer('', this.#tellWorkers(order))
        case 'worker':
          return answer('', this.#signalWorker(order))
        case 'node':
          return this.#signalSelf(order, answer)
        default:
          throw new OutpoolError(`chaos: there is no order ${JSON.stringify(order['kind'])}`)
      }
    } catch (error) {
      answer((error as Error).message, '')
    }
  }

  /** A worker that comes while faults are injected gets them too. */
  workerLinked(link: Link): void {
    const forMs = (this.#rules?.untilMs ?? 0) - this.#clock.now()
    if (this.#rules !== undefined && forMs > 0) link.send([MessageType.chaos, 0, { ...this.#rules.order, forMs }])
  }

  #tellWorkers(order: Order): string {
    if (order['kind'] === 'rules')
      this.#rules = { order, untilMs: this.#clock.now() + duration('forMs', order['forMs']) }
    const links = this.#victims.links()
    for (const link of links) link.send([MessageType.chaos, 0, order])
    return `this process and ${links.length} workers`
  }

  #signalWorker(order: Order): string {
    const { nth } = order
    const pids = this.#victims.pids()
    if (typeof nth !== 'number' || !(nth >= 0 && nth < 1)) throw new OutpoolError('chaos: nth is from 0 to below 1')
    const pid = pids[Math.floor(nth * pids.length)]
    if (pid === undefined) return 'no worker runs there'
    signal(pid, order)
    return `worker with pid ${pid}`
  }

  /** Answers first: afterwards there is nobody to do it. */
  #signalSelf(order: Order, answer: (error: string, text: string) => void): void {
    answer('', `node manager with pid ${process.pid}`)
    setImmediate(() => setImmediate(() => signal(process.pid, order)))
  }
}

function signal(pid: number, order: Order): void {
  if (order['signal'] === 'SIGKILL') process.kill(pid, 'SIGKILL')
  else if (order['signal'] === 'SIGSTOP') stopFor(pid, duration('forMs', order['forMs']))
  else throw new OutpoolError(`chaos: the signal is SIGKILL or SIGSTOP, not ${JSON.stringify(order['signal'])}`)
}

/** Stops a process for a while. It goes on whatever becomes of this one: a process of its own sees to that. */
export function stopFor(pid: number, forMs: number): void {
  const command = 'kill -STOP "$1" && sleep "$2"; kill -CONT "$1"'
  const args = ['-c', command, 'sh', String(pid), (forMs / 1000).toFixed(3)]
  spawn('/bin/sh', args, { detached: true, stdio: 'ignore' }).unref()
}
