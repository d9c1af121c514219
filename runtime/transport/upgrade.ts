/** Turning an HTTP connection to a node's port into a plain byte stream. */
import type { Duplex } from 'node:stream'
import { afterFairly, systemClock } from '../base/clock.ts'
import { ProtocolError } from '../base/errors.ts'
import { dialTimeoutMs } from '../base/limits.ts'
import { parseRefusal, refusalError } from './hello.ts'
import type { RefusalCode } from './hello.ts'
import { readHead } from './read-head.ts'
import { connectTo } from './splice.ts'
import type { ClientTls } from './splice.ts'

const maxAnswerBytes = 8 * 1024

/** What each refusal is in HTTP. */
export const httpStatus: Readonly<Record<RefusalCode, number>> = {
  authentication: 401,
  origin: 403,
  rejected: 403,
  'not-found': 404,
  gone: 404,
  unreachable: 504,
  timeout: 408,
  host: 421,
  'protocol-version': 426,
  malformed: 400,
  'too-large': 431,
  busy: 503,
}

/** The refusal behind a status, for answers that say nothing else. */
export function refusalOfStatus(status: number): RefusalCode {
  for (const [code, number] of Object.entries(httpStatus)) if (number === status) return code as RefusalCode
  return 'rejected'
}

export interface RawUpgrade {
  readonly url: string
  readonly path: string
  /** `outpool-raw`: a hello follows. `outpool-back`: the other side speaks first. */
  readonly protocol: 'outpool-raw' | 'outpool-back'
  readonly token: string
  readonly timeoutMs?: number
  readonly tls?: ClientTls
}

/** Resolves with the paused byte stream behind the upgrade. Rejects with what the refusal stands for. */
export async function upgradeRaw(options: RawUpgrade): Promise<Duplex> {
  const { url, tls, timeoutMs = dialTimeoutMs } = options
  const socket = await connectTo({ url }, { timeoutMs, ...(tls && { tls }) })
  socket.write(upgradeRequest(options))
  const late = (): void => void socket.destroy(new Error(`no answer within ${timeoutMs} ms`))
  const timer = afterFairly(systemClock, timeoutMs, late, true)
  try {
    await readHead(socket, (bytes) => parseAnswer(bytes, url))
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    timer.cancel()
  }
}

export function upgradeRequest({ url, path, protocol, token }: RawUpgrade): string {
  const head = `GET ${path} HTTP/1.1\r\nHost: ${new URL(url).host}\r\nConnection: Upgrade\r\n`
  return `${head}Upgrade: ${protocol}\r\nAuthorization: Bearer ${token}\r\n\r\n`
}

/** The answer to an upgrade, when it is complete. Throws what a refusal stands for, or ProtocolError. */
export function parseAnswer(bytes: Buffer, url: string): { used: number } | undefined {
  const text = bytes.toString('latin1', 0, maxAnswerBytes)
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) {
    if (bytes.length > maxAnswerBytes) throw new ProtocolError(`what answers at ${url} is not an Outpool node`)
    return undefined
  }
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
  if (status === 101) return { used: headEnd + 4 }
  if (status === 0) throw new ProtocolError(`what answers at ${url} does not speak HTTP`)
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd + 2))?.[1] ?? 0)
  const bodyEnd = headEnd + 4 + Math.min(length, maxAnswerBytes)
  if (bytes.length < bodyEnd) return undefined
  throw refusalError(parseRefusal(bytes.toString('utf8', headEnd + 4, bodyEnd), refusalOfStatus(status)))
}
