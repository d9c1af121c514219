import { fileURLToPath } from 'node:url'
import { FixedClusterPool, FixedThreadPool } from 'poolifier'

const kinds = {
  cluster: [FixedClusterPool, './poolifier-cluster-worker.cjs'],
  thread: [FixedThreadPool, './poolifier-thread-worker.mjs'],
}

export async function open({ workers, kind }) {
  const [Pool, worker] = kinds[kind]
  const pool = new Pool(workers, fileURLToPath(new URL(worker, import.meta.url)), { errorHandler: console.error })
  return {
    noop: () => pool.execute(undefined, 'noop'),
    burn: (iterations) => pool.execute(iterations, 'burn'),
    ends: (array) => pool.execute(array, 'ends'),
    close: () => pool.destroy(),
  }
}
