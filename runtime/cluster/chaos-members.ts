/**
 * The nodes that `outpool chaos` may touch. Those of this machine are known by their records: a process is signalled
 * only when its pid and its start are those that were noted down. All others are asked to do it to themselves.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeId } from '../base/ids.ts'
import { stopFor } from '../node/chaos.ts'
import { orderChaos } from './chaos-order.ts'
import { startDetached } from './detach.ts'
import { listRecords } from './node-records.ts'
import type { NodeRecord } from './node-records.ts'
import { stateOfProcess } from '../base/process-identity.ts'
import { clusterStatus } from './status.ts'

export interface ChaosMember {
  readonly id: NodeId
  readonly url: string
  readonly head: boolean
  /** Of a node that was started on this machine, by this user. */
  readonly record?: NodeRecord
}

/** A node that was killed by somebody else, or that cannot start yet, is tried again for so long. */
const restartWithinMs = 120_000
const restartPauseMs = 250

export class ChaosMembers {
  readonly #address: string
  readonly #token: string
  #headUrl = ''
  #elsewhere: readonly ChaosMember[] = []

  constructor(address: string, token: string) {
    this.#address = address
    this.#token = token
  }

  /** Asks the cluster who is there. Rejects when nobody answers. */
  async find(): Promise<readonly ChaosMember[]> {
    const { nodes } = await clusterStatus(this.#address, this.#token)
    const living = nodes.filter(({ state }) => state !== 'dead')
    this.#headUrl = living.find(({ head }) => head)?.url ?? this.#headUrl
    const here = new Set(this.#here().map(({ id }) => id))
    this.#elsewhere = living.filter(({ id }) => !here.has(id)).map(({ id, url, head }) => ({ id, url, head }))
    return this.all()
  }

  /** Those that are there now, as far as it is known here; always in the same order. */
  all(): readonly ChaosMember[] {
    const here = this.#here()
    const urls = new Set(here.map(({ url }) => url))
    const members = [...here, ...this.#elsewhere.filter(({ url }) => !urls.has(url))]
    return members.sort((a, b) => Number(b.head) - Number(a.head) || (a.url < b.url ? -1 : 1))
  }

  #here(): ChaosMember[] {
    return listRecords().flatMap((record) => {
      const { id, url, head, headUrl } = record
      const ours = head ? url === this.#headUrl : headUrl === this.#headUrl
      return ours && stateOfProcess(record) === 'alive' ? [{ id, url, head, record }] : []
    })
  }

  /** Says what was signalled. */
  async signal(member: ChaosMember, signal: 'SIGKILL' | 'SIGSTOP', forMs: number): Promise<string> {
    const { record, url } = member
    if (record === undefined) return orderChaos(url, this.#token, { kind: 'node', signal, forMs })
    if (stateOfProcess(record) !== 'alive') return 'it has ended meanwhile'
    if (signal === 'SIGSTOP') stopFor(record.pid, forMs)
    else process.kill(record.pid, 'SIGKILL')
    return `node manager with pid ${record.pid}`
  }

  /**
   * Starts what was killed, with the same options, on the same port, with the same tables. A node may be killed while it is
   * being started again: then two are at it, and the one that comes second leaves it to the other.
   */
  async restart({ record }: ChaosMember): Promise<string> {
    if (record?.options === undefined) return 'it was not started here: nobody restarts it'
    const { options, url, headUrl, head } = record
    // A head on any free port has its tables in memory; on the port that it got it still has.
    const { port: before, storage = before === 0 ? 'memory' : undefined } = options
    const again = {
      ...options,
      port: Number(new URL(url).port),
      ...(head ? storage !== undefined && { storage } : { address: headUrl }),
    }
    const endsAtMs = performance.now() + restartWithinMs
    for (;;) {
      await sleep(restartPauseMs)
      // One that was killed ends when the machine has time for that; until then it is none that is there again.
      if (stateOfProcess(record) === 'alive' && performance.now() < endsAtMs) continue
      const there = this.all().find((member) => member.url === url)
      if (there !== undefined) return `node ${there.id} is there again already`
      try {
        const { id, pid } = await startDetached(again)
        return `again as node ${id} (pid ${pid})`
      } catch (error) {
        // A node needs its head, which may be away just now.
        if (performance.now() > endsAtMs) return `could not be started again: ${(error as Error).message}`
      }
    }
  }
}
