/** Turns a definition into a function that can be called, in the process that runs it. */
import { RuntimeEnvSetupError } from '../base/errors.ts'
import type { RefTuple } from '../protocol/messages.ts'
import type { FunctionDefinition } from './definition.ts'
import { evaluateSource, type LoadedFunction } from './evaluate-source.ts'
import { importExport } from './import-export.ts'

export type { LoadedFunction } from './evaluate-source.ts'

/** Where a module is here: a URL to import. Given the object that says how a packed one is made. */
export type LocateModule = (url: string, pack: RefTuple | undefined) => Promise<string>

const asItIs: LocateModule = (url) => Promise.resolve(url)

const loaded = new Map<string, Promise<LoadedFunction>>()

/**
 * The function of `def`, loaded once per process; calls at the same time share one load. What failed is tried again at
 * the next call.
 *
 * Rejects with RuntimeEnvSetupError, which names the function, its module and export, and has the `cause`.
 */
export function loadFunction(def: FunctionDefinition, locate: LocateModule = asItIs): Promise<LoadedFunction> {
  const known = loaded.get(def.id)
  if (known !== undefined) return known
  const loading = load(def, locate)
  loaded.set(def.id, loading)
  loading.catch(() => loaded.delete(def.id))
  return loading
}

async function load({ id, name, source }: FunctionDefinition, locate: LocateModule): Promise<LoadedFunction> {
  const kind: string = source.kind
  switch (source.kind) {
    case 'module':
      return importExport(await locate(source.url, source.pack), source.exportName, source.url)
    case 'closure':
      // What is called comes with the call.
      return () => undefined
    case 'source':
      return evaluateSource(source.text, source.name)
    default:
      throw new RuntimeEnvSetupError(
        `function ${name} is of the kind '${kind}', which this worker cannot load. Run the same version of outpool everywhere.`,
        { details: { function: name, id } },
      )
  }
}
