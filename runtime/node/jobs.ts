/**
 * The jobs that this node knows: whose driver is at home here, and whose objects lie here.
 *
 *   1. linked --link lost--> 2. away --jobStart over a new link--> 1.
 *   1 --jobEnd, 2 --driverGraceMs over, head says so--> (ended: workers ended, objects deleted)
 */
import { BoundedSet } from '../base/bounded-set.ts'
import { afterFairly } from '../base/clock.ts'
import type { Timer } from '../base/clock.ts'
import type { NodeId, ProcessId } from '../base/ids.ts'
import type { Link } from '../transport/link.ts'
import { ForeignOwners, type ForeignOwnersOptions } from './foreign-owners.ts'

interface HomeJob {
  link: Link | undefined
  graceTimer: Timer | undefined
}

export interface JobsOptions extends Omit<ForeignOwnersOptions, 'onDead'> {
  readonly driverGraceMs: number
  /** What a worker of another node owned here is to be freed: that has ended. */
  readonly onOwnerDead: (owner: ProcessId) => void
  /** The job is over here: end its workers and delete the objects of these owners. Called once per job. */
  readonly onEnd: (job: ProcessId, reason: string, owners: readonly ProcessId[], home: boolean) => void
}

/** Jobs that ended and whose late messages are refused: so many are remembered. */
const rememberedEnds = 1_000

export class Jobs {
  readonly #options: JobsOptions
  readonly #home = new Map<ProcessId, HomeJob>()
  /** Owners by job: the driver, and the workers that own something here. */
  readonly #owners = new Map<ProcessId, Set<ProcessId>>()
  readonly #foreign: ForeignOwners
  readonly #ended = new BoundedSet<ProcessId>(rememberedEnds)

  constructor(options: JobsOptions) {
    this.#options = options
    this.#foreign = new ForeignOwners({
      ...options,
      onDead: (owner) => {
        this.ownerGone(owner)
        options.onOwnerDead(owner)
      },
    })
  }

  /** Programs whose home is this node, those included that have lost their link and may come back. */
  get homes(): number {
    return this.#home.size
  }

  /** Owners of jobs that are not over, as far as something of theirs may be here. */
  get owners(): number {
    let owners = 0
    for (const each of this.#owners.values()) owners += each.size
    return owners
  }

  /** The jobs whose home this is, and the others. */
  held(): [homes: ProcessId[], others: ProcessId[]] {
    return [[...this.#home.keys()], [...this.#owners.keys()].filter((job) => !this.#home.has(job))]
  }

  isHome(job: ProcessId): boolean {
    return this.#home.has(job)
  }

  hasEnded(job: ProcessId): boolean {
    return this.#ended.has(job)
  }

  /** A driver begins, or comes back over a new link. */
  started(job: ProcessId, link: Link): void {
    const known = this.#home.get(job)
    known?.graceTimer?.cancel()
    this.#home.set(job, { link, graceTimer: undefined })
    this.noteOwner(job, job)
  }

  /** Something of that process is here, or will be. `node`: where it lives, as far as that is known. */
  noteOwner(job: ProcessId, owner: ProcessId, node?: NodeId): void {
    if (this.#ended.has(job)) return
    let owners = this.#owners.get(job)
    if (owners === undefined) this.#owners.set(job, (owners = new Set([job])))
    owners.add(owner)
    // Of the end of a driver the head tells: it is that of its job.
    if (node !== undefined && owner !== job) this.#foreign.note(owner, node)
  }

  /** A worker has ended, and what it owned here is freed. */
  ownerGone(owner: ProcessId): void {
    this.#foreign.forget(owner)
    for (const owners of this.#owners.values()) owners.delete(owner)
  }

  linkGone(link: Link): void {
    for (const [job, entry] of this.#home) {
      if (entry.link !== link) continue
      const { clock, driverGraceMs } = this.#options
      entry.link = undefined
      entry.graceTimer = afterFairly(clock, driverGraceMs, () => {
        this.end(job, `its driver has been gone for ${driverGraceMs} ms`)
      })
    }
  }

  end(job: ProcessId, reason: string): void {
    if (this.#ended.has(job)) return
    this.#ended.add(job)
    const home = this.#home.get(job)
    home?.graceTimer?.cancel()
    const owners = [...(this.#owners.get(job) ?? [job])]
    this.#home.delete(job)
    this.#owners.delete(job)
    for (const owner of owners) this.#foreign.forget(owner)
    this.#options.onEnd(job, reason, owners, home !== undefined)
  }

  close(): void {
    this.#foreign.close()
    for (const entry of this.#home.values()) entry.graceTimer?.cancel()
    this.#home.clear()
  }
}
