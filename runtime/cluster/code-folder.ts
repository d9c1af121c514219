/**
 * A folder for the code cache that outlives node managers, so that one that starts again finds what it was sent before.
 * Each running node manager has a part of its own: `<folder>/0`, or the first that no living one has.
 */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { OutpoolError } from '../base/errors.ts'
import { noteProcess, stateOfProcess, type ProcessNote } from '../base/process-identity.ts'

/** Node managers of one machine that share such a folder. */
const maxParts = 64
const claimName = 'claim.json'

export interface CodeFolder {
  readonly path: string
  /** Its content stays. */
  release(): void
}

/** Throws OutpoolError when the folder cannot be made, or all of its parts are in use. */
export function claimCodeFolder(folder: string): CodeFolder {
  for (let part = 0; part < maxParts; part++) {
    const path = join(folder, String(part))
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 })
      if (claim(join(path, claimName))) return { path, release: () => rmSync(join(path, claimName), { force: true }) }
    } catch (cause) {
      throw new OutpoolError(`the code cache cannot be kept in ${folder}: ${(cause as Error).message}`, { cause })
    }
  }
  throw new OutpoolError(`the code cache cannot be kept in ${folder}: ${maxParts} node managers use it already`)
}

/** By making a file that must not be there; that of a dead process is taken away first. */
function claim(file: string): boolean {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const descriptor = openSync(file, 'wx', 0o600)
      writeSync(descriptor, JSON.stringify(noteProcess(process.pid)))
      closeSync(descriptor)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (!isAbandoned(file)) return false
      rmSync(file, { force: true })
    }
  }
  return false
}

function isAbandoned(file: string): boolean {
  try {
    return stateOfProcess(JSON.parse(readFileSync(file, 'utf8')) as ProcessNote) === 'dead'
  } catch {
    // Being written just now, or not ours: left alone.
    return false
  }
}
