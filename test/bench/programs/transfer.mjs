/**
 * An object of this size from one node's arena to another's, over the machine's own network, as the node managers do
 * it: here is the receiving side, a process of its own has the object (transfer-holder.mjs). Beside it the same bytes
 * over plain TCP, collected from 'data' events and joined. Also told: the longest time for which the receiver's loop
 * stood still.
 */
import { fork } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { register } from 'tsx/esm/api'
import { serve } from './serve.mjs'

// Parts of the runtime that the built package does not show.
register()
const runtime = new URL('../../../runtime/', import.meta.url)
const load = (path) => import(new URL(path, runtime))

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
const schedule = existsSync('/proc/thread-self/schedstat') ? openSync('/proc/thread-self/schedstat', 'r') : -1
const settleMs = 300
const scheduleBytes = Buffer.alloc(100)

/** Milliseconds for which this thread has had a CPU; NaN where the system does not tell. */
function ranMs() {
  if (schedule < 0) return NaN
  const length = readSync(schedule, scheduleBytes, 0, scheduleBytes.length, 0)
  return Number.parseInt(scheduleBytes.latin1Slice(0, length), 10) / 1e6
}

/**
 * Milliseconds of `work`, the longest pause of this loop meanwhile, and the longest turn in CPU time: what it was busy
 * itself, without the time for which others had the CPU.
 */
async function watched(work) {
  // What was measured before leaves a GiB behind, whose pages another thread takes a tenth of a second to give back.
  collectGarbage()
  await sleep(settleMs)
  let last = performance.now()
  let ran = ranMs()
  let longest = 0
  let busiest = 0
  let over = false
  const look = () => {
    const now = performance.now()
    const nowRan = ranMs()
    longest = Math.max(longest, now - last)
    busiest = Math.max(busiest, nowRan - ran)
    last = now
    ran = nowRan
    if (!over) setImmediate(look)
  }
  setImmediate(look)
  const start = performance.now()
  await work()
  const ms = performance.now() - start
  over = true
  return { ms, longest, busiest }
}

function collected(port) {
  return new Promise((resolve, reject) => {
    const chunks = []
    const socket = connect(port, '127.0.0.1')
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('end', () => resolve(Buffer.concat(chunks)))
  })
}

await serve({
  async setUp({ sizeBytes }) {
    const [{ chooseStore }, { ObjectPuller }, { openBulk }, { newProcessId }, { systemClock }] = await Promise.all(
      ['objects/store-choice.ts', 'node/transfer.ts', 'transport/dial.ts', 'base/ids.ts', 'base/clock.ts'].map(load),
    )
    const folder = mkdtempSync(join(tmpdir(), 'transfer-'))
    const node = newProcessId()
    const host = await chooseStore({
      folder,
      node,
      clock: systemClock,
      options: { memoryBytes: sizeBytes * 2 },
      warn: (text) => {
        throw new Error(text)
      },
    })
    const child = fork(fileURLToPath(new URL('./transfer-holder.mjs', import.meta.url)), [String(sizeBytes)])
    const holder = await new Promise((resolve) => child.once('message', resolve))
    const from = { kind: 'node', node, process: node }
    const to = { node: holder.node, process: holder.node }
    const puller = new ObjectPuller({
      store: host.store,
      clock: systemClock,
      open: () => openBulk({ address: { url: holder.url }, to, from, token: holder.token }),
    })
    // The loader of the sources compiles what is imported at the first pull; a node manager has it compiled.
    const [smallKey, smallBytes] = holder.small
    await puller.pull(smallKey, smallBytes, [[holder.node, holder.node]])
    await host.store.delete(smallKey)
    return { host, puller, holder, child, folder }
  },
  operations: {
    async pull({ sizeBytes }, { host, puller, holder: { key, node } }) {
      const result = await watched(() => puller.pull(key, sizeBytes, [[node, node]]))
      const reading = await host.store.open(key)
      const [first] = await reading.read(reading.sizeBytes - 1, 1)
      reading.close()
      if (first !== 7) throw new Error('the object did not arrive as it was')
      await host.store.delete(key)
      return result
    },
    async collect({ sizeBytes }, { holder }) {
      let bytes
      const result = await watched(async () => (bytes = await collected(holder.plainPort)))
      if (bytes.length !== sizeBytes || bytes.at(-1) !== 7) throw new Error('the bytes did not arrive as they were')
      return result
    },
  },
  async tearDown({ host, puller, child, folder }) {
    puller.close()
    child.disconnect()
    await host.close()
    rmSync(folder, { recursive: true, force: true })
  },
})
