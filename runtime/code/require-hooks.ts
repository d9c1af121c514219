/**
 * Files that `import()` refuses, and for which a loader has hooked `require` (`node -r ts-node/register`,
 * `-r @swc-node/register`): Node starts a main file of a CommonJS package by `require`, and that works there.
 */
import { Module, createRequire } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

const refusals: readonly unknown[] = [
  'ERR_UNKNOWN_FILE_EXTENSION',
  // What Node itself does not take of TypeScript, such as enums.
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
]

/** The file at `url`, where `import()` of it failed with `error` and a hook may read it; undefined otherwise. */
export function fileForRequire(url: string, error: unknown): string | undefined {
  if (!url.startsWith('file:') || !refusals.includes((error as { code?: unknown } | undefined)?.code)) return undefined
  const file = fileURLToPath(url)
  return isReadByRequire(file) ? file : undefined
}

/** Whether `require` has a reader for files with that ending: Node's own, or a hook. */
export function isReadByRequire(file: string): boolean {
  const { _extensions: readers } = Module as unknown as { readonly _extensions: object }
  return Object.hasOwn(readers, extname(file))
}

/** `import(url)`, or `require` of what only that can read. */
export async function importOrRequire(url: string): Promise<object> {
  try {
    return (await import(url)) as object
  } catch (error) {
    const file = fileForRequire(url, error)
    if (file === undefined) throw error
    return createRequire(url)(file) as object
  }
}
