/** What a worker process runs. */
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** With the extension of this file: the sources run under a loader, which the workers inherit. */
export function workerEntry(): string {
  return fileURLToPath(new URL(`../worker/entry${extname(import.meta.url)}`, import.meta.url))
}
