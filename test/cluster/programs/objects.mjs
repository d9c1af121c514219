// Large values, in every way that they go.
import { init, put, remote, shutdown } from 'outpool'

await init({ numCpus: 2 })
const ends = remote((array) => {
  array[1] = 9
  return array[0] + array[array.length - 1] + array[1] - 9
})
const made = remote((length) => new Float64Array(length).fill(3))
const array = new Float64Array(1_000_000).fill(0.5)
const ref = await put(array)
const sums = [await ends.run(ref), await ends.run(array), await ends.run(ref)]
if (new Set(sums).size !== 1) throw new Error(String(sums))
const result = await made.run(1_000_000)
console.log(sums[0], result[5], (await ref.get()).length)
await shutdown()
