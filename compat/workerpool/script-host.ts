/**
 * Runs in a pool's worker process: loads the worker script as it is, then answers calls by name. The pool reaches
 * these exports by their module and name.
 */
import { isAbsolute } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { BoundedMap } from '../../lib/bounded-map.ts'
import { context } from '../../lib/context.ts'
import { locateModule, type CarriedModule } from '../../lib/carried-module.ts'
import { taskTeller } from '../../lib/task-teller.ts'
import { canTravel, portable } from '../../lib/travel.ts'
import { provideModule } from '../shared/provide-module.ts'
import { travelling, type Flattening } from './flatten.ts'
import { applyFlags, type WorkerFlags } from './exec-argv.ts'
import { runScript } from './run-script.ts'
import {
  addMethod,
  createWorkerRegistry,
  publicWorker,
  outgoing,
  workerRegistry,
  type WorkerRegistry,
} from './worker-registry.ts'

/** How the pool's options shape the process. */
export interface HostSettings {
  readonly forkArgs: readonly string[]
  readonly cwd: string | undefined
  readonly env: Readonly<Record<string, string>> | undefined
  readonly flags: WorkerFlags
  readonly flattening: Flattening
  /** Names that lead to shims in the program, and so here. */
  readonly names: readonly string[]
}

/**
 * Prepares the worker; resolves when the script has called `workerpool.worker()`, as the original waits for that.
 * `carried`: how the script is reached from here, where it was shipped.
 */
export async function loadScript(
  script: string | null,
  settings: HostSettings,
  carried: CarriedModule | null,
): Promise<void> {
  const registry = createWorkerRegistry((value) => travelling(value, settings.flattening))
  addMethod(registry, 'run', (source, params) =>
    typeof source === 'function'
      ? runCaptured(registry, source as Captured, params as unknown[] | null)
      : runSource(registry, source as string, params as unknown[] | null),
  )
  addMethod(registry, 'methods', () => [...registry.methods.keys()])
  if (settings.env !== undefined) Object.assign(process.env, settings.env)
  if (settings.cwd !== undefined) process.chdir(settings.cwd)
  const file = script?.startsWith('file:') === true ? fileURLToPath(script) : (script ?? fileURLToPath(import.meta.url))
  if (!isAbsolute(file)) throw new TypeError(`A worker script is named by its absolute path, not '${script}'`)
  process.argv = [process.execPath, file, ...settings.forkArgs]
  if (script === null) return applyFlags(settings.flags)
  const url = carried === null ? pathToFileURL(file).href : await locateModule(carried)
  // Not imported above: the shim asks at its load whether it is in a worker, which the registry tells.
  const { default: shim } = await import('./index.ts')
  registry.Transfer = shim.Transfer
  provideModule('workerpool', { ...shim }, fileURLToPath(url))
  const ready = new Promise<void>((resolve) => {
    registry.registered = resolve
  })
  await applyFlags(settings.flags)
  await mapOthers(settings.names)
  await runScript(url)
  await ready
}

/** The name of this package leads to the shim already. What maps the others is loaded where there are any. */
async function mapOthers(names: readonly string[]): Promise<void> {
  const others = names.filter((name) => name !== 'workerpool')
  if (others.length === 0) return
  const { mapNames } = await import('../shared/map-names.ts')
  mapNames(others)
}

/**
 * The result, or nothing and what was thrown, or of a task that was given up whether its abort listeners have cleaned up
 * after it: told apart without a name that would travel with each.
 */
export type MethodAnswer =
  | readonly [value: unknown]
  | readonly [nothing: undefined, error: unknown]
  | readonly [nothing: undefined, no: undefined, cleanedUp: boolean]

/**
 * One call of a registered method. `listening`: somebody waits for what it emits. Synchronous where
 * the method is: such a call makes no promise, and cannot be told that it was given up.
 */
