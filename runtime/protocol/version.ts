/**
 * What two processes must agree on before they exchange a message. Raised with every change of what they tell each other,
 * in messages, values, functions or templates: test/unit/protocol/golden holds the bytes of this version, and fails when
 * they are others.
 */
export const protocolVersion: number = 2
/** The WebSocket subprotocol of `protocolVersion`. */
export const subprotocol: string = `outpool.v${protocolVersion}`
/** Paths at the port of a node that lead to a process begin with it. */
export const routesPath: string = `/v${protocolVersion}`
