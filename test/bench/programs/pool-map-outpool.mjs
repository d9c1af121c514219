import { Pool } from 'outpool/multiprocessing'
import { shutdown } from 'outpool'
import { serve, timed } from './serve.mjs'

const square = (x) => x * x

async function mapped(pool, numbers) {
  const results = await pool.map(square, numbers)
  const last = numbers.length - 1
  if (results.length !== numbers.length || results[last] !== last * last) throw new Error('the results are wrong')
}

await serve({
  async setUp({ workers, items }) {
    const pool = new Pool(workers)
    const numbers = Array.from({ length: items }, (_, i) => i)
    await mapped(pool, numbers)
    return { pool, numbers }
  },
  operations: {
    async map(_parameters, { pool, numbers }) {
      return (numbers.length / (await timed(() => mapped(pool, numbers)))) * 1000
    },
  },
  async tearDown({ pool }) {
    await pool.terminate()
    await shutdown()
  },
})
