/**
 * What the values of the simulation are instead of bytes: a name. Chunks of them are views of one buffer that remember
 * what they stand for, so that moving a value of many megabytes costs nothing, and a wrong one is seen.
 */
import { chunkBytes } from '../../runtime/base/limits.ts'

export interface Content {
  readonly key: string
  /** Which making of the value: what runs again may make something else. */
  readonly making: number
  readonly sizeBytes: number
}

interface Origin {
  readonly content: Content
  readonly offset: number
}

const blank = Buffer.alloc(chunkBytes)
const origins = new WeakMap<Uint8Array, Origin>()

export function chunkOf(content: Content, offset: number, length: number): Buffer {
  const chunk = blank.subarray(0, Math.max(0, Math.min(length, content.sizeBytes - offset)))
  origins.set(chunk, { content, offset })
  return chunk
}

/** What a chunk was cut from; undefined for other bytes. */
export function originOf(chunk: Uint8Array): Origin | undefined {
  return origins.get(chunk)
}

export function describeContent({ key, making, sizeBytes }: Content): string {
  return `${key} of making ${making}, ${sizeBytes} bytes`
}
