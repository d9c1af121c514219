/** What kind of machine this is, for files that were made for one kind. */
import { closeSync, openSync, readSync } from 'node:fs'

let known: string | undefined

/** Such as `linux-x64-glibc-node127`: system, processor, C library, and Node's binary interface. */
export function platformName(): string {
  known ??= [process.platform, process.arch, ...libc(), `node${process.versions.modules}`].join('-')
  return known
}

/** Told by the loader that this very executable names; Node's report would ask the network for names first. */
function libc(): string[] {
  if (process.platform !== 'linux') return []
  const head = Buffer.alloc(4096)
  try {
    const file = openSync(process.execPath, 'r')
    try {
      readSync(file, head, 0, head.length, 0)
    } finally {
      closeSync(file)
    }
  } catch {
    return ['glibc']
  }
  return [head.includes('ld-musl') ? 'musl' : 'glibc']
}
