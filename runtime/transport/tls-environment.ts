/**
 * Whom this process trusts when it connects to a node: `OUTPOOL_TLS_CA`, inherited by workers, so that every connection
 * that any process of the cluster opens follows one rule.
 *
 *     not set          ws:// in the clear; wss:// with the authorities that Node trusts
 *     a file (PEM)     wss:// alone, with those authorities
 *     system           wss:// alone, with the authorities that Node trusts
 *
 * Where it is set, an address that begins with ws:// is refused: whoever could make us use one would get the token.
 */
import { readFileSync } from 'node:fs'
import { AuthenticationError } from '../base/errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

const variable = 'OUTPOOL_TLS_CA'
const system = 'system'

export function tlsRequired(environment: Environment = process.env): boolean {
  return (environment[variable] ?? '') !== ''
}

/**
 * What to trust at this address. Throws AuthenticationError for one in the clear where TLS is required, and where the
 * file cannot be read. The file is read each time: connections are rare, and it may be renewed.
 */
export function environmentTls(url: string, environment: Environment = process.env): { readonly ca?: Buffer } {
  if (!tlsRequired(environment)) return {}
  if (!/^(wss|https):/.test(url))
    throw new AuthenticationError(
      `${url} is not encrypted, and ${variable} is set, which allows TLS alone: use a wss:// address, ` +
        `or unset ${variable} in a network that you trust`,
    )
  const path = environment[variable] as string
  if (path === system) return {}
  try {
    return { ca: readFileSync(path) }
  } catch (cause) {
    throw new AuthenticationError(`${variable} names ${path}, which cannot be read: ${(cause as Error).message}`, {
      cause,
    })
  }
}
