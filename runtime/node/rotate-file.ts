/**
 * Keeps a file that a process appends to within a bound: the last of what is in it goes to `<path>.1`, which it
 * replaces, and the file begins anew. The writer goes on with the same open file. What it writes between the two steps
 * is lost.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, rmSync, statSync } from 'node:fs'
import { writeNew } from '../base/new-file.ts'

/** Of a log, before it begins anew; and as much of it is kept at most. */
export const maxLogBytes: number = 8 * 1024 * 1024

/** The part of a log before the present one. */
export function earlierLog(path: string): string {
  return `${path}.1`
}

/** Throws when the disk does not let it. */
export function rotateFile(path: string, keptBytes: number = maxLogBytes): void {
  const file = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    const { size } = fstatSync(file)
    const bytes = Buffer.alloc(Math.min(size, keptBytes))
    const length = readSync(file, bytes, 0, bytes.length, size - bytes.length)
    rmSync(earlierLog(path), { force: true })
    writeNew(earlierLog(path), bytes.subarray(0, length))
    ftruncateSync(file)
  } finally {
    closeSync(file)
  }
}

/** Says whether it did. A file that is not there, or that cannot be rotated now, is left alone. */
export function rotateIfLarge(path: string, maxBytes: number = maxLogBytes): boolean {
  try {
    if (statSync(path).size <= maxBytes) return false
    rotateFile(path, maxBytes)
    return true
  } catch {
    return false
  }
}
