/**
 * A transport and nothing else, the floor under every figure of this kind: processes on unix sockets, length-prefixed
 * batches of msgpackr arrays, one promise for each call; and a plain ping-pong of 32 bytes.
 */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BatchSocket } from './batch-socket.mjs'
import { serve, timed } from './serve.mjs'

const worker = fileURLToPath(new URL('./bare-transport-worker.mjs', import.meta.url))

async function setUp({ workers, warmCalls = 0 }) {
  const folder = mkdtempSync(join(tmpdir(), 'bare-'))
  const path = join(folder, 'socket')
  const sockets = []
  const server = createServer((socket) => sockets.push(socket))
  await new Promise((resolve) => server.listen(path, resolve))
  const children = [...Array(workers).fill('batches'), 'echo'].map((mode) => fork(worker, [path, mode]))
  const modes = await Promise.all(children.map((child) => new Promise((resolve) => child.once('message', resolve))))
  while (sockets.length < modes.length) await new Promise((resolve) => setTimeout(resolve, 5))
  // Each worker says what it is, once, as its first byte.
  const kinds = await Promise.all(
    sockets.map((socket) => new Promise((resolve) => socket.once('data', (byte) => resolve(byte.toString())))),
  )
  const echo = sockets[kinds.indexOf('e')]
  const waiting = new Map()
  const links = sockets
    .filter((socket) => socket !== echo)
    .map((socket) => new BatchSocket(socket, ([id, value]) => take(waiting, id)(value)))
  const state = { folder, server, children, echo, links, waiting, nextId: 0 }
  for (let i = 0; i < 2; i++) await flight(state, warmCalls)
  return state
}

function take(waiting, id) {
  const settle = waiting.get(id)
  waiting.delete(id)
  return settle
}

function flight(state, calls) {
  const { links, waiting } = state
  const results = new Array(calls)
  for (let i = 0; i < calls; i++) {
    const id = state.nextId++
    results[i] = new Promise((resolve) => waiting.set(id, resolve))
    links[i % links.length].send([id, 'noop', []])
  }
  return Promise.all(results)
}

await serve({
  setUp,
  operations: {
    async flight({ calls }, state) {
      await flight(state, Math.ceil(calls / 10))
      return (calls / (await timed(() => flight(state, calls)))) * 1000
    },
    async oneByOne({ calls }, { echo }) {
      const samples = []
      const ping = Buffer.alloc(32, 1)
      for (let i = 0; i < calls; i++) {
        const start = performance.now()
        await new Promise((resolve) => {
          echo.once('data', resolve)
          echo.write(ping)
        })
        samples.push(performance.now() - start)
      }
      return samples.slice(Math.floor(calls / 10))
    },
  },
  async tearDown({ folder, server, children, echo, links }) {
    for (const child of children) child.disconnect()
    echo.destroy()
    for (const link of links) link.socket.destroy()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  },
})
