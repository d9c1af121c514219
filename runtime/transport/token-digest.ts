/** How a token is shown, and compared with those that are accepted. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { BoundedMap } from '../base/bounded-map.ts'
import { hmacSha256, sameDigest } from '../base/hash.ts'
import { randomBytes } from '../base/random-bytes.ts'
import { ringOf } from './tokens.ts'
import type { TokenSource } from './tokens.ts'

export const digestBytes = 32
const digested = Buffer.from('outpool hello')
const localMark = 'local.'

/** The last that were needed: of one token, and of two while a cluster moves to another. */
const digests = new BoundedMap<string, Buffer>(4)

/** What a hello on a byte stream shows of a token. */
export function tokenDigest(token: string): Buffer {
  return localSecret(token) ?? digests.getOrMake(token, () => hmacSha256(Buffer.from(token), digested))
}

/** What a local token is made of; undefined for that of a cluster. */
function localSecret(token: string): Buffer | undefined {
  if (!token.startsWith(localMark)) return undefined
  const secret = Buffer.from(token.slice(localMark.length), 'base64url')
  return secret.length === digestBytes ? secret : undefined
}

/**
 * A token for one node and the processes that it starts, which link by sockets that only this user can reach: random bytes,
 * shown as they are. That of a cluster is shown as its digest, for it is worth more than one socket.
 */
export function newLocalToken(): string {
  return localMark + randomBytes(digestBytes).toString('base64url')
}

/** Compares without telling by its duration how much was right. An empty expected token fits nothing. */
export function tokenMatches(shown: string, expected: TokenSource): boolean {
  const digest = (token: string): Buffer => createHmac('sha256', token).update(digested).digest()
  return fitsAny(expected, digest, (one) => timingSafeEqual(one, digest(shown)))
}

/** Of a hello on a socket of this machine, which only this user can reach. */
export function digestMatches(shown: Buffer, expected: TokenSource): boolean {
  return fitsAny(expected, tokenDigest, (one) => sameDigest(one, shown))
}

/** Looks at every accepted token, also after one that fits. */
function fitsAny(expected: TokenSource, digest: (token: string) => Buffer, fits: (digest: Buffer) => boolean): boolean {
  let matches = false
  for (const token of ringOf(expected).accepted) if (fits(digest(token)) && token !== '') matches = true
  return matches
}
