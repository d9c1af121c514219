/**
 * The cluster token: who shows it may run code on every node, so it is looked up where other users cannot read it and
 * is never taken from a command line, which everybody on the machine can list.
 *
 * In this order: `OUTPOOL_TOKEN`, the file that `OUTPOOL_TOKEN_FILE` names, the file `token` in Outpool's folder
 * (`OUTPOOL_HOME`, else `$XDG_CONFIG_HOME/outpool` where `XDG_CONFIG_HOME` is set, else `~/.outpool`). The first
 * `outpool start --head` makes that file.
 *
 * A file has one line, or two while the cluster moves to another token: the first is shown to others, the second is
 * accepted too. Processes read it again when it changes; see `ClusterTokens`.
 */
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { AuthenticationError, OutpoolError } from '../base/errors.ts'
import { findOutpoolHome, noHomeText, outpoolHome } from '../base/home-folder.ts'
import { makeFolders } from '../base/new-file.ts'
import { randomBytes } from '../base/random-bytes.ts'
import type { TokenRing } from '../transport/tokens.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface Token {
  /** The one to show. */
  readonly token: string
  readonly ring: TokenRing
  /** Where it is kept; undefined when a variable holds it. */
  readonly file: string | undefined
  /** Where it came from, for messages: the name of a variable, or a path. */
  readonly source: string
  /** Whether this call made it. */
  readonly made: boolean
}

const tokenBytes = 32
const minTokenLength = 16
const mostTokens = 2

/** Makes it, or a folder in it, for this user alone. Throws OutpoolError where it cannot be made. */
export function makeHomeFolder(folder: string): void {
  try {
    makeFolders(folder)
  } catch (cause) {
    throw new OutpoolError(
      `the folder for the token and for what is known of nodes, ${folder}, cannot be made: ${(cause as Error).message}; ` +
        'set OUTPOOL_HOME to a folder that you can write to',
      { cause },
    )
  }
}

/** Throws OutpoolError for a user without a home folder. */
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
  // Secrets that were made by `echo` end with a line break.
  const direct = environment['OUTPOOL_TOKEN']?.trim()
  if (direct) return found([checkedToken(direct, 'OUTPOOL_TOKEN')], 'OUTPOOL_TOKEN')
  const named = environment['OUTPOOL_TOKEN_FILE']
  if (named) {
    const tokens = readTokenFile(named)
    if (tokens !== undefined) return found(tokens, named, named)
    throw new AuthenticationError(`OUTPOOL_TOKEN_FILE names ${named}, which does not exist`)
  }
  const home = findOutpoolHome(environment)
  if (home === undefined)
    throw new AuthenticationError(
      `there is no cluster token: neither OUTPOOL_TOKEN nor OUTPOOL_TOKEN_FILE is set, and ${noHomeText()}`,
    )
  const path = join(home, 'token')
  const tokens = readTokenFile(path)
  if (tokens !== undefined) return found(tokens, path, path)
  if (options.make) return makeTokenFile(path)
  throw new AuthenticationError(
    `there is no cluster token: neither OUTPOOL_TOKEN nor OUTPOOL_TOKEN_FILE is set, and ${path} does not exist; ` +
      'copy that file from the head, or set one of the variables',
  )
}

type Tokens = readonly [shown: string, ...also: string[]]

function found(tokens: Tokens, source: string, file?: string, made = false): Token {
  const [token] = tokens
  return { token, ring: { shown: token, accepted: tokens }, source, file, made }
}

/** The tokens of a file. Throws AuthenticationError when it is not there or must not be used, see `findToken`. */
export function readRing(path: string): TokenRing {
  const tokens = readTokenFile(path)
  if (tokens === undefined) throw new AuthenticationError(`the token file ${path} does not exist any more`)
  return { shown: tokens[0], accepted: tokens }
}

/** A token that is worth its name: 32 random bytes, printable. */
export function newToken(): string {
  return randomBytes(tokenBytes).toString('base64url')
}

/** undefined when the file does not exist. */
function readTokenFile(path: string): Tokens | undefined {
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
    const facts = fstatSync(file)
    const { mode, uid } = facts
    if (!facts.isFile())
      throw new AuthenticationError(`${path}, where the token should be, is no file; name the file that holds it`)
    if ((mode & 0o077) !== 0)
      throw new AuthenticationError(
        `the token file ${path} can be read by other users (mode ${(mode & 0o777).toString(8)}), so it is no secret; ` +
          `make a new one: rm ${path}, then start the head again`,
      )
    const user = process.getuid?.()
    if (user !== undefined && user !== 0 && uid !== user)
      throw new AuthenticationError(`the token file ${path} belongs to user ${uid}, not to you`)
    const lines = readFileSync(file, 'utf8')
      .trim()
      .split(/\s*\n\s*/)
    if (lines.length > mostTokens)
      throw new AuthenticationError(
        `the token file ${path} has ${lines.length} lines: the first is the token, a second one is accepted too`,
      )
    const [shown = '', ...also] = lines.map((line) => checkedToken(line, path))
    return [shown, ...also]
  } finally {
    closeSync(file)
  }
}

export function checkedToken(token: string, source: string): string {
  if (token.length < minTokenLength || !/^[\x21-\x7e]+$/.test(token))
    throw new AuthenticationError(
      `what ${source} holds is not a token: it has at least ${minTokenLength} printable characters without blanks`,
    )
  return token
}

/** Written beside its place and linked there: of two heads that start at once both get the same, complete token. */
function makeTokenFile(path: string): Token {
  makeHomeFolder(dirname(path))
  const token = newToken()
  const draft = writeDraft(path, [token])
  try {
    linkSync(draft, path)
    return found([token], path, path, true)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const theirs = readTokenFile(path)
    if (theirs === undefined) throw error
    return found(theirs, path, path)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Replaces what a token file holds, as a whole: whoever reads it sees the old tokens or the new ones. */
export function writeTokenFile(path: string, { shown, accepted }: TokenRing): void {
  const draft = writeDraft(path, [shown, ...accepted.filter((token) => token !== shown)])
  try {
    renameSync(draft, path)
  } finally {
    rmSync(draft, { force: true })
  }
}

/**
 * A new file, made exclusively and for this user alone, whose bytes are on the disk. Throws OutpoolError where that
 * cannot be done, as on a full disk, and then leaves nothing.
 */
function writeDraft(path: string, tokens: readonly string[]): string {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  try {
    const file = openSync(draft, 'wx', 0o600)
    try {
      fchmodSync(file, 0o600)
      // writeFileSync writes all of it or throws: a disk may take half a token.
      writeFileSync(file, tokens.map((token) => `${token}\n`).join(''))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    return draft
  } catch (cause) {
    rmSync(draft, { force: true })
    throw new OutpoolError(
      `the token file ${path} cannot be written: ${(cause as Error).message}; make room in ${dirname(path)}, or set ` +
        'OUTPOOL_HOME to a folder that you can write to and that has room',
      { cause },
    )
  }
}
