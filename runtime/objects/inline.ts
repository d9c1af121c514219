/** Which arguments and results travel within messages, and which go into the store. */
import { inlineBytes, inlineTotalBytes, leastStoredBytes } from '../base/limits.ts'

/** `beforeBytes`: of those that travel in the same message before it. */
export function goesToStore(sizeBytes: number, beforeBytes: number): boolean {
  if (sizeBytes > inlineBytes) return true
  return sizeBytes >= leastStoredBytes && beforeBytes + sizeBytes > inlineTotalBytes
}
