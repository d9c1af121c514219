import PQueue from 'outpool/p-queue'

const queue = new PQueue({ concurrency: 4 })

function primesBelow(limit) {
  const sieve = new Uint8Array(limit)
  for (let n = 2; n * n < limit; n++) {
    for (let multiple = n * n; multiple < limit; multiple += n) sieve[multiple] = 1
  }
  return sieve.subarray(2).filter((composite) => composite === 0).length
}

let done = 0
const counts = await queue.addAll(
  [10_000, 20_000, 30_000, 40_000].map((limit) => async () => {
    const count = await queue.add(() => primesBelow(limit), { priority: 1 })
    done++
    return count
  }),
)
console.log(counts, done)
await queue.onIdle()
