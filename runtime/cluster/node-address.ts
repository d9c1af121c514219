/** Addresses of clusters as people write them. */
import { OutpoolError } from '../base/errors.ts'
import { tlsRequired } from '../transport/tls-environment.ts'

export const defaultHeadPort: number = 7420

/**
 * `ws://host:port` or `wss://host:port` out of what was written: a URL, or `host[:port]`, which is `secure` where this
 * process must use TLS. Throws OutpoolError that says what is wrong.
 */
export function parseClusterAddress(text: string, secure: boolean = tlsRequired()): string {
  const written = text.trim()
  const full = written.includes('://') ? written : `${secure ? 'wss' : 'ws'}://${written}`
  let url: URL
  try {
    url = new URL(full)
  } catch (cause) {
    throw new OutpoolError(
      `${JSON.stringify(text)} is not an address; write ws://host:port or wss://host:port, as outpool start prints it`,
      {
        cause,
      },
    )
  }
  const { protocol } = url
  if ((protocol !== 'ws:' && protocol !== 'wss:') || url.hostname === '')
    throw new OutpoolError(`${text}: an address of a node begins with ws:// or wss://, as outpool start prints it`)
  if (url.username !== '' || url.password !== '' || url.search !== '' || (url.pathname !== '/' && url.pathname !== ''))
    throw new OutpoolError(`${text}: an address is ws://host:port and nothing more; the token comes from OUTPOOL_TOKEN`)
  // URL drops :80 of ws and :443 of wss, their defaults; no node listens there unless it was asked to.
  const [, usual] = /:(80|443)\/?$/.exec(written) ?? []
  const port = url.port !== '' ? url.port : (usual ?? String(defaultHeadPort))
  return `${protocol}//${url.hostname}:${port}`
}
