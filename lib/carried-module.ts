/** Modules that a program names and a worker imports, wherever that is. */
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { RefTuple } from '../runtime/protocol/messages.ts'
import { packOf } from './carry.ts'
import { ensureRuntime } from './runtime.ts'
import type { RuntimeEnv } from './runtime-env.ts'

/** A module for a worker to import, wherever that is: plain data, to be passed as an argument. */
export interface CarriedModule {
  readonly url: string
  readonly pack: RefTuple | undefined
}

/** Packs the module of `file`, a path or a `file:` URL, where workers may not have it. */
export function carryModule(file: string | URL, runtimeEnv?: RuntimeEnv): CarriedModule {
  const url = isAbsolute(String(file)) ? pathToFileURL(String(file)).href : String(file)
  return { url, pack: packOf(ensureRuntime(), url, runtimeEnv) }
}

/** In a worker: where to import it from. Rejects with RuntimeEnvSetupError. */
export function locateModule({ url, pack }: CarriedModule): Promise<string> {
  return ensureRuntime().locate(url, pack)
}
