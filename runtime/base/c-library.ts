/** The C library that this Node was built for. */
import { closeSync, openSync, readSync } from 'node:fs'

let known: string | undefined

/** `glibc` or `musl`, on Linux alone: there binaries for one do not run with the other. */
export function cLibrary(): string | undefined {
  if (process.platform === 'linux') known ??= namedByLoader()
  return known
}

/** Told by the loader that this very executable names; Node's report would ask the network for names first. */
function namedByLoader(): string {
  const head = Buffer.alloc(4096)
  try {
    const file = openSync(process.execPath, 'r')
    try {
      readSync(file, head, 0, head.length, 0)
    } finally {
      closeSync(file)
    }
  } catch {
    return 'glibc'
  }
  return head.includes('ld-musl') ? 'musl' : 'glibc'
}
