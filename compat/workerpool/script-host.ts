/**
 * Runs in a pool's worker process: loads the worker script as it is, then answers calls by name. The pool reaches
 * these exports by their module and name.
 */
import { isAbsolute } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { provideModule } from '../shared/provide-module.ts'
import {
  addMethod,
  createWorkerRegistry,
  publicWorker,
  workerRegistry,
  type WorkerRegistry,
} from './worker-registry.ts'

/** How the pool's options shape the process. */
export interface HostSettings {
  readonly forkArgs: readonly string[]
  readonly cwd: string | undefined
}

/** Prepares the worker; resolves when the script has called `workerpool.worker()`, as the original waits for that. */
export async function loadScript(script: string | null, settings: HostSettings): Promise<void> {
  const registry = createWorkerRegistry()
  addMethod(registry, 'run', (source, params) => runSource(registry, source as string, params as unknown[] | null))
  addMethod(registry, 'methods', () => [...registry.methods.keys()])
  if (settings.cwd !== undefined) process.chdir(settings.cwd)
  if (script === null) return
  const file = script.startsWith('file:') ? fileURLToPath(script) : script
  if (!isAbsolute(file))
    throw new TypeError(`A worker script is named by its absolute path, not ${JSON.stringify(script)}`)
  process.argv = [process.argv0, file, ...settings.forkArgs]
  // Not imported above: the shim asks at its load whether it is in a worker, which the registry tells.
  const { default: shim } = await import('./index.ts')
  registry.Transfer = shim.Transfer
  provideModule('workerpool', { ...shim }, file)
  const ready = new Promise<void>((resolve) => {
    registry.registered = resolve
  })
  await import(pathToFileURL(file).href)
  await ready
}

/** One call of a registered method. */
export async function callMethod(name: string, params: readonly unknown[] | null | undefined): Promise<unknown> {
  const registry = workerRegistry()
  const method = registry?.methods.get(name)
  if (registry === undefined || method === undefined) throw new Error(`Unknown method "${name}"`)
  const result: unknown = await method.apply(method, [...(params ?? [])])
  return registry.Transfer !== undefined && result instanceof registry.Transfer
    ? (result as { message: unknown }).message
    : result
}

/** The script's `onTerminate`, before the process ends in order. */
export async function runTerminationHandler(code: number): Promise<void> {
  await workerRegistry()?.onTerminate?.(code)
}

const compiled = new Map<string, (...params: unknown[]) => unknown>()

/**
 * `pool.exec(fn)`: the source is evaluated in the global scope, as the original does it, and called with an object that
 * carries the worker's API as `this`. Each call evaluates the function anew; the source is compiled once.
 */
function runSource(registry: WorkerRegistry, source: string, params: readonly unknown[] | null): unknown {
  let wrapper = compiled.get(source)
  if (wrapper === undefined) {
    // oxlint-disable-next-line typescript/no-implied-eval -- functions travel to this package's workers as source
    wrapper = new Function(`return (${source}).apply(this, arguments);`) as (...params: unknown[]) => unknown
    if (compiled.size >= 500) compiled.clear()
    compiled.set(source, wrapper)
  }
  const self = Object.assign(wrapper, { worker: publicWorker(registry) })
  return self.apply(self, [...(params ?? [])])
}
