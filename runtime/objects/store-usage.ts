/** How much lies in a store on files, counted by looking at its folder: for people and monitors, off every path of a task. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isProcessId } from '../base/ids.ts'
import type { ProcessId } from '../base/ids.ts'

export interface OwnerUsage {
  readonly owner: ProcessId
  readonly objects: number
  readonly bytes: number
}

export interface StoreUsage {
  readonly objects: number
  readonly bytes: number
  /** The largest first. */
  readonly owners: readonly OwnerUsage[]
}

/** What is being written is not counted. Objects that come or go meanwhile may or may not be. */
export async function storeUsage(folder: string): Promise<StoreUsage> {
  const owners: OwnerUsage[] = []
  for (const owner of await namesIn(folder)) {
    if (!isProcessId(owner)) continue
    let objects = 0
    let bytes = 0
    for (const name of await namesIn(join(folder, owner))) {
      if (name.startsWith('.')) continue
      const size = await sizeOf(join(folder, owner, name))
      if (size === undefined) continue
      objects++
      bytes += size
    }
    if (objects > 0) owners.push({ owner, objects, bytes })
  }
  owners.sort((a, b) => b.bytes - a.bytes)
  const sum = (pick: (usage: OwnerUsage) => number): number => owners.reduce((total, one) => total + pick(one), 0)
  return { objects: sum((one) => one.objects), bytes: sum((one) => one.bytes), owners }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
