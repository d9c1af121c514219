import { burn, noop } from '../tasks.mjs'
import { leave } from './leave.mjs'

/** `from` is the package, so that the shim runs exactly what the original does. */
export async function open({ workers, from = 'p-queue' }) {
  const { default: PQueue } = await import(from)
  const queue = new PQueue({ concurrency: workers })
  return {
    noop: () => queue.add(noop),
    burn: (iterations) => queue.add(() => burn(iterations)),
    close: () => leave(from),
  }
}
