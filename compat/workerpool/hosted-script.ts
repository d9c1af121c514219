/** The script host in a worker process, as its pool speaks to it. */
import { statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { carryModule } from '../../lib/carried-module.ts'
import {
  moduleFunction,
  type PinnedCallOptions,
  type PinnedWorker,
  type PinnedWorkerOptions,
} from '../../lib/pinned.ts'
import { travellingParams, type Flattening } from './flatten.ts'
import { asParams, innerParams } from './refusals.ts'
import { parseExecArgv, type WorkerFlags } from './exec-argv.ts'
import { mappedNames } from '../shared/map-names.ts'
import type { HostSettings } from './script-host.ts'
import type { WorkerTask } from './worker-task.ts'

const host = new URL('./script-host.js', import.meta.url)
const loadScript = moduleFunction(host, 'loadScript')
const callMethod = moduleFunction(host, 'callMethod')
const cleanUpLate = moduleFunction(host, 'cleanUpLate')
const runTerminationHandler = moduleFunction(host, 'runTerminationHandler')

interface ForkOptions {
  readonly cwd?: string | URL
  readonly env?: Readonly<Record<string, string>>
  readonly execArgv?: readonly string[]
}

/** Pools with flags that are refused have no workers here. */
const noFlags: WorkerFlags = { preloads: [], exposeGc: false, sourceMaps: false }

export class HostedScript {
  readonly #worker: PinnedWorker
  readonly #flattening: Flattening

  constructor(worker: PinnedWorker, flattening: Flattening) {
    this.#worker = worker
    this.#flattening = flattening
  }

  /** What a worker that is to host the script of this name is acquired with. */
  static setUp(
    named: string | undefined,
    forkArgs: readonly string[] | undefined,
    forkOpts: unknown,
    flattening: Flattening,
  ): PinnedWorkerOptions {
    const { cwd, env, execArgv = [] } = (forkOpts ?? {}) as ForkOptions
    const flags = parseExecArgv(execArgv)
    const settings: HostSettings = {
      forkArgs: [...(forkArgs ?? [])],
      cwd: cwd?.toString(),
      env: env === undefined ? undefined : { ...env },
      flattening,
      flags: 'refused' in flags ? noFlags : flags,
      names: mappedNames(),
    }
    const script = named === undefined ? undefined : scriptFile(named, flattening === 'json' ? (cwd ?? '.') : undefined)
    // What names no file is left to fail where the script would run, as in the original.
    const isFile = script !== undefined && (isAbsolute(script) || script.startsWith('file:'))
    return { initializer: loadScript, initargs: [script ?? null, settings, isFile ? carryModule(script) : null] }
  }

  /** Sends a task; throws where a parameter cannot travel, by the way to it from `params`. */
  send(task: WorkerTask): void {
    const { method, params, heard } = task
    const listening = heard !== undefined
    const send = (travelling: unknown): number =>
      this.#worker.call(callMethod, [method, travelling ?? null, listening], task, optionsOf(method))
    try {
      task.call = send(params)
    } catch (error) {
      const inner = innerParams(method, params)
      const flat = travellingParams(inner ?? params, this.#flattening)
      try {
        if (flat === (inner ?? params)) throw error
        task.call = send(inner === undefined ? flat : [params?.[0], flat])
      } catch (refusal) {
        throw asParams(refusal, method, params)
      }
    }
  }

  /** Whether it would take one more call of the method at once, to run it behind what runs there. */
  takesAhead(method: string): boolean {
    return this.#worker.takesAhead(callMethod, optionsOf(method))
  }

  /** Has a task back that has not started. */
  takeBack(call: number): boolean {
    return this.#worker.takeBack(call)
  }

  /**
   * Has the abort listeners of a task that was given up clean up after it; true when they have, within `timeoutMs`. Until
   * then it is heard.
   */
  async cleanUp(task: WorkerTask, timeoutMs: number): Promise<boolean> {
    const { call = -1 } = task
    if (task.outcome === undefined) {
      // One that has not begun has no listeners.
      if (this.#worker.takeBack(call) || !this.#worker.raise(call)) return false
      await task.isOver(timeoutMs)
    }
    const { kind, value } = task.outcome ?? {}
    if (kind === 'cleaned') return value === true
    if (kind !== 'value' && kind !== 'error') return false
    // It ended in that moment.
    return within(this.#worker.run<boolean>(cleanUpLate, [], { name: 'abort listeners' }).promise, timeoutMs, false)
  }

  /** Runs the script's `onTerminate`; waits for it no longer than `timeoutMs`. */
  async sayGoodbye(timeoutMs: number): Promise<void> {
    await within(
      this.#worker.run<void>(runTerminationHandler, [0], { name: 'onTerminate' }).promise,
      timeoutMs,
      undefined,
    )
  }
}

/**
 * The file that a script's name leads to from here, wherever its worker is. `folder`: that of a child process, to whose
 * program any path leads; that of a thread is absolute, or begins with a dot. Both need not have their ending.
 */
function scriptFile(named: string, folder: string | URL | undefined): string {
  if (named.startsWith('file:')) return named
  const from = folder instanceof URL || folder?.startsWith('file:') === true ? fileURLToPath(folder) : folder
  const file = from !== undefined ? resolve(from, named) : /^\.\.?\//.test(named) ? resolve(named) : named
  if (!isAbsolute(file) || statSync(file, { throwIfNoEntry: false })?.isFile() === true) return file
  try {
    return createRequire(file).resolve(file)
  } catch {
    return file
  }
}

/** Those of the calls of one method are the same ones, so that the worker knows how long they take. */
const optionsByMethod = new Map<string, PinnedCallOptions>()

/** In between two tasks the script has a turn of the event loop, as in the original. */
function optionsOf(method: string): PinnedCallOptions {
  let options = optionsByMethod.get(method)
  if (options === undefined) optionsByMethod.set(method, (options = { name: method, mode: 'turn' }))
  return options
}

/** The value, or `otherwise` when it does not come in time or not at all. */
async function within<V>(promise: Promise<V>, timeoutMs: number, otherwise: V): Promise<V> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<V>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, otherwise)
  })
  const settled = promise.catch(() => otherwise)
  return Promise.race([settled, late]).finally(() => clearTimeout(timer))
}
