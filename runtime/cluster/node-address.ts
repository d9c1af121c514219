/** Addresses of clusters as people write them. */
import { OutpoolError } from '../base/errors.ts'

export const defaultHeadPort: number = 7420

/** `ws://host:port` out of what was written: a URL, or `host[:port]`. Throws OutpoolError that says what is wrong. */
export function parseClusterAddress(text: string): string {
  const written = text.trim()
  const full = written.includes('://') ? written : `ws://${written}`
  let url: URL
  try {
    url = new URL(full)
  } catch (cause) {
    throw new OutpoolError(
      `${JSON.stringify(text)} is not an address; write ws://host:port, as outpool start prints it`,
      {
        cause,
      },
    )
  }
  if (url.protocol === 'wss:')
    throw new OutpoolError(
      `${text}: wss:// is not supported yet; nodes speak ws://, so keep them in a network that you trust, or in a tunnel`,
    )
  if (url.protocol !== 'ws:' || url.hostname === '')
    throw new OutpoolError(`${text}: an address of a node begins with ws://, as outpool start prints it`)
  if (url.username !== '' || url.password !== '' || url.search !== '' || (url.pathname !== '/' && url.pathname !== ''))
    throw new OutpoolError(`${text}: an address is ws://host:port and nothing more; the token comes from OUTPOOL_TOKEN`)
  // URL drops :80, the default of ws; no node listens there unless it was asked to.
  const port = url.port !== '' ? url.port : /:80$/.test(written.replace(/\/$/, '')) ? '80' : String(defaultHeadPort)
  return `ws://${url.hostname}:${port}`
}
