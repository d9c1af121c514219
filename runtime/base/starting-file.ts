/** Which process makes a run folder: who finds one in which there is no node yet sees by that whether there will be one. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeNew } from './new-file.ts'
import { noteProcess } from './process-identity.ts'
import type { ProcessNote } from './process-identity.ts'

export const startingFile = 'starting.json'

export function writeStarting(path: string): void {
  writeNew(path, JSON.stringify(noteProcess(process.pid)))
}

/** undefined where nobody has said so, or not all of it yet. */
export function readStarting(folder: string): ProcessNote | undefined {
  try {
    const note = JSON.parse(readFileSync(join(folder, startingFile), 'utf8')) as Readonly<Record<string, unknown>>
    const { pid, pidStart, pidSpace } = note
    if (typeof pid !== 'number' || typeof pidStart !== 'string' || typeof pidSpace !== 'string') return undefined
    return { pid, pidStart, pidSpace }
  } catch {
    return undefined
  }
}