export function callMethod(
  name: string,
  params: readonly unknown[] | null | undefined,
  listening: boolean,
): MethodAnswer | Promise<MethodAnswer> {
  const registry = workerRegistry()
  const method = registry?.methods.get(name)
  if (registry === undefined || method === undefined) return [undefined, new Error(`Unknown method "${name}"`)]
  registry.tell = listening ? taskTeller() : undefined
  if (registry.abortListeners.length > 0) registry.abortListeners = []
  let result: unknown
  try {
    result = method.apply(method, [...(params ?? [])])
    if (!isPromise(result)) result = outgoing(registry, result)
  } catch (error) {
    registry.tell = undefined
    return [undefined, thrown(error)]
  }
  if (isPromise(result)) return settled(registry, result)
  registry.tell = undefined
  return [result]
}

/** An error arrives in any case: what it holds that cannot travel (a socket, say) is left out, as in the original. */
function thrown(error: unknown): unknown {
  return canTravel(error) ? error : portable(error)
}

/** The original's measure. */
function isPromise(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' || value === null) return false
  const { then, catch: otherwise } = value as { then?: unknown; catch?: unknown }
  return typeof then === 'function' && typeof otherwise === 'function'
}

async function settled(registry: WorkerRegistry, result: PromiseLike<unknown>): Promise<MethodAnswer> {
  const { tell } = registry
  let cleaning: Promise<boolean> | undefined
  const givenUp = new Promise<void>((resolve) => {
    const onAbort = (): void => {
      cleaning = cleanUp(registry)
      resolve()
    }
    context().signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    // Its listeners may end it, and go on.
    const value = await Promise.race([result, givenUp])
    return cleaning === undefined ? [outgoing(registry, value)] : [undefined, undefined, await cleaning]
  } catch (error) {
    return cleaning === undefined ? [undefined, thrown(error)] : [undefined, undefined, await cleaning]
  } finally {
    // Not that of a later one, which may have begun.
    if (registry.tell === tell) registry.tell = undefined
  }
}

/** Cleans up after a task that had ended when it was given up. */
export function cleanUpLate(): Promise<boolean> {
  const registry = workerRegistry()
  return registry === undefined ? Promise.resolve(false) : cleanUp(registry)
}

/** Whether the abort listeners of the task, if it has any, have cleaned up after it in their time. */
async function cleanUp(registry: WorkerRegistry): Promise<boolean> {
  const listeners = registry.abortListeners.splice(0)
  if (listeners.length === 0) return false
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), registry.abortListenerTimeoutMs)
  })
  const done = Promise.all(listeners.map(async (listener) => listener())).then(
    () => true,
    () => false,
  )
  return Promise.race([done, late]).finally(() => clearTimeout(timer))
}

/** The script's `onTerminate`, before the process ends in order. */
export async function runTerminationHandler(code: number): Promise<void> {
  await workerRegistry()?.onTerminate?.(code)
}

type Captured = (...params: unknown[]) => unknown

/** `pool.exec(fn)` of a function that captures: it came with its variables, as a value. */
function runCaptured(registry: WorkerRegistry, fn: Captured, params: readonly unknown[] | null): unknown {
  return fn.apply(
    Object.assign(() => undefined, { worker: publicWorker(registry) }),
    [...(params ?? [])],
  )
}

const maxCompiled = 500
const compiled = new BoundedMap<string, (...params: unknown[]) => unknown>(maxCompiled)

/**
 * `pool.exec(fn)`: the source is evaluated in the global scope, as the original does it, and called with an object that
 * carries the worker's API as `this`. Each call evaluates the function anew; the source is compiled once.
 */
function runSource(registry: WorkerRegistry, source: string, params: readonly unknown[] | null): unknown {
  const self = Object.assign(compiled.getOrMake(source, compile), { worker: publicWorker(registry) })
  return self.apply(self, [...(params ?? [])])
}

function compile(source: string): (...params: unknown[]) => unknown {
  // oxlint-disable-next-line typescript/no-implied-eval -- functions travel to this package's workers as source
  return new Function(`return (${source}).apply(this, arguments);`) as (...params: unknown[]) => unknown
}
