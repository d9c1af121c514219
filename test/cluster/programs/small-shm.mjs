// More objects than /dev/shm has room for, all of them in memory.
import { statfsSync } from 'node:fs'
import { init, put, shutdown } from 'outpool'

const mebibyte = 1024 * 1024
const { blocks, bsize } = statfsSync('/dev/shm')
await init({ numCpus: 1, objectStoreMemory: 300 * mebibyte })
const refs = []
for (let i = 0; i < 6; i++) refs.push(await put(new Uint8Array(32 * mebibyte).fill(i)))
let bytes = 0
for (const [i, ref] of refs.entries()) {
  const value = await ref.get()
  if (value.every((byte) => byte === i)) bytes += value.length
}
console.log(`${(blocks * bsize) / mebibyte} MiB in /dev/shm, ${bytes / mebibyte} MiB of objects`)
await shutdown()
