/**
 * What goes wrong with messages, as it travels: plain data, checked where it comes in. Links are ordered and reliable
 * streams, so these are the faults that their users can meet:
 *
 *   delay      a message, and everything behind it in that direction, comes later
 *   tear       the link breaks at a message: it and everything behind it are lost, both ends are told
 *   cut        for a while nothing of one direction comes through; the sender does not notice. Then all of it comes, or
 *              the link breaks with it
 *   drop       a message alone is lost             only those of which the protocol claims that they bear it
 *   duplicate  a message comes twice                 (runtime/protocol/tolerance.ts)
 *   reorder    a message is overtaken by others
 */
import { OutpoolError } from '../base/errors.ts'
import { isProcessId } from '../base/ids.ts'
import type { ProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/message-type.ts'

export const messageFaults = ['delay', 'tear', 'drop', 'duplicate', 'reorder'] as const
export type MessageFault = (typeof messageFaults)[number]

export interface ChaosRule {
  readonly fault: MessageFault
  /** Of each message, in [0, 1]. */
  readonly probability: number
  /** Names of message types (`push`, `done`, ...); empty: every one that bears it. */
  readonly types: readonly string[]
  /** The longest delay, for `delay` and `reorder`, in milliseconds. */
  readonly mostMs: number
}

/** Replaces the rules that were there. They end by themselves, whatever becomes of who set them. */
export interface ChaosRules {
  readonly kind: 'rules'
  readonly seed: number
  readonly rules: readonly ChaosRule[]
  readonly forMs: number
}

/** Of all links to `peer`: a node with its processes, one process, or all programs. `in` is what comes from there. */
export interface ChaosCut {
  readonly kind: 'cut'
  readonly peer: ProcessId | 'drivers'
  readonly direction: 'in' | 'out'
  readonly forMs: number
  /** Whether the links break at the end, with what was held; otherwise it comes. */
  readonly breaks: boolean
}

/** What was injected so far. */
export type ChaosCounts = Readonly<Record<MessageFault | 'cut', number>>

const longestMs = 24 * 3_600_000
const mostRules = 100

/** Throws OutpoolError naming what is not as it has to be. */
export function parseChaosRules(value: Readonly<Record<string, unknown>>): ChaosRules {
  const { seed, rules, forMs } = value
  if (!Number.isSafeInteger(seed)) throw wrong('seed', 'a whole number', seed)
  if (!Array.isArray(rules) || rules.length > mostRules) throw wrong('rules', `a list of at most ${mostRules}`, rules)
  return { kind: 'rules', seed: seed as number, rules: rules.map(parseRule), forMs: duration('forMs', forMs) }
}

export function parseChaosCut(value: Readonly<Record<string, unknown>>): ChaosCut {
  const { peer, direction, forMs, breaks } = value
  if (peer !== 'drivers' && !isProcessId(peer)) throw wrong('peer', "the id of a node or process, or 'drivers'", peer)
  if (direction !== 'in' && direction !== 'out') throw wrong('direction', "'in' or 'out'", direction)
  return { kind: 'cut', peer, direction, forMs: duration('forMs', forMs), breaks: breaks === true }
}

function parseRule(value: unknown): ChaosRule {
  const { fault, probability, types, mostMs } = (value ?? {}) as Record<string, unknown>
  const known = messageFaults.find((name) => name === fault)
  if (known === undefined) throw wrong('fault', `one of ${messageFaults.join(', ')}`, fault)
  if (typeof probability !== 'number' || !(probability >= 0 && probability <= 1))
    throw wrong('probability', 'a number from 0 to 1', probability)
  const names = Array.isArray(types) ? types : []
  for (const name of names)
    if (typeof name !== 'string' || !Object.hasOwn(MessageType, name))
      throw wrong('types', 'names of messages, such as push, done or leaseRequest', name)
  return { fault: known, probability, types: names as string[], mostMs: duration('mostMs', mostMs) }
}

/** In milliseconds, bounded: nothing stays wrong for ever. */
export function duration(name: string, value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= longestMs))
    throw wrong(name, `milliseconds from 0 to ${longestMs}`, value)
  return value
}

function wrong(name: string, expected: string, value: unknown): OutpoolError {
  return new OutpoolError(`chaos: ${name} has to be ${expected}, not ${JSON.stringify(value) ?? 'missing'}`)
}
