/** Single calls on workers, for queues that decide call by call where each is to run. */
import { FunctionCaptureError, SerializationError, TaskError } from '../runtime/base/errors.ts'
import { onAbort } from '../runtime/base/on-abort.ts'
import { defineFunction, type FunctionDefinition } from '../runtime/code/function-source.ts'
import type { ProcessRuntime } from '../runtime/owner/current.ts'
import type { TaskTemplate } from '../runtime/owner/submit-types.ts'
import type { CallMode } from '../runtime/owner/template.ts'
import { parseResources } from '../runtime/scheduler/resources.ts'
import { captureCall } from './captures.ts'
import { carry } from './carry.ts'
import { ensureRuntime } from './runtime.ts'

export { readingOnce } from '../runtime/code/captures/scopes.ts'

export interface ShipOptions {
  /** Cancels the call when it is raised: a running one gets its own signal raised, and is ended if it goes on. */
  readonly signal?: AbortSignal | undefined
  /** The function is called with `{ signal }`, and with nothing else. */
  readonly givesSignal?: boolean
  /** How often it runs again when its worker or node dies. Default 0: it starts at most once. */
  readonly maxRetries?: number
  /** Whose run time is measured apart from that of others: the function's text. */
  readonly text?: string
  /** Told of the run time of such functions on workers, as it is by now, when this one has ended well. */
  readonly measured?: (micros: number) => void
  /** It was looked into just now, and only computes: what it throws arrives as it is, or the call is unshippable. */
  readonly onlyComputes?: boolean
}

type Templates = Map<string, TaskTemplate>
const templates = new WeakMap<ProcessRuntime, Templates>()

/**
 * Calls `fn(...args)` on a worker with one CPU.
 *
 * Throws FunctionCaptureError for a function that cannot travel, SerializationError for such an argument.
 */
export function ship(
  fn: (...args: never[]) => unknown,
  args: readonly unknown[],
  options: ShipOptions = {},
): Promise<unknown> {
  const { signal, givesSignal = false, maxRetries = 0, text = '', measured, onlyComputes } = options
  const runtime = ensureRuntime()
  const { definition, environment } = carry(runtime, defineFunction(fn, { caller: 'worker' }), undefined)
  const template = templateFor(runtime, {
    definition,
    environment,
    mode: modeOf(givesSignal, onlyComputes === true),
    maxRetries,
    text,
  })
  const given = givesSignal ? [signal !== undefined] : args
  const all =
    definition.source.kind === 'closure' ? captureCall(runtime, fn, given, { caller: 'worker', onlyComputes }) : given
  let stop: (() => void) | undefined
  const running = runtime.owner.run(template, all, (number) => {
    if (signal === undefined) return
    const reason = (): string => `its signal was aborted: ${String(signal.reason)}`
    stop = onAbort(signal, () => runtime.owner.cancel(number, { reason: reason(), force: false, recursive: true }))
  })
  if (measured !== undefined)
    running.then(
      () => measured(template.runMicros),
      () => undefined,
    )
  return signal === undefined ? running : running.finally(() => stop?.())
}

function modeOf(givesSignal: boolean, isExact: boolean): CallMode {
  if (isExact) return givesSignal ? 'exactSignal' : 'exact'
  return givesSignal ? 'signal' : 'call'
}

/** Whether a call failed because its function, an argument, its result or what it threw cannot travel as it is. */
export function isUnshippable(error: unknown): error is Error {
  return error instanceof FunctionCaptureError || error instanceof SerializationError || hasNameAlone(error)
}

/** So many errors are looked at: one, what caused it, those that it holds, and theirs. */
const mostLookedAt = 64

/** Whether the class of an error, or of one within it, could not come along. */
function hasNameAlone(error: unknown): boolean {
  const found = new Set([error])
  for (const at of found) {
    if (at instanceof TaskError) return true
    if (!(at instanceof Error)) continue
    const inner = at instanceof AggregateError && Array.isArray(at.errors) ? (at.errors as unknown[]) : []
    for (const one of [at.cause, ...inner]) if (found.size < mostLookedAt) found.add(one)
  }
  return false
}

interface Shipped {
  readonly definition: FunctionDefinition
  readonly environment: string
  readonly mode: CallMode
  readonly maxRetries: number
  readonly text: string
}

function templateFor(
  runtime: ProcessRuntime,
  { definition, environment, mode, maxRetries, text }: Shipped,
): TaskTemplate {
  const { owner } = runtime
  let known = templates.get(runtime)
  if (known === undefined) templates.set(runtime, (known = new Map()))
  const key = `${definition.id} ${mode} ${maxRetries} ${text}`
  let template = known.get(key)
  if (template === undefined) {
    const resources = parseResources({ numCpus: 1 })
    const classIndex = owner.defineClass({ kind: 'task', resources, strategy: null, priority: 0, environment })
    const body = { kind: 'task', mode, name: definition.name, definition: definition.bytes } as const
    template = owner.defineTemplate(
      { ...body, job: runtime.job, environment, numReturns: 1, maxRetries },
      { classIndex, retryExceptions: false, timeoutMs: 0 },
    )
    known.set(key, template)
  }
  return template
}
