/**
 * A folder for the code cache that outlives node managers, so that one that starts again finds what it was sent before.
 * Each running node manager has a part of its own: `<folder>/0`, or the first that no living one has.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { OutpoolError } from '../base/errors.ts'
import { privateFolder } from '../base/new-file.ts'
import { tryLockFile } from '../objects/folder-lock.ts'

/** Node managers of one machine that share such a folder. */
const maxParts = 64
const lockName = 'node.lock'
/** What said before who has a part; nobody reads it any more. */
const formerLockName = 'claim.json'

export interface CodeFolder {
  readonly path: string
  /** Its content stays. */
  readonly release: () => void
}

/** Throws OutpoolError when the folder cannot be made, or all of its parts are in use. */
export function claimCodeFolder(folder: string): CodeFolder {
  for (let part = 0; part < maxParts; part++) {
    const path = join(folder, String(part))
    try {
      privateFolder('its folder of this node', path)
      const release = tryLockFile(join(path, lockName))
      if (release === undefined) continue
      rmSync(join(path, formerLockName), { force: true })
      return { path, release }
    } catch (cause) {
      throw new OutpoolError(`the code cache cannot be kept in ${folder}: ${(cause as Error).message}`, { cause })
    }
  }
  throw new OutpoolError(`the code cache cannot be kept in ${folder}: ${maxParts} node managers use it already`)
}
