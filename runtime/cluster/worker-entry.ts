/** What a worker process runs. */
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * With the extension of this file: the sources run under a loader, which the workers inherit. The build makes a CommonJS
 * script of it, for which Node does not load what ES modules take.
 */
export function workerEntry(): string {
  const extension = extname(import.meta.url)
  return fileURLToPath(new URL(`../worker/entry${extension === '.js' ? '.cjs' : extension}`, import.meta.url))
}
