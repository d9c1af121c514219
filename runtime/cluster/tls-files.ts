/** The certificate of a node, as it lies on its disk. */
import { readFileSync } from 'node:fs'
import { OutpoolError } from '../base/errors.ts'

export interface TlsFiles {
  /** Paths of PEM files: the certificate with its chain, its key. */
  readonly cert: string
  readonly key: string
  /** The authorities that this node trusts when it connects to others; default: those that Node trusts. */
  readonly ca?: string
}

export interface ServerTls {
  readonly cert: Buffer
  readonly key: Buffer
}

/** Throws OutpoolError where a file cannot be read, or where they are no certificate and its key. */
export async function readTlsFiles({ cert, key }: TlsFiles): Promise<ServerTls> {
  const read = { cert: readPem('--tls-cert', cert), key: readPem('--tls-key', key) }
  const { createSecureContext } = await import('node:tls')
  try {
    createSecureContext(read)
  } catch (cause) {
    throw new OutpoolError(
      `${cert} and ${key} are not a certificate and its key in PEM: ${(cause as Error).message}; see --tls-cert`,
      { cause },
    )
  }
  return read
}

function readPem(option: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new OutpoolError(`${option} ${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
}
