/**
 * Which values were lost, and why: what the simulation knows of them, beside the runtime. A value whose loss is told to
 * somebody must be gone, by something that happened.
 */
import { type NodeId, parseObjectKey, type ProcessId } from '../../runtime/base/ids.ts'
import type { Holder } from '../../runtime/protocol/messages.ts'
import { demand } from './checks.ts'
import type { Endpoint } from './network.ts'
import type { World } from './world.ts'

const none: ReadonlySet<NodeId> = new Set()

export class Losses {
  readonly #world: World
  readonly #lost = new Map<string, string>()
  /** Where values were made: a node that dies may not have heard of the newest. */
  readonly #madeAt = new Map<string, Set<NodeId>>()
  /** Where an attempt that came to nothing has left them: its worker has asked the node to remove them. */
  readonly #takenBack = new Map<string, Set<NodeId>>()
  /** Freed, and their numbers stay because of a spec. */
  readonly #released = new Set<string>()
  /** Processes that were cut off from somebody, or stopped: what they have may not be reached. */
  readonly #cutOff = new Set<ProcessId>()
  readonly #declaredDead = new Set<NodeId>()
  /** By value and process: since when its owner knows of that copy. */
  readonly #knownSinceMs = new Map<string, number>()

  constructor(world: World) {
    this.#world = world
  }

  lost(key: string, why: string): void {
    this.#lost.set(key, why)
  }

  made(key: string, node: NodeId): void {
    this.#madeAt.set(key, (this.#madeAt.get(key) ?? new Set()).add(node))
    this.#takenBack.get(key)?.delete(node)
  }

  /** Another result of the attempt that made it could not be stored: its worker removes it there. */
  takenBack(key: string, node: NodeId): void {
    this.#takenBack.set(key, (this.#takenBack.get(key) ?? new Set()).add(node))
  }

  /** Nobody refers to it, and its task may run again for another one: until it has, there is no value. */
  released(key: string): void {
    this.#released.add(key)
  }

  madeAgain(key: string): void {
    this.#released.delete(key)
  }

  /** The cluster takes the node for dead, though it may be stopped only: nobody gets at what it has. */
  declaredDead(id: NodeId): void {
    this.#cutOff.add(id)
    this.#declaredDead.add(id)
    const node = this.#world.nodes().find((one) => one.id === id)
    for (const key of node?.store.keys() ?? []) this.lost(key, 'its node was declared dead')
  }

  isDeclaredDead(node: NodeId): boolean {
    return this.#declaredDead.has(node)
  }

  cutOff(process: ProcessId): void {
    this.#cutOff.add(process)
  }

  wasCutOff(process: ProcessId): boolean {
    return this.#cutOff.has(process)
  }

  /** Its owner takes the value to be there too. */
  known(key: string, [, process]: Holder): void {
    this.#knownSinceMs.set(`${key} ${process}`, this.#world.clock.now())
  }

  /** By a report its owner takes that copy for lost. Somebody must have missed it since he knows of this one. */
  dropped(key: string, [, process]: Holder): void {
    const node = this.#world.nodes().find(({ id }) => id === process)
    if (node?.store.has(key) !== true || this.#declaredDead.has(node.id)) return
    const isOf = node.store.missedAtMs(key) >= (this.#knownSinceMs.get(`${key} ${process}`) ?? 0)
    demand(isOf, 'report-of-this-copy', () => `${key} is on node ${process}, and was missed there before it came`)
  }

  /**
   * The task that makes a value runs again: its copies must be gone, or never have been needed. On `strays` an attempt
   * that came to nothing may have left one.
   */
  rebuilt(owner: Endpoint, key: string, strays: ReadonlySet<NodeId>): void {
    const at = this.#findable(owner, key, strays)
    demand(at === undefined, 'rebuilt-once-lost', () => `${key} is made again, and node ${at} has it`)
  }

  /** A living node that has the value, and that everybody must reach; undefined where that cannot be said. */
  #findable(reader: Endpoint, key: string, strays: ReadonlySet<NodeId>): ProcessId | undefined {
    const { network, options } = this.#world
    const { owner } = parseObjectKey(key)
    const excused = options.channelBreaks > 0 || this.#cutOff.has(reader.id) || this.#cutOff.has(reader.nodeId)
    if (excused || network.processes.get(owner)?.alive !== true || this.#cutOff.has(owner)) return undefined
    const takenBack = this.#takenBack.get(key) ?? none
    const isCounted = ({ id }: Endpoint): boolean => !this.#cutOff.has(id) && !strays.has(id) && !takenBack.has(id)
    return this.#world.nodes().find((node) => isCounted(node) && node.store.has(key))?.id
  }

  /** `reader`, which holds a ref to it, is told that there is no such value. `strays`: as above. */
  told(reader: Endpoint, key: string, why: string, strays: ReadonlySet<NodeId> = none): void {
    this.#world.count('value lost')
    this.#world.note(reader, `is told that ${key} is lost: ${why}`)
    if (why.includes('no room')) return this.#world.count('no room')
    const at = this.#findable(reader, key, strays)
    demand(at === undefined, 'available', () => `${key} is on node ${at}, and its reader is told: ${why}`)
    const excused =
      this.#cutOff.has(reader.id) || this.#cutOff.has(reader.nodeId) || this.#world.options.channelBreaks > 0
    if (excused || this.#world.network.processes.get(parseObjectKey(key).owner)?.alive !== true) return
    const makers = [...(this.#madeAt.get(key) ?? [])]
    const died = makers.length > 0 && makers.every((node) => this.#world.network.processes.get(node)?.alive !== true)
    const happened = died || this.#lost.has(key) || this.#released.has(key)
    demand(happened, 'never-freed-while-held', () => `${key} is gone, and nothing happened to it: ${why}`)
  }
}
