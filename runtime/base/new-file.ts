/**
 * Files and folders for this user alone, which are not there yet. What somebody else may have put in their place is
 * refused, and no link is followed: neither one with the name of the file, nor one with that of its folder.
 */
import { closeSync, constants, existsSync, lstatSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { OutpoolError } from './errors.ts'

const newFile = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW
const ownMode = 0o600

/** `flags` beside those that make it: `O_APPEND`. */
export function openNew(path: string, flags: number = 0): number {
  try {
    return openSync(path, newFile | flags, ownMode)
  } catch (error) {
    throw mustBeNew(path, error)
  }
}

export async function openNewHandle(path: string): Promise<FileHandle> {
  try {
    return await open(path, newFile, ownMode)
  } catch (error) {
    throw mustBeNew(path, error)
  }
}

/** All of it is written, or there is no file. */
export function writeNew(path: string, content: string | Uint8Array): void {
  const file = openNew(path)
  try {
    writeFileSync(file, content)
  } catch (error) {
    rmSync(path, { force: true })
    throw naming(path, error as NodeJS.ErrnoException)
  } finally {
    closeSync(file)
  }
}

/** Node's errors of files that are open do not say which file it is. */
function naming(path: string, error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  if (error.path !== undefined) return error
  error.message += ` '${path}'`
  return Object.assign(error, { path })
}

/** Makes the folder, and those it is in. Throws what the system says: Node calls each reason ENOENT when it makes several. */
export function makeFolders(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const folder = dirname(path)
    if (folder !== path && !existsSync(folder)) makeFolders(folder)
    mkdirSync(path, { mode: 0o700 })
  }
}

/** Makes the folder where it is missing. `what` begins the error: `the folder of spilled objects`. */
export function privateFolder(what: string, path: string): void {
  try {
    makeFolders(path)
  } catch (error) {
    // A file, or a link that leads nowhere, is told as what it is.
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) throw error
  }
  const found = lstatSync(path)
  const user = process.getuid?.() ?? found.uid
  if (found.isDirectory() && found.uid === user && (found.mode & 0o077) === 0) return
  throw new OutpoolError(
    found.isDirectory()
      ? `${what}, ${path}, is not private to this user; chmod 700 or remove it`
      : `${what}, ${path}, is not a folder but something that somebody put there; see who did, and remove it`,
    { details: { folder: path } },
  )
}

/** What to throw where something that had to be made at `path` could not be. */
export function mustBeNew(path: string, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return error
  return new OutpoolError(
    `${path} is there already, and nobody but Outpool makes files in that folder; see who did, and remove it`,
    { cause: error, details: { path } },
  )
}
