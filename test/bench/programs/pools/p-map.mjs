import { burn, noop } from '../tasks.mjs'
import { leave } from './leave.mjs'

/**
 * `from` is the package, so that the shim runs exactly what the original does. `fresh`: each call brings a new function,
 * as calls do that are written in place.
 */
export async function open({ workers, from = 'p-map', fresh = false }) {
  const { default: pMap } = await import(from)
  // One element a call: what is measured is a call of the mapper.
  return {
    noop: fresh ? () => pMap([0], () => undefined) : () => pMap([0], noop),
    burn: (iterations) => pMap([iterations], burn, { concurrency: workers }),
    close: () => leave(from),
  }
}
