/** What went wrong while connecting, as the user should see it. */
import { ConnectionLostError, OutpoolError, ProtocolError } from '../base/errors.ts'

export function silent(where: string, timeoutMs: number): ConnectionLostError {
  return new ConnectionLostError(
    `${where} did not answer the hello within ${timeoutMs} ms; is that an Outpool process?`,
  )
}

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
  return new ConnectionLostError(`${where}: the handshake failed: ${cause.message}`, { cause })
}
