/** Addresses of clusters as people write them. */
import { OutpoolError } from '../base/errors.ts'
import { tlsRequired } from '../transport/tls-environment.ts'

export const defaultHeadPort: number = 7420

/**
 * What was taken for an address, as messages may repeat it: who writes a password or the token into one, which is refused,
 * finds neither in a log.
 */
export function withoutSecrets(text: string): string {
  const [, scheme = '', rest = ''] = /^([a-z][\w+.-]*:\/\/)?(.*)$/is.exec(text) ?? []
  const [, user, place = '', more = ''] = /^(.*@)?([^?#]*)(.*)$/s.exec(rest) ?? []
  // It may be either that has the other's sign.
  if (user !== undefined && /[?#]/.test(user)) return `${scheme}***`
  return `${scheme}${user === undefined ? '' : '***@'}${place}${more === '' ? '' : `${more.slice(0, 1)}***`}`
}

/**
 * `ws://host:port` or `wss://host:port` out of what was written: a URL, or `host[:port]`, which is `secure` where this
 * process must use TLS. Throws OutpoolError that says what is wrong.
 */
export function parseClusterAddress(text: string, secure: boolean = tlsRequired()): string {
  const written = text.trim()
  const full = written.includes('://') ? written : `${secure ? 'wss' : 'ws'}://${written}`
  const shown = withoutSecrets(written)
  let url: URL
  try {
    url = new URL(full)
  } catch {
    // The error of URL says nothing more, and has all of the text.
    throw new OutpoolError(
      `${JSON.stringify(shown)} is not an address; write ws://host:port or wss://host:port, as outpool start prints it`,
    )
  }
  const { protocol } = url
  if ((protocol !== 'ws:' && protocol !== 'wss:') || url.hostname === '')
    throw new OutpoolError(`${shown}: an address of a node begins with ws:// or wss://, as outpool start prints it`)
  const { username, password, search, hash, pathname } = url
  if (username + password + search + hash !== '' || (pathname !== '/' && pathname !== ''))
    throw new OutpoolError(
      `${shown}: an address is ws://host:port and nothing more; the token comes from OUTPOOL_TOKEN`,
    )
  // URL drops :80 of ws and :443 of wss, their defaults; no node listens there unless it was asked to.
  const [, usual] = /:(80|443)\/?$/.exec(written) ?? []
  const port = url.port !== '' ? url.port : (usual ?? String(defaultHeadPort))
  return `${protocol}//${url.hostname}:${port}`
}
