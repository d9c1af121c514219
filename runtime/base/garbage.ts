/** Collecting garbage on request. Node offers it only when it is started with `--expose-gc`; the flag may be set later, too. */

let collector: (() => void) | undefined

/** A full collection; it stops the process for some milliseconds, for longer the larger its heap is. */
export function collectGarbage(): void {
  if (collector === undefined) {
    // Loaded when it is needed: a worker starts without it.
    process.getBuiltinModule('node:v8').setFlagsFromString('--expose-gc')
    collector = process.getBuiltinModule('node:vm').runInNewContext('gc') as () => void
  }
  collector()
}
