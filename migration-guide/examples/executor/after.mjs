import { asCompleted, ProcessPoolExecutor } from 'outpool/executor'

function primesBelow(limit) {
  const sieve = new Uint8Array(limit)
  for (let n = 2; n * n < limit; n++) {
    for (let multiple = n * n; multiple < limit; multiple += n) sieve[multiple] = 1
  }
  return sieve.subarray(2).filter((composite) => composite === 0).length
}

const limits = [10_000, 20_000, 30_000, 40_000]
const executor = new ProcessPoolExecutor(2)
const counts = []
for await (const count of executor.map(primesBelow, limits)) counts.push(count)
console.log(...counts)
const futures = limits.map((limit) => executor.submit(primesBelow, limit))
let sum = 0
for await (const future of asCompleted(futures)) sum += await future.result()
console.log(sum)
await executor.shutdown()
