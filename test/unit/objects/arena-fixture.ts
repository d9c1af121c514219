/** Arenas for tests: a host, and stores that reach it as other processes do, by messages that take a turn of the loop. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collectGarbage } from '../../../runtime/base/garbage.ts'
import { newProcessId, type ProcessId } from '../../../runtime/base/ids.ts'
import { type Clock, systemClock } from '../../../runtime/base/clock.ts'
import { ArenaHost } from '../../../runtime/objects/arena-host.ts'
import { ArenaMemory } from '../../../runtime/objects/arena-memory.ts'
import { ArenaStore } from '../../../runtime/objects/arena-store.ts'
import { chooseStore, type StoreOptions } from '../../../runtime/objects/store-choice.ts'

export interface TestArena {
  readonly host: ArenaHost
  readonly folder: string
  /** A store of another process, with a memory of its own. */
  join(): { readonly store: ArenaStore; readonly process: ProcessId }
  close(): Promise<void>
}

/** `clock` is that of the host. */
export async function openArena(options: StoreOptions = {}, clock: Clock = systemClock): Promise<TestArena> {
  const folder = mkdtempSync(join(tmpdir(), 'outpool-arena-'))
  const host = await chooseStore({
    folder,
    node: newProcessId(),
    clock,
    options: { memoryBytes: 64 * 1024 * 1024, ...options },
    warn: (text) => {
      throw new Error(text)
    },
  })
  if (!(host instanceof ArenaHost)) throw new Error('memory cannot be shared here')
  const stores = new Map<ProcessId, ArenaStore>()
  const memories: ArenaMemory[] = []
  host.sendCollect = (process) => setImmediate(() => stores.get(process)?.memoryIsShort())
  return {
    host,
    folder,
    join() {
      const process = newProcessId()
      const memory = ArenaMemory.open(folder)
      if (memory === undefined) throw new Error('the arena cannot be opened')
      memories.push(memory)
      const store = linkedStore(host, memory, process)
      stores.set(process, store)
      return { store, process }
    },
    async close() {
      for (const store of stores.values()) await store.close()
      // What they told last is on its way.
      await new Promise((resolve) => setImmediate(resolve))
      host.ledger.validate()
      await host.close()
      for (const memory of memories) memory.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function linkedStore(host: ArenaHost, memory: ArenaMemory, process: ProcessId): ArenaStore {
  const later = <T>(action: () => T): Promise<T> =>
    new Promise((resolve, reject) =>
      setImmediate(() => {
        try {
          resolve(action())
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)))
        }
      }),
    )
  const copied = <T>(message: T): T => JSON.parse(JSON.stringify(message)) as T
  return new ArenaStore({
    memory,
    clock: systemClock,
    collect: collectGarbage,
    port: {
      process,
      request: (operation) =>
        new Promise((resolve, reject) => {
          void later(() =>
            host.request(process, copied(operation), (error, answer) => {
              void later(() => (error === undefined ? resolve(copied(answer)) : reject(error)))
            }),
          )
        }),
      note: (note) => void later(() => host.note(process, copied(note))),
      flushed: () => later(() => {}),
    },
  })
}

/** Collects until nothing more is finalised. */
export async function collectAll(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    collectGarbage()
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
