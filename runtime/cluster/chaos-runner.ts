/** Carries a plan of chaos out, against a running cluster. */
import { setTimeout as sleep } from 'node:timers/promises'
import { OutpoolError } from '../base/errors.ts'
import { clearInterval, setInterval } from '../base/timers.ts'
import type { ChaosRule } from '../transport/chaos-rules.ts'
import { ChaosMembers } from './chaos-members.ts'
import type { ChaosMember } from './chaos-members.ts'
import { orderChaos } from './chaos-order.ts'
import type { ChaosAct } from './chaos-plan.ts'

export interface ChaosRunOptions {
  readonly address: string
  readonly token: string
  readonly seed: number
  readonly plan: readonly ChaosAct[]
  readonly forMs: number
  /** Faults of messages, for all of the time; none for none. */
  readonly rules: readonly ChaosRule[]
  /** Whether nodes of this machine that were killed are started again. */
  readonly restart: boolean
  /** Ends it before its time. */
  readonly signal: AbortSignal
  readonly onAct: (done: ChaosDone) => void
}

export interface ChaosDone {
  /** Since the beginning. */
  readonly atMs: number
  readonly what: string
  /** '' where nobody was met. */
  readonly node: string
  readonly text: string
}

const answerMs = 2_000
/** How often nodes that came meanwhile are given the faults of messages. */
const refreshMs = 500

/** Rejects with OutpoolError when a node of the cluster was not started for it; nothing was then done. */
export async function runChaos(options: ChaosRunOptions): Promise<void> {
  const members = new ChaosMembers(options.address, options.token)
  await everybodyAllows(await members.find(), options.token)
  await new ChaosRunner(options, members).run()
}

async function everybodyAllows(nodes: readonly ChaosMember[], token: string): Promise<void> {
  const answers = await Promise.allSettled(nodes.map(({ url }) => orderChaos(url, token, { kind: 'ask' })))
  const refusals = answers.flatMap((answer) =>
    answer.status === 'rejected' ? [`  ${(answer.reason as Error).message}`] : [],
  )
  if (refusals.length > 0)
    throw new OutpoolError(`not every node of this cluster may be harmed:\n${refusals.join('\n')}`)
}

class ChaosRunner {
  readonly #options: ChaosRunOptions
  readonly #members: ChaosMembers
  readonly #startedAtMs = performance.now()
  /** What is under way: restarts, and orders that are not answered yet. */
  readonly #under = new Set<Promise<void>>()
  /** Nodes that have the rules. */
  readonly #ruled = new Set<string>()
  /** When the last stop or cut is over. */
  #quietAtMs = 0

  constructor(options: ChaosRunOptions, members: ChaosMembers) {
    this.#options = options
    this.#members = members
  }

  async run(): Promise<void> {
    const { plan, forMs, signal } = this.#options
    const refresh = setInterval(() => this.#rule(), refreshMs)
    this.#rule()
    for (const act of plan) {
      await this.#until(act.atMs)
      if (signal.aborted) break
      this.#background(this.#act(act))
    }
    await this.#until(forMs)
    clearInterval(refresh)
    const left = [...this.#ruled]
    for (const { id, url } of this.#members.all())
      if (left.includes(id)) this.#background(this.#order(url, { kind: 'rules', seed: 0, rules: [], forMs: 0 }))
    while (this.#under.size > 0) await Promise.all(this.#under)
    // What is stopped goes on by itself.
    await sleep(Math.max(0, this.#quietAtMs - this.#nowMs()))
  }

  #nowMs(): number {
    return performance.now() - this.#startedAtMs
  }

  async #until(atMs: number): Promise<void> {
    const { signal } = this.#options
    if (signal.aborted) return
    await sleep(Math.max(0, atMs - this.#nowMs()), undefined, { signal }).catch(() => {})
  }

  #background(work: Promise<unknown>): void {
    const settled = work.then(
      () => {},
      () => {},
    )
    const entry = settled.then(() => void this.#under.delete(entry))
    this.#under.add(entry)
  }

  /** Gives the rules to nodes that have none yet. */
  #rule(): void {
    const { rules, seed, forMs } = this.#options
    if (rules.length === 0) return
    for (const { id, url } of this.#members.all()) {
      if (this.#ruled.has(id)) continue
      this.#ruled.add(id)
      const leftMs = Math.max(0, forMs - this.#nowMs())
      const given = this.#order(url, { kind: 'rules', seed: seed + this.#ruled.size, rules, forMs: leftMs }).then(
        (text) => this.#tell('messages', id, text),
        // It is stopped, or going away: it may answer later.
        () => this.#ruled.delete(id),
      )
      this.#background(given)
    }
  }

  #order(url: string, order: Parameters<typeof orderChaos>[2]): Promise<string> {
    return orderChaos(url, this.#options.token, order, answerMs)
  }

  async #act(act: ChaosAct): Promise<void> {
    const { fault, forMs } = act
    const all = this.#members.all()
    const from =
      fault === 'cut' || fault.endsWith('worker') ? all : all.filter(({ head }) => head === fault.endsWith('head'))
    const member = from[Math.floor(act.node * from.length)]
    if (member === undefined) return this.#tell(fault, '', 'there is none just now')
    if (forMs > 0) this.#quietAtMs = Math.max(this.#quietAtMs, this.#nowMs() + forMs)
    const lasting = forMs > 0 ? `, for ${forMs} ms` : ''
    try {
      this.#tell(fault, member.id, `${await this.#meet(act, member, all)}${lasting}`)
    } catch (error) {
      return this.#tell(fault, member.id, `not done: ${(error as Error).message}`)
    }
    if (!this.#options.restart || (fault !== 'kill-node' && fault !== 'kill-head')) return
    this.#tell('restart', member.id, await this.#members.restart(member))
  }

  async #meet(act: ChaosAct, member: ChaosMember, all: readonly ChaosMember[]): Promise<string> {
    const { fault, forMs, direction, breaks } = act
    const signal = fault.startsWith('kill') ? 'SIGKILL' : 'SIGSTOP'
    if (fault.endsWith('worker')) return this.#order(member.url, { kind: 'worker', signal, nth: act.other, forMs })
    if (fault !== 'cut') return this.#members.signal(member, signal, forMs)
    // The ways to other nodes, and to the programs.
    const ways = [...all.filter(({ id }) => id !== member.id).map(({ id }) => id), 'drivers' as const]
    const peer = ways[Math.floor(act.other * ways.length)] ?? 'drivers'
    await this.#order(member.url, { kind: 'cut', peer, direction, forMs, breaks })
    const end = breaks ? ', then broken' : ''
    return direction === 'in' ? `nothing comes from ${peer}${end}` : `nothing goes to ${peer}${end}`
  }

  #tell(what: string, node: string, text: string): void {
    this.#options.onAct({ atMs: Math.round(this.#nowMs()), what, node, text })
  }
}
