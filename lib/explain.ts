/** Why things are where they are, in words and as data. */
import { analyse } from '../runtime/code/analysis/verdict.ts'
import type { Reason, Verdict } from '../runtime/code/analysis/reasons.ts'
import { describeFunction } from '../runtime/code/function-source.ts'
import { currentRuntime } from '../runtime/owner/current.ts'
import type { ObjectRef } from '../runtime/owner/object-ref.ts'
import { isObjectRef, objectRefCodec, tupleOf } from '../runtime/owner/object-ref.ts'
import { whyRefused } from './captures.ts'
import { explainSymbol } from './explain-symbol.ts'
import { RemoteFunction } from './remote.ts'

export { analyse } from '../runtime/code/analysis/verdict.ts'
export { changedBuiltIns } from '../runtime/code/analysis/changed-built-ins.ts'
export type { FunctionVerdict, Reason, Verdict } from '../runtime/code/analysis/reasons.ts'

/** What `explain()` says of this process and the cluster as it sees it. */
export interface ProcessExplanation {
  readonly kind: 'driver' | 'worker' | 'none'
  readonly node: string
  /** Tasks of this process that ended, by the node that ran them. */
  readonly tasksByNode: Readonly<Record<string, number>>
  /** Attempts beyond the first, tasks that moved before they started, answers that were refused as late. */
  readonly retried: number
  /** Tasks that ran again because a large result of theirs was lost. */
  readonly rebuilt: number
  readonly recalled: number
  readonly fenced: number
  readonly queued: number
  /**
   * Entries of each table of the owner; all 0 when nothing is under way and nothing is held. `leases` are, beyond the last
   * call: for a tenth of a second, of a node of the program's own for ten seconds.
   */
  readonly tables: Readonly<Record<string, number>>
}

/** Where and how a function would run. */
export interface FunctionExplanation {
  readonly runs: 'worker' | 'caller'
  /** As the export of a module, as its text, or as its text with the variables that it captures. */
  readonly how: 'module' | 'source' | 'captures' | undefined
  readonly reasons: readonly string[]
  /**
   * Whether it would do the same there: `ship`, it only computes; `keep`, it does something whose effect would be lost;
   * `maybe`, that could not be told. Pools with placement 'auto' move what is `ship`, and nothing else.
   */
  readonly verdict: Verdict
  /** What speaks against it, with the line of its text and the variable. */
  readonly behaviour: readonly Reason[]
}

export interface RefExplanation {
  readonly id: string
  readonly state: 'ready' | 'pending' | 'of another process'
  /** What happened to its task beyond the ordinary: recalled, retried, cancelled. */
  readonly story: readonly string[]
}

/**
 * - `explain()`: this process: what it submitted, where it ran, what is under way.
 * - `explain(fn)`: whether the function can be shipped, how, or what stands in the way.
 * - `explain(ref)`: the state of the object and the story of its task.
 * - `explain(pool)`: where a pool of one of the compatibility modules runs its calls.
 */
export function explain(): ProcessExplanation
export function explain(target: ObjectRef): RefExplanation
export function explain(target: ((...args: never[]) => unknown) | RemoteFunction<never[], unknown>): FunctionExplanation
export function explain(target: object): unknown
export function explain(target?: unknown): unknown {
  if (target === undefined) return explainProcess()
  if (isObjectRef(target)) return explainRef(target)
  if (target instanceof RemoteFunction)
    return {
      runs: 'worker',
      how: undefined,
      reasons: [`${target.name} is a remote function`],
      verdict: 'ship',
      behaviour: [],
    }
  if ((typeof target === 'object' || typeof target === 'function') && target !== null && explainSymbol in target) {
    return (target as { [explainSymbol](): unknown })[explainSymbol]()
  }
  if (typeof target === 'function') {
    return explainFunction(target)
  }
  throw new TypeError('explain: expected nothing, a function, an ObjectRef or a pool')
}

function explainFunction(fn: Function): FunctionExplanation {
  const { ships, how, reasons } = describeFunction(fn)
  const { verdict, reasons: behaviour } = analyse(fn)
  const refused = how === 'captures' ? whyRefused(fn, objectRefCodec) : undefined
  if (ships && refused === undefined) return { runs: 'worker', how, reasons, verdict, behaviour }
  return {
    runs: 'caller',
    how: undefined,
    reasons: refused === undefined ? reasons : [refused],
    verdict: 'keep',
    behaviour,
  }
}

function explainProcess(): ProcessExplanation {
  const runtime = currentRuntime()
  if (runtime === undefined) {
    return {
      kind: 'none',
      node: '',
      tasksByNode: {},
      retried: 0,
      rebuilt: 0,
      recalled: 0,
      fenced: 0,
      queued: 0,
      tables: {},
    }
  }
  const { owner, kind } = runtime
  const { byNode, retried, rebuilt, recalled, fenced } = owner.notes
  const tasksByNode = Object.fromEntries([...byNode].map(([node, { tasks }]) => [node, tasks]))
  const { node } = owner.host.self
  return {
    kind,
    node,
    tasksByNode,
    retried,
    rebuilt,
    recalled,
    fenced,
    queued: owner.state.unsettled,
    tables: owner.tableSizes(),
  }
}

function explainRef(ref: ObjectRef): RefExplanation {
  const owner = currentRuntime()?.owner
  const [process, number] = tupleOf(ref)
  if (owner === undefined || process !== owner.host.self.process)
    return { id: ref.id, state: 'of another process', story: [] }
  return { id: ref.id, state: owner.values.isReady(number) ? 'ready' : 'pending', story: owner.notes.of(number) }
}
