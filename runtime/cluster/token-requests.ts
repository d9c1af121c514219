/** Tokens by request at a node's port: what the node has now, told as fingerprints, and what it shall have from now on. */
import { createHmac } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { OutpoolError } from '../base/errors.ts'
import type { TokenRing } from '../transport/tokens.ts'
import { checkedToken } from './token.ts'

/** What `/token` says. */
export interface TokenFacts {
  /** Fingerprint of the token that the node shows. */
  readonly shown: string
  /** Fingerprints of those that it accepts. */
  readonly accepted: readonly string[]
  /** Whether they are in a file: otherwise a variable of its environment holds the token that its next start takes. */
  readonly kept: boolean
}

const mostBodyBytes = 4_096
const mostTokens = 2

/** Tells tokens apart without telling them. */
export function fingerprint(token: string): string {
  return createHmac('sha256', token).update('outpool fingerprint').digest('hex').slice(0, 12)
}

export function tokenFacts({ shown, accepted }: TokenRing, kept: boolean): TokenFacts {
  return { shown: fingerprint(shown), accepted: accepted.map(fingerprint), kept }
}

/**
 * The tokens that a request wants a node to have. Throws OutpoolError for what cannot be, and for a step that would part
 * the node from those that still accept the token that it shows now.
 */
export async function wantedTokens(request: IncomingMessage, now: TokenRing): Promise<TokenRing> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > mostBodyBytes) throw new OutpoolError(`the request has more than ${mostBodyBytes} bytes`)
    chunks.push(chunk)
  }
  const ring = parseRing(Buffer.concat(chunks).toString('utf8'))
  if (!ring.accepted.includes(now.shown))
    throw new OutpoolError(
      `this node shows token ${fingerprint(now.shown)}, which the new tokens do not accept; it has to show another first`,
    )
  return ring
}

function parseRing(text: string): TokenRing {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new OutpoolError('the request is not valid JSON')
  }
  const { shown, accepted } = (value ?? {}) as { shown?: unknown; accepted?: unknown }
  if (typeof shown !== 'string' || !Array.isArray(accepted) || accepted.length > mostTokens)
    throw new OutpoolError(`the request names a token to show and at most ${mostTokens} to accept`)
  const tokens = accepted.map((token) => checkedToken(String(token), 'the request'))
  if (!tokens.includes(shown)) throw new OutpoolError('the token to show must be accepted too')
  return { shown, accepted: tokens }
}
