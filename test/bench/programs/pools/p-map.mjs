import { burn, noop } from '../tasks.mjs'
import { leave } from './leave.mjs'

/** `from` is the package, so that the shim runs exactly what the original does. */
export async function open({ workers, from = 'p-map' }) {
  const { default: pMap } = await import(from)
  // One element a call: what is measured is a call of the mapper.
  return {
    noop: () => pMap([0], noop),
    burn: (iterations) => pMap([iterations], burn, { concurrency: workers }),
    close: () => leave(from),
  }
}
