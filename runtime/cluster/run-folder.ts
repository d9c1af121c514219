/**
 * The folder of one node manager while it runs:
 *
 *     <tmpdir>/outpool-<uid>/<nodeId>/     0700
 *         starting.json                    the process that makes it, which lives where node.json is still to come
 *         node.json                        0600: what its workers and drivers on this machine must know
 *         node.sock, <workerId>.sock       unix sockets
 *         <workerId>.out|.err              what workers print
 *         objects/                         the object store: arena.json (how to open its memory), spilled/, locks; or files
 *         pages/<workerId>                 claim pages
 *         awake                            who may wait without sleeping
 *
 * Everything in it is worthless once the node is dead; the next node of this user on this machine removes what is left.
 */
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { OutpoolError } from '../base/errors.ts'
import { isProcessId } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import { namesIn } from '../base/names-in.ts'
import { makeFolders, mustBeNew, writeNew } from '../base/new-file.ts'
import { randomBytes } from '../base/random-bytes.ts'
import { readStarting, startingFile, writeStarting } from '../base/starting-file.ts'
import { awakeFile, awakeFileBytes } from '../owner/awake-file.ts'
import type { TokenRing } from '../transport/tokens.ts'
import { noteProcess, stateOfProcess } from '../base/process-identity.ts'
import type { ProcessNote } from '../base/process-identity.ts'

/** What node.json says. */
export interface NodeFile extends ProcessNote {
  readonly id: NodeId
  /** The one to show. */
  readonly token: string
  /** All that are accepted, that one included; see runtime/transport/tokens.ts. */
  readonly accepted: readonly string[]
  /** Where the node's one port is reached; '' in local mode. */
  readonly url: string
  /** Of the head's one port; '' in local mode. */
  readonly headUrl: string
  /** Where the node found the binary by which it calls the C library; '' where it found none. */
  readonly koffi: string
}

/** The longest path of a unix socket on every platform (104 bytes on macOS, with its final zero). */
const maxSocketPathBytes = 103
const anyNode = '0'.repeat(16)
const workerSocketName = `${anyNode}.sock`

/** Where a socket in the temporary folder would have too long a path, as in some build sandboxes. */
const shortFolder = '/tmp'

/** `<tmpdir>/outpool-<uid>`, or `/tmp/outpool-<uid>` where sockets would not fit there: the run folders of this user. */
export function runFoldersRoot(): string {
  const name = `outpool-${ownUser()}`
  const root = join(tmpdir(), name)
  return longestSocketPath(root) > maxSocketPathBytes && existsSync(shortFolder) ? join(shortFolder, name) : root
}

function longestSocketPath(root: string): number {
  return Buffer.byteLength(join(root, anyNode, workerSocketName))
}

/** -1 where users have no numbers. */
function ownUser(): number {
  return process.getuid?.() ?? -1
}

export function runFolderOf(node: NodeId): string {
  return join(runFoldersRoot(), node)
}

/**
 * Makes the run folder of a node with its sub-folders. Whoever calls removes those of nodes that are dead. Throws
 * OutpoolError when its parent belongs to somebody else or is open to others, or when its path is too long for sockets.
 */
export function createRunFolder(node: NodeId): string {
  const folder = beginRunFolder(node)
  completeRunFolder(folder)
  return folder
}

/** As much of it as a worker is started in; `completeRunFolder` makes the rest. Throws as `createRunFolder` does. */
export function beginRunFolder(node: NodeId): string {
  const root = runFoldersRoot()
  const folder = join(root, node)
  const longest = longestSocketPath(root)
  if (longest > maxSocketPathBytes)
    throw new OutpoolError(
      `the folder for sockets, ${folder}, is too long: a socket in it would take ${longest} bytes, the system allows ` +
        `${maxSocketPathBytes}; set TMPDIR to a shorter path`,
    )
  makeInRoot(root, folder)
  makeWithin(folder, startingFile, writeStarting)
  return folder
}

/** Throws OutpoolError where that cannot be had, and has removed the folder then. */
export function completeRunFolder(folder: string): void {
  makeWithin(folder, 'objects')
  makeWithin(folder, 'pages')
  makeWithin(folder, awakeFile, (path) => writeNew(path, new Uint8Array(awakeFileBytes)))
}

const ownFolder = (path: string): void => mkdirSync(path, { mode: 0o700 })

function makeWithin(folder: string, name: string, make: (path: string) => void = ownFolder): void {
  try {
    make(join(folder, name))
  } catch (cause) {
    // There may be no room because of what dead ones have left.
    if (removeStaleRunFolders().length > 0) return makeWithin(folder, name, make)
    removeRunFolder(folder)
    throw notMade(folder, cause as Error)
  }
}

/** So often the root may be gone between two steps. */
const mostTries = 100

/** Whoever finds the root empty removes it, as the last node of this user does when it leaves: also meanwhile. */
function makeInRoot(root: string, folder: string): void {
  for (let left = mostTries; ; left--) {
    try {
      if (existsSync(root)) assertOwn(root)
      makeFolders(root)
      mkdirSync(folder, { mode: 0o700 })
      // Nobody removes it any more.
      return assertOwn(root)
    } catch (error) {
      if (error instanceof OutpoolError) throw error
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || left === 0) throw notMade(folder, error as Error)
    }
  }
}

function notMade(folder: string, cause: Error): OutpoolError {
  return new OutpoolError(
    `the folder for sockets and for the output of workers, ${folder}, cannot be made: ${cause.message}; ` +
      'set TMPDIR to a folder that you can write to and that has room',
    { cause },
  )
}

