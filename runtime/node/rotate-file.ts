/**
 * Keeps a file that a process appends to within a bound: the last of what is in it goes to `<path>.1`, which it
 * replaces, and the file begins anew. The writer goes on with the same open file. What it writes while the last of it is
 * copied is copied, too; what comes in the microseconds between that and the cut is lost.
 */
import {
  appendFileSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs'
import { writeNew } from '../base/new-file.ts'

/** Of a log, before it begins anew; and as much of it is kept at most. */
export const maxLogBytes: number = 8 * 1024 * 1024

/** The part of a log before the present one. */
export function earlierLog(path: string): string {
  return `${path}.1`
}

/** By path, of the files that this process has rotated: the bytes that were in all files of that name before the present one. */
const rotated = new Map<string, number>()
const mostRotated = 1_000

/** Where the present file begins among all that was written to that path; undefined where this process never rotated it. */
export function rotatedBytes(path: string): number | undefined {
  return rotated.get(path)
}

/** Nobody writes to that log any more. Returns its files, which are the caller's to remove. */
export function forgetLog(path: string): string[] {
  rotated.delete(path)
  return [path, earlierLog(path)]
}

/** Rounds in which what came meanwhile is copied: a writer may be as fast as this. */
const mostRounds = 8

/** Returns how many bytes the file had. Throws when the disk does not let it. */
export function rotateFile(path: string, keptBytes: number = maxLogBytes): number {
  const file = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    let { size } = fstatSync(file)
    const bytes = Buffer.alloc(Math.min(size, keptBytes))
    const length = readSync(file, bytes, 0, bytes.length, size - bytes.length)
    rmSync(earlierLog(path), { force: true })
    writeNew(earlierLog(path), bytes.subarray(0, length))
    for (let round = 0; round < mostRounds; round++) {
      const more = Buffer.alloc(fstatSync(file).size - size)
      if (more.length === 0) break
      const moreBytes = readSync(file, more, 0, more.length, size)
      appendFileSync(earlierLog(path), more.subarray(0, moreBytes))
      size += moreBytes
    }
    ftruncateSync(file)
    if (rotated.size >= mostRotated) forgetRemoved()
    rotated.set(path, (rotated.get(path) ?? 0) + size)
    return size
  } finally {
    closeSync(file)
  }
}

/** Logs that went with the folder of their node. */
function forgetRemoved(): void {
  for (const path of rotated.keys()) if (statSync(path, { throwIfNoEntry: false }) === undefined) rotated.delete(path)
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
