import { burn, noop } from '../tasks.mjs'
import { leave } from './leave.mjs'

/** `from` is the package, so that the shim runs exactly what the original does. */
export async function open({ workers, from = 'p-limit' }) {
  const { default: pLimit } = await import(from)
  const limit = pLimit(workers)
  return {
    noop: () => limit(noop),
    burn: (iterations) => limit(burn, iterations),
    close: () => leave(from),
  }
}
