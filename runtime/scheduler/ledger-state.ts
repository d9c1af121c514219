/**
 * The resource ledger of one node: who holds what, in integers of 1/10,000.
 *
 *            acquire                    blocked
 *   (none) ----------> 1. held in full ----------> 2. held without its CPU
 *     ^                     |   ^                        |        |
 *     |      release        |   |        resumed         |        |
 *     +---------------------+   +------------------------+        |
 *     +-----------------------------------------------------------+
 *
 * 1 -> 2: a task that awaits a value does not compute, so its CPU goes to others. 2 -> 1 happens at once, even when
 * somebody else has taken that CPU meanwhile: then the ledger is in *debt* and grants nothing at all until what was
 * returned has paid it. Only `CPU` can be overdrawn; everything else of a lease stays with it until its release.
 */
import type { ResourceUnits } from '../protocol/messages.ts'
import { cpuName, fits, formatResources, unitsOf } from './resources.ts'

interface Holding {
  readonly resources: ResourceUnits
  blocked: boolean
}

export class Ledger {
  readonly total: ResourceUnits
  /** Units in use by name. Invariant: the sum over `holdings`, those blocked without their CPU. */
  readonly #used = new Map<string, number>()
  readonly #holdings = new Map<number, Holding>()

  constructor(total: ResourceUnits) {
    this.total = total
    for (const [name] of total) this.#used.set(name, 0)
  }

  /** Number of leases that hold something (or nothing, but were acquired). */
  get size(): number {
    return this.#holdings.size
  }

  /** CPU units that were handed out twice, because blocked leases came back: 0 unless in debt. */
  get debtUnits(): number {
    return Math.max(0, -this.freeUnits(cpuName))
  }

  /** Units of `name` that are free; negative only for `CPU`, in debt. */
  freeUnits(name: string): number {
    return unitsOf(this.total, name) - (this.#used.get(name) ?? 0)
  }

  /** What could be granted now, by name; nothing is negative, and all is 0 in debt. */
  available(): ResourceUnits {
    const inDebt = this.debtUnits > 0
    return this.total.map(([name]) => [name, inDebt ? 0 : this.freeUnits(name)] as const)
  }

  /** Whether an empty node of this size could ever hold `asked`. */
  feasible(asked: ResourceUnits): boolean {
    return fits(this.total, asked)
  }

  canAcquire(asked: ResourceUnits): boolean {
    return this.debtUnits === 0 && asked.every(([name, units]) => units <= this.freeUnits(name))
  }

  has(lease: number): boolean {
    return this.#holdings.has(lease)
  }

  /** Takes `asked` for `lease`; false, and nothing taken, when it is not free. Throws when the lease holds already. */
  acquire(lease: number, asked: ResourceUnits): boolean {
    if (this.#holdings.has(lease)) throw new Error(`ledger: lease ${lease} holds resources already`)
    if (!this.canAcquire(asked)) return false
    this.#holdings.set(lease, { resources: asked, blocked: false })
    this.#add(asked, 1)
    return true
  }

  /** Gives everything of `lease` back; false when it holds nothing (a second return is harmless). */
  release(lease: number): boolean {
    const holding = this.#holdings.get(lease)
    if (holding === undefined) return false
    this.#holdings.delete(lease)
    this.#add(holding.blocked ? withoutCpu(holding.resources) : holding.resources, -1)
    return true
  }

  /** The lease awaits a value: its CPU is free. False when it holds nothing or is blocked already. */
  blocked(lease: number): boolean {
    const holding = this.#holdings.get(lease)
    if (holding === undefined || holding.blocked) return false
    holding.blocked = true
    this.#add(cpuOnly(holding.resources), -1)
    return true
  }

  /** The lease computes again, at once; the ledger may be in debt afterwards. False when it was not blocked. */
  resumed(lease: number): boolean {
    const holding = this.#holdings.get(lease)
    if (holding === undefined || !holding.blocked) return false
    holding.blocked = false
    this.#add(cpuOnly(holding.resources), 1)
    return true
  }

  #add(resources: ResourceUnits, sign: 1 | -1): void {
    for (const [name, units] of resources) this.#used.set(name, (this.#used.get(name) ?? 0) + sign * units)
  }

  /** Throws when an invariant is broken; on in all tests and in the simulation. */
  validate(): void {
    const expected = new Map<string, number>(this.total.map(([name]) => [name, 0]))
    for (const holding of this.#holdings.values())
      for (const [name, units] of holding.blocked ? withoutCpu(holding.resources) : holding.resources)
        expected.set(name, (expected.get(name) ?? 0) + units)
    for (const [name, used] of this.#used) {
      const sum = expected.get(name) ?? 0
      if (used !== sum) throw new Error(`ledger: ${used} units of ${name} are booked, its leases hold ${sum}`)
      if (!Number.isSafeInteger(used) || used < 0) throw new Error(`ledger: ${used} units of ${name} are booked`)
      if (name !== cpuName && used > unitsOf(this.total, name))
        throw new Error(`ledger: more ${name} is booked (${used}) than there is (${formatResources(this.total)})`)
    }
  }
}

function cpuOnly(resources: ResourceUnits): ResourceUnits {
  return resources.filter(([name]) => name === cpuName)
}

function withoutCpu(resources: ResourceUnits): ResourceUnits {
  return resources.filter(([name]) => name !== cpuName)
}
