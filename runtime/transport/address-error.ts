/** What went wrong while connecting, as the user should see it. */
import { ConnectionLostError, OutpoolError, ProtocolError } from '../base/errors.ts'

export function silent(where: string, timeoutMs: number): ConnectionLostError {
  return new ConnectionLostError(
    `${where} did not answer the hello within ${timeoutMs} ms: its process is stopped or has too much to do, or is none of Outpool`,
  )
}

/** There was no connection at all. */
export function notConnected(where: string, cause: Error, hint: string = connectHint(cause)): ConnectionLostError {
  return new ConnectionLostError(`cannot connect to ${where}: ${hint}`, { cause, details: { address: where } })
}

/** Whether that is what a dialler got where there was no connection at all; else somebody took one and said nothing. */
export function isNotConnected(error: unknown): boolean {
  return error instanceof ConnectionLostError && typeof error.details['address'] === 'string'
}

/** What an HTTP answer tells that is none of Outpool's: who gave it, as far as it says so, and what to look at. */
export function otherHttp(status: number, server: string | readonly string[] | undefined, body: string): string {
  const start = body.replace(/\s+/g, ' ').trim().slice(0, 80)
  const from = typeof server !== 'string' ? '' : ` from ${server.slice(0, 40)}`
  const said = start === '' ? '' : `: ${JSON.stringify(start)}`
  return `an HTTP server answers there, which is no node of Outpool (status ${status}${from}${said}); ${checkAddress}, or let the proxy before it pass WebSockets`
}

/** The same of a WebSocket that was opened without the welcome of a node. */
export function otherWebSocket(): ProtocolError {
  return new ProtocolError(`a WebSocket server answers there, which is no node of Outpool; ${checkAddress}`)
}

const checkAddress = 'check host and port of the address, as outpool start prints it'

/** The error as the user should see it: its own class where it has one, with the address in the message. */
export function atAddress(error: unknown, where: string): Error {
  if (error instanceof ConnectionLostError && error.cause instanceof OutpoolError) return error.cause
  if (error instanceof OutpoolError) {
    if (!error.message.includes(where)) error.message = `${where}: ${error.message}`
    return error
  }
  const cause = error as Error
  if (cause.message.includes('subprotocol') || cause.message.includes('Sec-WebSocket'))
    return new ProtocolError(`${where}: ${cause.message}; is that an Outpool node?`, { cause })
  const { code } = cause as NodeJS.ErrnoException
  if (code?.startsWith('HPE_') === true)
    return new ConnectionLostError(
      `${where}: what answers there speaks no HTTP, so it is no node of Outpool (${cause.message}); ${checkAddress}`,
      { cause },
    )
  const isCut = code === 'ECONNRESET'
  const hint = isCut ? '; is that an Outpool node, and is its address not wss://, as with TLS?' : ''
  return new ConnectionLostError(`${where}: the handshake failed: ${cause.message}${hint}`, { cause })
}

/** Why there was no connection at all, and what to do about it. */
export function connectHint(cause: Error): string {
  const { code } = cause as NodeJS.ErrnoException
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused; nothing listens there. Is `outpool start` running, and is the address right?'
    case 'ENOENT':
      return 'there is no such socket; the process has ended'
    case 'ENOTFOUND':
      return 'the host name is unknown (ENOTFOUND); check the address'
    case 'EAI_AGAIN':
      return 'the host name could not be looked up now (EAI_AGAIN): no name server answers; see /etc/resolv.conf, or use an address'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `the machine cannot be reached from here (${code}); check address and network`
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has expired; start the node with a new one'
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `its certificate is not trusted (${cause.message}); name who signed it in OUTPOOL_TLS_CA, or for outpool start by --tls-ca`
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return 'what listens there speaks no TLS; use ws://, or start that node with --tls-cert and --tls-key'
    default:
      return cause.message
  }
}
