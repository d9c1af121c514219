import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('./workerpool-worker.mjs', import.meta.url))

/**
 * `from` is the package, so that the shim runs exactly what the original does. By default its processes get JSON, which
 * loses a typed array.
 */
export async function open({ workers, workerType, serialization, from = 'workerpool' }) {
  const { default: workerpool } = await import(from)
  const forkOpts = serialization && { serialization }
  const pool = workerpool.pool(script, { workerType, minWorkers: workers, maxWorkers: workers, forkOpts })
  return {
    noop: () => pool.exec('noop'),
    burn: (iterations) => pool.exec('burn', [iterations]),
    timedBurn: (iterations) => pool.exec('timedBurn', [iterations]),
    ends: (array) => pool.exec('ends', [array]),
    close: () => pool.terminate(),
  }
}
