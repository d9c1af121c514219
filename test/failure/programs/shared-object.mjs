/**
 * One large value, read by many workers at once, each of which keeps what it got; then some write into it. Options:
 * bytes, workers.
 */
import { readFileSync } from 'node:fs'
import { get, init, put, remote, shutdown } from 'outpool'
import { end, options, say } from './report.mjs'

const { bytes, workers } = options
await init()

const pidAfter = remote(async (ms, warm) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return warm.length > 0 ? process.pid : 0
})
/** Keeps what it got for as long as its process lives, and tells the sum of one number of each page. */
const keep = remote((array) => {
  ;(globalThis.kept ??= []).push(array)
  let sum = 0
  for (let i = 0; i < array.length; i += 512) sum += array[i]
  return { sum, pid: process.pid }
})
/** Writes into one page of 16, and tells what it saw before and what it sees then. */
const spoil = remote((array) => {
  const seen = new Set()
  for (let i = 0; i < array.length; i += 512 * 16) {
    seen.add(array[i])
    array[i] = -1
  }
  return [[...seen], array[0]]
})

/** Memory of these processes, their share of what others use as well, in bytes. */
function shareOf(pids) {
  let sum = 0
  for (const pid of pids)
    sum += Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024
  return sum
}

const ref = await put(new Float64Array(bytes / 8).fill(1))
const warm = await put(new Uint8Array(200_000).fill(1))
const pids = new Set()
while (pids.size < workers)
  for (const pid of await get(Array.from({ length: workers }, () => pidAfter.remote(300, warm)))) pids.add(pid)
const before = shareOf(pids)
const sums = new Set()
const kept = new Set()
while (kept.size < workers)
  for (const { sum, pid } of await get(Array.from({ length: workers }, () => keep.remote(ref)))) {
    sums.add(sum)
    kept.add(pid)
  }
const grownBytes = shareOf(pids) - before
await say('shared', { grownBytes, readers: kept.size, sums: [...sums], pages: bytes / 8 / 512 })

const spoiled = new Set()
for (let i = 0; i < 2 * workers; i++) spoiled.add(JSON.stringify(await spoil.run(ref)))
const own = await ref.get()
own.fill(7, 0, 1_000)
const second = await ref.get()
await say('spoiled', { seen: [...spoiled], first: own[0], second: second[0] })
await shutdown()
await end({})