/** Everybody may write to the temporary folder: somebody else may have put a folder or a link of that name there. */
function assertOwn(folder: string): void {
  const facts = lstatSync(folder)
  const user = ownUser()
  if (!facts.isDirectory())
    throw new OutpoolError(`${folder} is not a folder; remove it, or set TMPDIR to another place`)
  if (user !== -1 && facts.uid !== user)
    throw new OutpoolError(`${folder} belongs to user ${facts.uid}, not to you; set TMPDIR to a folder of your own`)
  if ((facts.mode & 0o077) !== 0) chmodSync(folder, 0o700)
}

/** Written once, exclusively: a second node of that id is a mistake. */
export function writeNodeFile(folder: string, file: Omit<NodeFile, keyof ProcessNote>): void {
  const path = join(folder, 'node.json')
  const draft = `${path}.new`
  writeWhole(draft, { ...file, ...noteProcess(process.pid) })
  // In one step, as a worker may be waiting for it.
  try {
    linkSync(draft, path)
  } catch (error) {
    throw mustBeNew(path, error)
  } finally {
    rmSync(draft)
  }
}

/** Tells the workers of a node about other tokens: they look at its file when they make or take a link. */
export function replaceNodeTokens(folder: string, { shown, accepted }: TokenRing): void {
  const file = readNodeFile(folder)
  if (file === undefined) throw new OutpoolError(`there is no node file in ${folder} any more`)
  const draft = join(folder, 'node.json.new')
  rmSync(draft, { force: true })
  writeWhole(draft, { ...file, token: shown, accepted })
  renameSync(draft, join(folder, 'node.json'))
}

function writeWhole(path: string, file: NodeFile): void {
  writeNew(path, `${JSON.stringify(file)}\n`)
}

/** undefined where there is no (valid) node file. */
export function readNodeFile(folder: string): NodeFile | undefined {
  try {
    const value = JSON.parse(readFileSync(join(folder, 'node.json'), 'utf8')) as Partial<
      Record<keyof NodeFile, unknown>
    >
    const { id, token, accepted, url, pid, pidStart, pidSpace, headUrl, koffi } = value
    if (!isProcessId(id) || typeof token !== 'string' || typeof url !== 'string' || typeof pid !== 'number')
      return undefined
    return {
      id,
      token,
      accepted: Array.isArray(accepted) && accepted.every((one) => typeof one === 'string') ? accepted : [token],
      url,
      pid,
      pidStart: typeof pidStart === 'string' ? pidStart : '',
      pidSpace: typeof pidSpace === 'string' ? pidSpace : '',
      headUrl: typeof headUrl === 'string' ? headUrl : '',
      koffi: typeof koffi === 'string' ? koffi : '',
    }
  } catch {
    return undefined
  }
}

/** A folder that says nothing may belong to a node that begins at this moment: it is left alone for this long. */
const startingGraceMs = 60_000

/** Removes the run folders of this user whose node manager is no longer alive. Returns their ids. */
export function removeStaleRunFolders(): NodeId[] {
  const root = runFoldersRoot()
  const removed: NodeId[] = []
  for (const name of namesIn(root)) {
    if (!isProcessId(name)) continue
    const folder = join(root, name)
    if (isStale(folder) && isRemoved(folder)) removed.push(name)
  }
  return removed
}

function isStale(folder: string): boolean {
  const note = readNodeFile(folder) ?? readStarting(folder)
  if (note) return stateOfProcess(note) === 'dead'
  try {
    return Date.now() - lstatSync(folder).mtimeMs > startingGraceMs
  } catch {
    return false
  }
}

/** Folders that could not be removed, and were told of. */
const leftBehind = new Set<string>()

/**
 * Removes a folder with what is in it. One that stays, as on a disk that has become read-only, is told of once: it keeps
 * nobody from ending, or from starting.
 */
function isRemoved(folder: string): boolean {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    return true
  } catch (error) {
    if (!leftBehind.has(folder))
      console.error(`outpool: ${folder} is left over and cannot be removed: ${named(error, folder).message}; remove it`)
    leftBehind.add(folder)
    return false
  }
}

/** Since Node 24 `rmSync` has no code for what it does not expect, a read-only disk among that; `rmdir` has. */
function named(error: unknown, folder: string): Error {
  if ((error as NodeJS.ErrnoException).code !== '') return error as Error
  try {
    rmdirSync(folder)
    return error as Error
  } catch (again) {
    return again as Error
  }
}

/** Removes the run folder, and its parent if it was the last; synchronous, so that it also serves in an `exit` handler. */
export function removeRunFolder(folder: string): void {
  if (!isRemoved(folder)) return
  try {
    rmdirSync(dirname(folder))
  } catch {
    // Others have folders there.
  }
}

/** A file in the run folder with random content: who can read it over there is on this machine, as this user. */
export interface Probe {
  readonly path: string
  readonly nonce: string
}

export function writeProbe(folder: string): Probe {
  const probe = { path: join(folder, 'probe'), nonce: randomBytes(16).toString('hex') }
  writeNew(probe.path, probe.nonce)
  return probe
}

/** Whether that file can be read here and says the same. */
export function probeMatches(probe: Probe): boolean {
  let file: number | undefined
  try {
    // The path comes from the other side: nothing but a small regular file is read, and a pipe does not hold us up.
    file = openSync(probe.path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
    const facts = fstatSync(file)
    return facts.isFile() && facts.size === probe.nonce.length && readFileSync(file, 'latin1') === probe.nonce
  } catch {
    return false
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
