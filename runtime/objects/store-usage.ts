/** What lies in the store of a node: for people and monitors, off every path of a task. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isProcessId, objectKey, parseObjectKey } from '../base/ids.ts'
import type { ProcessId } from '../base/ids.ts'
import type { StoreReport } from './arena-host.ts'
import type { HolderReport } from './arena-types.ts'

export interface OwnerUsage {
  readonly owner: ProcessId
  readonly objects: number
  readonly bytes: number
}

export interface ObjectUsage {
  readonly key: string
  readonly owner: ProcessId
  readonly sizeBytes: number
  /** `memory`: shared memory; `spilled`: in a spill file; on the way between the two; `file`: in the store on files. */
  readonly state: 'memory' | 'spilling' | 'spilled' | 'restoring' | 'file'
  /** Whether this node keeps it while it is referenced; a copy of another node's may be dropped. Null: not known. */
  readonly primary: boolean | null
  /** Processes that use it in place. */
  readonly holders: readonly ProcessId[]
  /** `file:line:column` that made it; null where that is not known. Absent where owners do not tell (OUTPOOL_SITES). */
  readonly site?: string | null
}

export interface StoreUsage {
  readonly kind: 'shared memory' | 'files'
  /** Of the shared memory; null where there is none. */
  readonly capacityBytes: number | null
  /** Of the shared memory: objects, and room that writers have ahead of need. */
  readonly usedBytes: number
  /** Objects that are on disk only, and what the spill files take. */
  readonly spilledBytes: number
  readonly diskBytes: number
  readonly objects: number
  readonly bytes: number
  /** The largest first. */
  readonly owners: readonly OwnerUsage[]
  /** Processes that hold shared memory, the largest first. */
  readonly holders: readonly HolderReport[]
  /** The largest first; as many as were asked for. */
  readonly list: readonly ObjectUsage[]
}

/** What `report` says, with the `most` largest objects. */
export function arenaUsage(report: StoreReport, most: number): StoreUsage {
  const { capacityBytes, usedBytes, spilledBytes, diskBytes, holders } = report
  const list = report.objects.map((object) => ({ ...object, owner: parseObjectKey(object.key).owner }))
  return {
    ...{ kind: 'shared memory', capacityBytes, usedBytes, spilledBytes, diskBytes, holders },
    ...summed(list, most),
  }
}

/** By a look at the folder. What is being written is not counted; objects that come or go meanwhile may or may not be. */
export async function fileUsage(folder: string, most: number): Promise<StoreUsage> {
  const list: ObjectUsage[] = []
  for (const owner of await namesIn(folder)) {
    if (!isProcessId(owner)) continue
    for (const name of await namesIn(join(folder, owner))) {
      if (name.startsWith('.')) continue
      const sizeBytes = await sizeOf(join(folder, owner, name))
      if (sizeBytes === undefined) continue
      const key = objectKey({ owner, number: Number.parseInt(name, 16) })
      list.push({ key, owner, sizeBytes, state: 'file', primary: null, holders: [] })
    }
  }
  const none = { capacityBytes: null, usedBytes: 0, spilledBytes: 0, diskBytes: 0, holders: [] }
  return { kind: 'files', ...none, ...summed(list, most) }
}

function summed(list: readonly ObjectUsage[], most: number): Pick<StoreUsage, 'objects' | 'bytes' | 'owners' | 'list'> {
  const owners = new Map<ProcessId, { owner: ProcessId; objects: number; bytes: number }>()
  let bytes = 0
  for (const { owner, sizeBytes } of list) {
    const usage = owners.get(owner) ?? { owner, objects: 0, bytes: 0 }
    owners.set(owner, usage)
    usage.objects++
    usage.bytes += sizeBytes
    bytes += sizeBytes
  }
  return {
    objects: list.length,
    bytes,
    owners: [...owners.values()].sort((a, b) => b.bytes - a.bytes),
    list: [...list].sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, most),
  }
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
