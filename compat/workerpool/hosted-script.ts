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
import type { HostSettings, MethodAnswer } from './script-host.ts'

const host = new URL('./script-host.js', import.meta.url)
const loadScript = moduleFunction(host, 'loadScript')
const callMethod = moduleFunction(host, 'callMethod')
const hasCleanedUp = moduleFunction(host, 'hasCleanedUp')
const runTerminationHandler = moduleFunction(host, 'runTerminationHandler')

type Listener = (payload: unknown) => unknown

/** Who waits for a call. One of the two is called, once. */
export interface CallReader {
  /** It ended well, or not: then `value` is what it threw, or why a parameter or the result cannot travel. */
  answered(ok: boolean, value: unknown): void
  /** The worker or its node is gone. */
  lost(error: unknown): void
}

interface ForkOptions {
  readonly cwd?: string | URL
  readonly env?: Readonly<Record<string, string>>
  readonly execArgv?: readonly string[]
}

/** Pools with flags that are refused have no workers here. */
const noFlags: WorkerFlags = { preloads: [], exposeGc: false, sourceMaps: false }

export interface MethodCall {
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

  call(
    method: string,
    params: readonly unknown[] | null | undefined,
    on: Listener | undefined,
    reader: CallReader,
  ): MethodCall {
    let call = this.#send(method, params, on)
    if (!call.taken) {
      const flat = travelling(params, this.#flattening)
      if (flat !== params) {
        call.promise.catch(() => undefined)
        call = this.#send(method, flat, on)
      }
    }
    call.promise.then(
      (answer) => {
        if (answer.length === 1) reader.answered(true, answer[0])
        else reader.answered(false, answer[1])
      },
      (error: unknown) => {
        if (isSystemFailure(error)) reader.lost(error)
        else reader.answered(false, error)
      },
    )
    return {
      abort: async (timeoutMs) => {
        if (!call.cancel()) return false
        return within(this.#worker.run<boolean>(hasCleanedUp, []).promise, timeoutMs, false)
      },
    }
  }

  #send(method: string, params: unknown, on: Listener | undefined): PinnedCall<MethodAnswer> {
    const options = { name: method, ...(on !== undefined && { heard: (payload: unknown) => void on(payload) }) }
    return this.#worker.run<MethodAnswer>(callMethod, [method, params ?? null, on !== undefined], options)
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

/** The value, or `otherwise` when it does not come in time or not at all. */
async function within<V>(promise: Promise<V>, timeoutMs: number, otherwise: V): Promise<V> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<V>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, otherwise)
  })
  const settled = promise.catch(() => otherwise)
  return Promise.race([settled, late]).finally(() => clearTimeout(timer))
}
