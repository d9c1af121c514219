/** What two processes must agree on before they exchange a message. Raised with every incompatible change. */
export const protocolVersion: number = 1
/** The WebSocket subprotocol of `protocolVersion`. */
export const subprotocol: string = 'outpool.v1'
