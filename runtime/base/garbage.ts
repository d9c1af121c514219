/** Collecting garbage on request. Node offers it only when it is started with `--expose-gc`; the flag may be set later, too. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collector: (() => void) | undefined

/** A full collection; it stops the process for some milliseconds, for longer the larger its heap is. */
export function collectGarbage(): void {
  if (collector === undefined) {
    setFlagsFromString('--expose-gc')
    collector = runInNewContext('gc') as () => void
  }
  collector()
}
