/** Whether there is an arena, for who need not open it yet: `arena-memory.ts` does that. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of a node's object store. */
export function objectsFolderOf(runFolder: string): string {
  return join(runFolder, 'objects')
}

/** The file of an arena in the folder of its store: what a process must know to open it. */
export function arenaFileOf(folder: string): string {
  return join(folder, 'arena.json')
}

/** Whether the store in `folder` is an arena. */
export function hasArena(folder: string): boolean {
  return existsSync(arenaFileOf(folder))
}
