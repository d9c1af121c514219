/**
 * Which values were lost, and why: what the simulation knows of them, beside the runtime. A value whose loss is told to
 * somebody must be gone, by something that happened.
 */
import { parseObjectKey, type ProcessId } from '../../runtime/base/ids.ts'
import { demand } from './checks.ts'
import type { Endpoint } from './network.ts'
import type { World } from './world.ts'

export class Losses {
  readonly #world: World
  readonly #lost = new Map<string, string>()
  /** Processes that were cut off from somebody, or stopped: what they have may not be reached. */
  readonly #cutOff = new Set<ProcessId>()

  constructor(world: World) {
    this.#world = world
  }

  lost(key: string, why: string): void {
    this.#lost.set(key, why)
  }

  cutOff(process: ProcessId): void {
    this.#cutOff.add(process)
  }

  wasCutOff(process: ProcessId): boolean {
    return this.#cutOff.has(process)
  }

  /** The task that makes a value runs again: its copies must be gone, or never have been needed. */
  rebuilt(owner: Endpoint, key: string): void {
    const at = this.#findable(owner, key)
    demand(at === undefined, 'rebuilt-once-lost', () => `${key} is made again, and node ${at} has it`)
  }

  /** A living node that has the value, and that everybody must reach; undefined where that cannot be said. */
  #findable(reader: Endpoint, key: string): ProcessId | undefined {
    const { network, options } = this.#world
    const { owner } = parseObjectKey(key)
    const excused = options.channelBreaks > 0 || this.#cutOff.has(reader.id) || this.#cutOff.has(reader.nodeId)
    if (excused || network.processes.get(owner)?.alive !== true || this.#cutOff.has(owner)) return undefined
    return this.#world.nodes().find((node) => !this.#cutOff.has(node.id) && node.store.has(key))?.id
  }

  /** `reader`, which holds a ref to it, is told that there is no such value. */
  told(reader: Endpoint, key: string, why: string): void {
    this.#world.count('value lost')
    this.#world.note(reader, `is told that ${key} is lost: ${why}`)
    if (why.includes('no room')) return this.#world.count('no room')
    const at = this.#findable(reader, key)
    demand(at === undefined, 'available', () => `${key} is on node ${at}, and its reader is told: ${why}`)
    const excused =
      this.#cutOff.has(reader.id) || this.#cutOff.has(reader.nodeId) || this.#world.options.channelBreaks > 0
    if (excused || this.#world.network.processes.get(parseObjectKey(key).owner)?.alive !== true) return
    demand(this.#lost.has(key), 'never-freed-while-held', () => `${key} is gone, and nothing happened to it: ${why}`)
  }
}
