/** `forkOpts.execArgv`: what of it a worker on any node can have, and how it gets it. Parsing is pure. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import v8 from 'node:v8'
import vm from 'node:vm'

export interface WorkerFlags {
  /** Modules that are loaded before the script, as `--import` and `--require` name them. */
  readonly preloads: readonly string[]
  readonly exposeGc: boolean
  readonly sourceMaps: boolean
}

/** The flags, or the first option that only a process of one's own could have. */
export function parseExecArgv(execArgv: readonly string[]): WorkerFlags | { readonly refused: string } {
  const preloads: string[] = []
  let exposeGc = false
  let sourceMaps = false
  for (let i = 0; i < execArgv.length; i++) {
    const option = String(execArgv[i])
    const [name = '', value] = option.split(/=(.*)/s, 2)
    if (name === '--import' || name === '--require' || name === '-r') preloads.push(value ?? String(execArgv[++i]))
    else if (/^--expose[-_]gc$/.test(option)) exposeGc = true
    else if (option === '--enable-source-maps') sourceMaps = true
    else return { refused: name }
  }
  return { preloads, exposeGc, sourceMaps }
}

/** In a worker: as if it had been started with them. */
export async function applyFlags({ preloads, exposeGc, sourceMaps }: WorkerFlags): Promise<void> {
  if (exposeGc && globalThis.gc === undefined) {
    v8.setFlagsFromString('--expose-gc')
    globalThis.gc = vm.runInNewContext('gc') as typeof globalThis.gc
  }
  if (sourceMaps) process.setSourceMapsEnabled(true)
  for (const name of preloads) {
    // Names that lead to shims come with the settings of the pool.
    if (name !== 'outpool/register' && !isLoaded(name)) await import(resolveFromFolder(name))
  }
}

/** The worker was started with it already. */
function isLoaded(name: string): boolean {
  const options = [...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/), ...process.execArgv]
  return options.some((option) => option === name || option.endsWith(`=${name}`))
}

function resolveFromFolder(name: string): string {
  if (/^(?:file|data|node):/.test(name)) return name
  return pathToFileURL(createRequire(join(process.cwd(), '[outpool]')).resolve(name)).href
}
