/** Connections to a node's port of those who have no business there, while a job runs. */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import { routesPath, subprotocol } from '../../../runtime/protocol/version.ts'
import type { FailureCluster } from '../support.ts'
import { underLoad } from './under-load.ts'
import type { LoadOutcomes } from './under-load.ts'

export interface UninvitedOptions {
  /** Connections that say nothing, all at once. */
  readonly silent: number
  /** Bytes of what comes as a first frame. */
  readonly floodBytes: number
}

export interface Answer {
  readonly what: string
  /** The first line of what the port said; '' when it only hung up. */
  readonly said: string
}

export interface Uninvited {
  readonly answers: readonly Answer[]
  /** Lines of the attacked node's log about refusals. */
  readonly refusals: readonly string[]
  /** Resident memory of the attacked node manager, in bytes. */
  readonly rssBefore: number
  readonly rssMost: number
  readonly outcomes: LoadOutcomes
  readonly left: Readonly<Record<string, number>>
}

const mebibyte = 1024 * 1024
const samplePeriodMs = 20
const waveSize = 250
const wavePauseMs = 20
const silenceMs = 12_000

export async function sendUninvited(cluster: FailureCluster, options: UninvitedOptions): Promise<Uninvited> {
  const load = { leastMs: 5, mostMs: 25, cpusPerNode: 2, more: 1, maxRetries: 0 }
  const work = await underLoad(cluster, load)
  const [, home] = work.named
  await work.more(200)
  const rssBefore = residentBytes(home.pid)
  const memory = sampleMemory(home.pid)
  const answers = await speakWrongly(cluster, home, options.floodBytes)
  answers.push(...(await saySilently(home, options.silent)))
  await work.more(100)
  const rssMost = memory.stop()
  const outcomes = await work.enough()
  const refusals = cluster
    .logOf(home)
    .split('\n')
    .filter((line) => line.includes(' refused '))
  return { answers, refusals, rssBefore, rssMost, outcomes, left: await work.leave() }
}

/** What the port says first to an upgrade without a token, under that name. */
export function knock(port: number, host: string): Promise<string> {
  const head = `GET ${routesPath}/process/any HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
  return exchange(port, Buffer.from(head))
}

/** Each of them by itself; the slow one meanwhile. */
async function speakWrongly(cluster: FailureCluster, node: DaemonFacts, floodBytes: number): Promise<Answer[]> {
  const { port, host } = new URL(node.url)
  const say = async (what: string, text: string): Promise<Answer> => ({
    what,
    said: await exchange(Number(port), Buffer.from(text)),
  })
  const slow = trickle(Number(port))
  const right = `Authorization: Bearer ${cluster.token}\r\n`
  const request = (headers: string, shown = host, path = `${routesPath}/process/any`): string =>
    `GET ${path} HTTP/1.1\r\nHost: ${shown}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n` +
    `Sec-WebSocket-Protocol: ${subprotocol}\r\n${headers}\r\n`
  return [
    await say('no token', request('')),
    await say('a wrong token', request('Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n')),
    await say('a foreign Origin', request(`${right}Origin: https://elsewhere.example\r\n`)),
    await say('a wrong Host', request(right, 'elsewhere.example')),
    await say('another protocol version', request(right, host, '/v99/process/any')),
    await say('garbage', '\u0000\u0001\u0002 garbage\r\n\r\n'),
    { what: 'a first frame of zeros', said: await exchange(Number(port), Buffer.alloc(mebibyte), floodBytes) },
    {
      what: 'a header without end',
      said: await exchange(
        Number(port),
        Buffer.concat([Buffer.from('GET / HTTP/1.1\r\nX: '), Buffer.alloc(mebibyte, 'x')]),
        floodBytes,
      ),
    },
    { what: 'a request byte by byte', said: await slow },
  ]
}

/** Sends the bytes, again and again up to `total`, for as long as the other side takes them; what it said first. */
async function exchange(port: number, bytes: Buffer, total: number = bytes.length): Promise<string> {
  const socket = open(port)
  const heard = firstLine(socket)
  let sent = 0
  while (sent < total && !socket.destroyed) {
    sent += bytes.length
    if (!socket.write(bytes)) await drained(socket)
  }
  const said = await heard
  socket.destroy()
  return said
}

/** Resolves when the socket takes more, or is gone. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done)
      resolve()
    }
    socket.on('drain', done).on('close', done)
    if (socket.destroyed) done()
  })
}

async function trickle(port: number): Promise<string> {
  const socket = open(port)
  const heard = firstLine(socket)
  const over = heard.then(() => true)
  const text = `GET ${routesPath}/process/any HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(10_000)}`
  for (const character of text) {
    if (socket.destroyed) break
    socket.write(character)
    if (await Promise.race([over, sleep(100).then(() => false)])) break
  }
  const said = await heard
  socket.destroy()
  return said
}

/**
 * Says nothing until the port has hung up. Where so many come at once that the kernel forgets some before the port saw
 * them, these never hear anything: they are given up after a while.
 */
export async function saySilently(node: DaemonFacts, count: number): Promise<Answer[]> {
  const port = Number(new URL(node.url).port)
  const sockets: Socket[] = []
  const said: Promise<string>[] = []
  while (sockets.length < count) {
    const wave = Array.from({ length: Math.min(waveSize, count - sockets.length) }, () => open(port))
    sockets.push(...wave)
    said.push(...wave.map(firstLine))
    await sleep(wavePauseMs)
  }
  const giveUp = setTimeout(() => sockets.forEach((socket) => socket.destroy()), silenceMs)
  const lines = await Promise.all(said)
  clearTimeout(giveUp)
  const times = new Map<string, number>()
  for (const line of lines) times.set(line, (times.get(line) ?? 0) + 1)
  return [...times].map(([line, number]) => ({ what: `silence, ${number} times`, said: line }))
}

function open(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  return socket
}

function firstLine(socket: Socket): Promise<string> {
  let text = ''
  return new Promise((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      if (text.length < 1_000) text += chunk.toString('latin1')
      if (text.includes('\r\n')) resolve(text.slice(0, text.indexOf('\r\n')))
    })
    socket.on('close', () => resolve(text.split('\r\n')[0] ?? ''))
  })
}

export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
}

export function sampleMemory(pid: number): { stop(): number } {
  let most = residentBytes(pid)
  const timer = setInterval(() => {
    try {
      most = Math.max(most, residentBytes(pid))
    } catch {
      // A test that failed has ended the process.
      clearInterval(timer)
    }
  }, samplePeriodMs)
  return {
    stop() {
      clearInterval(timer)
      return Math.max(most, residentBytes(pid))
    },
  }
}
