import { burn, noop } from '../tasks.mjs'
import { leave } from './leave.mjs'

/**
 * `from` is the package, so that the shim runs exactly what the original does. `fresh`: each call brings a new function,
 * as calls do that are written in place.
 */
export async function open({ workers, from = 'p-limit', fresh = false }) {
  const { default: pLimit } = await import(from)
  const limit = pLimit(workers)
  return {
    noop: fresh ? () => limit(() => undefined) : () => limit(noop),
    burn: (iterations) => limit(burn, iterations),
    close: () => leave(from),
  }
}
