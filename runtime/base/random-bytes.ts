/**
 * Random bytes of the system's own generator, which is what `node:crypto` begins with, too. To load that takes a process 3
 * to 8 ms and 1.6 MiB, for the few names that most of them make.
 */
import { randomBytes as cryptoBytes } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'

const source = '/dev/urandom'
/** Read at once; each byte is given out once. */
const pool = Buffer.alloc(256)
let used = pool.length

/** `size` bytes that nobody can foresee. */
export function randomBytes(size: number): Buffer {
  if (size > pool.length) return cryptoBytes(size)
  if (used + size > pool.length) {
    if (!filled(pool)) return cryptoBytes(size)
    used = 0
  }
  const bytes = Buffer.from(pool.subarray(used, used + size))
  pool.fill(0, used, (used += size))
  return bytes
}

/** False where there is no such device: on Windows, in some containers. */
function filled(bytes: Buffer): boolean {
  let file: number | undefined
  try {
    file = openSync(source, 'r')
    for (let length = 0; length < bytes.length;) {
      const read = readSync(file, bytes, length, bytes.length - length, null)
      if (read === 0) return false
      length += read
    }
    return true
  } catch {
    return false
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
