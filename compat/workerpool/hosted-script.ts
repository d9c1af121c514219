/** The script host in a worker process, as its pool speaks to it. */
import { isAbsolute } from 'node:path'
import {
  carryModule,
  isSystemFailure,
  moduleFunction,
  type PinnedCall,
  type PinnedWorker,
  type PinnedWorkerOptions,
} from '../../lib/pinned.ts'
import { travelling, type Flattening } from './flatten.ts'
import { parseExecArgv, type WorkerFlags } from './exec-argv.ts'
import { mappedNames } from '../shared/map-names.ts'
import type { HostSettings } from './script-host.ts'

const host = new URL('./script-host.js', import.meta.url)
const loadScript = moduleFunction(host, 'loadScript')
const callMethod = moduleFunction(host, 'callMethod')
const hasCleanedUp = moduleFunction(host, 'hasCleanedUp')
const runTerminationHandler = moduleFunction(host, 'runTerminationHandler')

export type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown }
type Listener = (payload: unknown) => unknown

/** What mode `starmap` answers for its one item; what the method threw is a value in it. */
interface StarmapAnswer {
  readonly values: readonly unknown[]
  readonly failedAt: number
  readonly error?: unknown
}

interface ForkOptions {
  readonly cwd?: string | URL
  readonly env?: Readonly<Record<string, string>>
  readonly execArgv?: readonly string[]
}

/** Pools with flags that are refused have no workers here. */
const noFlags: WorkerFlags = { preloads: [], exposeGc: false, sourceMaps: false }

export interface MethodCall {
  /** Rejects only when the worker or its node is gone. */
  readonly outcome: Promise<Outcome>
  /** Gives the task up; true when its abort listeners have cleaned up after it, within `timeoutMs`. */
  abort(timeoutMs: number): Promise<boolean>
}

export class HostedScript {
  readonly #worker: PinnedWorker
  readonly #flattening: Flattening

  constructor(worker: PinnedWorker, flattening: Flattening) {
    this.#worker = worker
    this.#flattening = flattening
  }

  /** What a worker that is to host `script` is acquired with. */
  static setUp(
    script: string | undefined,
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
    // What names no file is left to fail where the script would run, as in the original.
    const isFile = script !== undefined && (isAbsolute(script) || script.startsWith('file:'))
    return { initializer: loadScript, initargs: [script ?? null, settings, isFile ? carryModule(script) : null] }
  }

  call(method: string, params: readonly unknown[] | null | undefined, on: Listener | undefined): MethodCall {
    const heard = on === undefined ? undefined : { heard: (payload: unknown) => void on(payload) }
    let call: PinnedCall<StarmapAnswer> | undefined
    const send = (given: unknown): PinnedCall<StarmapAnswer> => {
      const items = [[method, given ?? null, on !== undefined]]
      return this.#worker.run<StarmapAnswer>(callMethod, [items], { name: method, mode: 'starmap', ...heard })
    }
    const run = async (): Promise<Outcome> => {
      try {
        call = send(params)
        if (!call.taken) {
          const flat = travelling(params, this.#flattening)
          if (flat !== params) {
            call.promise.catch(() => undefined)
            call = send(flat)
          }
        }
        const { values, failedAt, error } = await call.promise
        return failedAt < 0 ? { ok: true, value: values[0] } : { ok: false, error }
      } catch (error) {
        if (isSystemFailure(error)) throw error
        // A parameter or the result cannot travel.
        return { ok: false, error }
      }
    }
    const outcome = run()
    return {
      outcome,
      abort: async (timeoutMs) => {
        outcome.catch(() => undefined)
        if (call?.cancel() !== true) return false
        return within(this.#worker.run<boolean>(hasCleanedUp, []).promise, timeoutMs, false)
      },
    }
  }

  /** Runs the script's `onTerminate`; waits for it no longer than `timeoutMs`. */
  async sayGoodbye(timeoutMs: number): Promise<void> {
    await within(this.#worker.run<void>(runTerminationHandler, [0]).promise, timeoutMs, undefined)
  }
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
