/** What Outpool itself brings into every worker of this program, before its tasks: registration, for one. */
import { portableUrl } from '../runtime/code/own-modules.ts'
import { childOptions } from '../runtime/node/child-settings.ts'

export interface WorkerPreload {
  /** A module of this package, as it travels. */
  readonly module: string
  readonly env: Readonly<Record<string, string>>
  /** Packages that it gives another meaning: they stay packages of their own when modules are packed. */
  readonly apart: readonly string[]
  /** What names it among the options of Node, which workers on this machine inherit. */
  readonly flag: RegExp
}

let preload: WorkerPreload | undefined

/** For workers that are asked for from now on. */
export function preloadInWorkers(url: string, rest: Omit<WorkerPreload, 'module'>): void {
  preload = { ...rest, module: portableUrl(url) }
}

/** `local`: the workers are children of this process, with its options. */
export function workerPreload(local: boolean): WorkerPreload | undefined {
  if (preload === undefined || !local) return preload
  const inherited = childOptions()
  return inherited.some((option) => preload?.flag.test(option)) ? undefined : preload
}
