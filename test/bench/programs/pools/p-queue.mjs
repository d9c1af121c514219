import { burn, noop } from '../tasks.mjs'
import { leave } from './leave.mjs'

/**
 * `from` is the package, so that the shim runs exactly what the original does. `fresh`: each call brings a new function,
 * as calls do that are written in place.
 */
export async function open({ workers, from = 'p-queue', fresh = false }) {
  const { default: PQueue } = await import(from)
  const queue = new PQueue({ concurrency: workers })
  return {
    noop: fresh ? () => queue.add(() => undefined) : () => queue.add(noop),
    burn: (iterations) => queue.add(() => burn(iterations)),
    close: () => leave(from),
  }
}
