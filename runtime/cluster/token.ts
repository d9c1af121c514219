/**
 * The cluster token: who shows it may run code on every node, so it is looked up where other users cannot read it and
 * is never taken from a command line, which everybody on the machine can list.
 *
 * In this order: `OUTPOOL_TOKEN`, the file that `OUTPOOL_TOKEN_FILE` names, the file `token` in Outpool's folder
 * (`OUTPOOL_HOME`, else `$XDG_CONFIG_HOME/outpool` where `XDG_CONFIG_HOME` is set, else `~/.outpool`). The first
 * `outpool start --head` makes that file.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { AuthenticationError } from '../base/errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface Token {
  readonly token: string
  /** Where it came from, for messages: the name of a variable, or a path. */
  readonly source: string
  /** Whether this call made it. */
  readonly made: boolean
}

const tokenBytes = 32
const minTokenLength = 16

/** Outpool's folder of this user: the token, and what is known of the nodes that were started on this machine. */
export function outpoolHome(environment: Environment = process.env): string {
  const own = environment['OUTPOOL_HOME']
  if (own) return own
  const config = environment['XDG_CONFIG_HOME']
  return config ? join(config, 'outpool') : join(homedir(), '.outpool')
}

export function defaultTokenFile(environment: Environment = process.env): string {
  return join(outpoolHome(environment), 'token')
}

/**
 * The token of the cluster. Throws AuthenticationError when there is none (unless `make`: then the default file is
 * made, with 32 random bytes, readable by this user alone), when its file can be read by others, or when it is too
 * short to be one.
 */
export function findToken(options: { readonly make?: boolean; readonly environment?: Environment } = {}): Token {
  const environment = options.environment ?? process.env
  const direct = environment['OUTPOOL_TOKEN']
  if (direct) return { token: checked(direct, 'OUTPOOL_TOKEN'), source: 'OUTPOOL_TOKEN', made: false }
  const named = environment['OUTPOOL_TOKEN_FILE']
  if (named) {
    const token = readTokenFile(named)
    if (token !== undefined) return { token, source: named, made: false }
    throw new AuthenticationError(`OUTPOOL_TOKEN_FILE names ${named}, which does not exist`)
  }
  const path = defaultTokenFile(environment)
  const token = readTokenFile(path)
  if (token !== undefined) return { token, source: path, made: false }
  if (options.make) return makeTokenFile(path)
  throw new AuthenticationError(
    `there is no cluster token: neither OUTPOOL_TOKEN nor OUTPOOL_TOKEN_FILE is set, and ${path} does not exist; ` +
      'copy that file from the head, or set one of the variables',
  )
}

/** A token that is worth its name: 32 random bytes, printable. */
export function newToken(): string {
  return randomBytes(tokenBytes).toString('base64url')
}

/** undefined when the file does not exist. */
function readTokenFile(path: string): string | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new AuthenticationError(`the token file ${path} cannot be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
  try {
    // Asked of the open file: between a stat of the path and its opening it could be swapped.
    const { mode, uid } = fstatSync(file)
    if ((mode & 0o077) !== 0)
      throw new AuthenticationError(
        `the token file ${path} can be read by other users (mode ${(mode & 0o777).toString(8)}), so it is no secret; ` +
          `make a new one: rm ${path}, then start the head again`,
      )
    const user = process.getuid?.()
    if (user !== undefined && user !== 0 && uid !== user)
      throw new AuthenticationError(`the token file ${path} belongs to user ${uid}, not to you`)
    return checked(readFileSync(file, 'utf8').trim(), path)
  } finally {
    closeSync(file)
  }
}

function checked(token: string, source: string): string {
  if (token.length < minTokenLength || !/^[\x21-\x7e]+$/.test(token))
    throw new AuthenticationError(
      `what ${source} holds is not a token: it has at least ${minTokenLength} printable characters without blanks`,
    )
  return token
}

/** Written beside its place and linked there: of two heads that start at once both get the same, complete token. */
function makeTokenFile(path: string): Token {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  const token = newToken()
  const file = openSync(draft, 'wx', 0o600)
  try {
    fchmodSync(file, 0o600)
    writeSync(file, `${token}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  try {
    linkSync(draft, path)
    return { token, source: path, made: true }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const theirs = readTokenFile(path)
    if (theirs === undefined) throw error
    return { token: theirs, source: path, made: false }
  } finally {
    rmSync(draft, { force: true })
  }
}
