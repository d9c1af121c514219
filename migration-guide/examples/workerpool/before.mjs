import { fileURLToPath } from 'node:url'
import workerpool from 'workerpool'

const pool = workerpool.pool(fileURLToPath(new URL('worker.mjs', import.meta.url)), { maxWorkers: 2 })

const seen = []
const sum = await pool.exec('sumOfSquares', [1000], { on: (progress) => seen.push(progress) })
console.log(sum, seen)

const proxy = await pool.proxy()
console.log(await proxy.sumOfSquares(10))

const slow = pool.exec('sleep', [60_000]).timeout(100)
await slow.catch((error) => console.log(error instanceof workerpool.Promise.TimeoutError))

console.log(await pool.exec((a, b) => a * b, [6, 7]))
await pool.terminate()
