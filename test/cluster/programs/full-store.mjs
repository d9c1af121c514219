/** Holds more than half of a store of 32 MiB, so that the results of two tasks find no room there, until it gets SIGUSR2. */
import { once } from 'node:events'
import { get, init, put, remote, shutdown } from 'outpool'

const mebibyte = 1024 * 1024
const local = process.env.OUTPOOL_ADDRESS === undefined

await init(local ? { numCpus: 2, objectStoreMemory: 32 * mebibyte } : {})
const large = remote((size) => new Uint8Array(size))

/** Nothing of it is held when this has returned. */
async function whileHeld() {
  let _held = await Promise.all(
    [await put(new Uint8Array(12 * mebibyte)), await put(new Uint8Array(10 * mebibyte))].map((ref) => get(ref)),
  )
  const results = [large.remote(14 * mebibyte), large.remote(15 * mebibyte)]
  const stays = setInterval(() => {}, 60_000)
  await once(process, 'SIGUSR2')
  clearInterval(stays)
  _held = undefined
  return results
}

const results = await whileHeld()
for (const ref of results.splice(0)) console.log((await ref.get()).length)
await shutdown()
