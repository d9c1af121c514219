/** Plain requests to the one port of a node: the other side is node-http.ts. */
import { afterFairly, systemClock } from '../base/clock.ts'
import { AuthenticationError, ConnectionLostError, OutpoolError, RequestTimeoutError } from '../base/errors.ts'
import { environmentTls } from '../transport/tls-environment.ts'
import { shownToken } from '../transport/tokens.ts'
import type { TokenSource } from '../transport/tokens.ts'

export interface NodeAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export interface AskOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number
  /** Makes it a POST. */
  readonly body?: string
}

const askTimeoutMs = 10_000
/** More than any answer of a node has. */
const mostBytes = 16 * 1024 * 1024

/**
 * Asks for `path` of the node at `url` (`ws://host:port`). Rejects with ConnectionLostError when nobody is there,
 * AuthenticationError for a wrong token, RequestTimeoutError when it does not answer.
 */
export async function askNode(
  url: string,
  path: string,
  token: TokenSource,
  { timeoutMs = askTimeoutMs, body }: AskOptions = {},
): Promise<NodeAnswer> {
  const target = new URL(path, url.replace(/^ws/, 'http'))
  const trusted = environmentTls(target.href)
  const { request } = target.protocol === 'https:' ? await import('node:https') : await import('node:http')
  const answer = await new Promise<NodeAnswer>((resolve, reject) => {
    const headers = { authorization: `Bearer ${shownToken(token)}` }
    const method = body === undefined ? 'GET' : 'POST'
    const asking = request(target, { method, agent: false, headers, ...trusted }, (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        size += chunk.length
        if (size > mostBytes)
          response.destroy(new OutpoolError(`${url}${path} answers with more than ${mostBytes} bytes`))
      })
      response.on('error', reject)
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response
        resolve({ status, headers, body: Buffer.concat(chunks) })
      })
    })
    const late = (): void =>
      void asking.destroy(new RequestTimeoutError(`${url} did not answer ${path} within ${timeoutMs} ms`))
    const timer = afterFairly(systemClock, timeoutMs, late, true)
    asking.on('close', () => timer.cancel())
    asking.on('error', (cause) => {
      if (cause instanceof OutpoolError) return reject(cause)
      reject(new ConnectionLostError(`${url} cannot be asked for ${path}: ${cause.message}`, { cause }))
    })
    asking.end(body)
  })
  if (answer.status === 401)
    throw new AuthenticationError(`${url} refused the token; set OUTPOOL_TOKEN to that of the cluster`)
  return answer
}

/** As `askNode`, for what answers with JSON. Rejects with OutpoolError for any status but 200 and 503. */
export async function askNodeJson<T>(
  url: string,
  path: string,
  token: TokenSource,
  options: AskOptions = {},
): Promise<T> {
  const { status, body } = await askNode(url, path, token, options)
  if (status !== 200 && status !== 503)
    throw new OutpoolError(`${url} answers ${path} with status ${status}: ${body.toString('utf8').slice(0, 200)}`)
  return JSON.parse(body.toString('utf8')) as T
}
