/**
 * Faults in the links of this process. A process that is not told at its start that there may be some (OUTPOOL_CHAOS=1:
 * `outpool start --allow-chaos`) has nothing of this in its links and refuses to be given any.
 */
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { OutpoolError } from '../base/errors.ts'
import { seededRandom } from '../base/random.ts'
import type { Random } from '../base/random.ts'
import { MessageType } from '../protocol/message-type.ts'
import { ChaosLink } from './chaos-link.ts'
import type { ChaosState, CompiledRule } from './chaos-link.ts'
import { parseChaosCut, parseChaosRules } from './chaos-rules.ts'
import type { ChaosCounts, ChaosCut, ChaosRule, ChaosRules, MessageFault } from './chaos-rules.ts'
import { wrapLinks } from './link-wrap.ts'
import type { Link } from './link.ts'

interface CutNow extends ChaosCut {
  readonly untilMs: number
}

export class LinkChaos implements ChaosState {
  readonly clock: Clock = systemClock
  random: Random = seededRandom(0)
  rules: readonly CompiledRule[] = []
  readonly #links = new Set<ChaosLink>()
  readonly #counts = { delay: 0, tear: 0, drop: 0, duplicate: 0, reorder: 0, cut: 0 }
  #cuts: CutNow[] = []
  #set = 0

  get counts(): ChaosCounts {
    return { ...this.#counts }
  }

  happened(fault: MessageFault): void {
    this.#counts[fault]++
  }

  wrap(raw: Link): Link {
    // Who looks at the cluster, or gives these very orders, is no part of it.
    if (raw.peer.info['asking'] === true) return raw
    const link = new ChaosLink(raw, this)
    for (const known of this.#links) if (known.closed) this.#links.delete(known)
    this.#links.add(link)
    const now = this.clock.now()
    this.#cuts = this.#cuts.filter(({ untilMs }) => untilMs > now)
    // A connection that is made while the way is cut stands, and carries as little.
    for (const cut of this.#cuts) if (leadsTo(link, cut)) link.cut({ ...cut, forMs: cut.untilMs - now, breaks: false })
    return link
  }

  /** Instead of those before; they are over after `forMs`. */
  setRules({ seed, rules, forMs }: ChaosRules): void {
    const set = ++this.#set
    this.random = seededRandom(seed)
    this.rules = rules.map(compile)
    this.clock.after(forMs, () => {
      if (set === this.#set) this.rules = []
    })
  }

  cut(cut: ChaosCut): void {
    this.#counts.cut++
    this.#cuts.push({ ...cut, untilMs: this.clock.now() + cut.forMs })
    for (const link of this.#links) if (!link.closed && leadsTo(link, cut)) link.cut(cut)
  }
}

function leadsTo({ peer }: Link, cut: ChaosCut): boolean {
  if (cut.peer === 'drivers') return peer.kind === 'driver'
  return peer.process === cut.peer || (peer.node === cut.peer && peer.kind !== 'driver')
}

function compile({ types, ...rule }: ChaosRule): CompiledRule {
  const numbers = types.map((name) => MessageType[name as keyof typeof MessageType])
  return { ...rule, types: numbers.length === 0 ? undefined : new Set<number>(numbers) }
}

let chaos: LinkChaos | undefined

/** From now on the links of this process can be given faults. */
export function allowChaos(): LinkChaos {
  if (chaos !== undefined) return chaos
  const made = new LinkChaos()
  chaos = made
  wrapLinks((link) => made.wrap(link))
  return made
}

/** Throws OutpoolError in a process that was not started for it. */
export function linkChaos(): LinkChaos {
  if (chaos !== undefined) return chaos
  throw new OutpoolError('no faults are injected here: start the nodes with outpool start --allow-chaos')
}

/** Does what an order says of links: new rules, or a cut. Throws OutpoolError. */
export function orderLinks(order: Readonly<Record<string, unknown>>): void {
  const links = linkChaos()
  if (order['kind'] === 'rules') links.setRules(parseChaosRules(order))
  else links.cut(parseChaosCut(order))
}
