/**
 * Whose lease is asked back, and when. A lease is reclaimed for the next in the queue when
 *
 *   - it has a lower priority: at once,
 *   - it has the same priority, that request has waited and the lease been held for `reclaimAfterMs`: if the waiting
 *     class has nothing here, or at least two leases fewer than the class that gives (so two owners settle at equal
 *     shares and then stop). Where more compete than there are CPUs, each has turns of that length; what is lost between
 *     two turns is some milliseconds.
 *
 * A class that comes with its first request does not wait that long, and takes from who has held a lease for
 * `reclaimForFirstAfterMs`: it may have little to do. One that did have little to do waits for `reclaimForLightAfterMs`
 * only: short calls now and then are served beside whatever else there is, until their class has had its part.
 * Whoever gave back what was asked of him stands at the end of the queue. What is idle is asked for as soon as anybody
 * waits.
 *
 * Never from the class that asks: its owner would give a lease back to get the same one again. Pinned leases are left
 * alone, they live as long as their owner wants. A node that drains asks all of them back.
 * What is already on its way back counts as free, and nothing is asked for unless it suffices for the one that waits.
 */
import type { LeaseTables } from './lease-tables.ts'
import type { Lease, WaitingRequest } from './lease-types.ts'
import { attainable, headOf, isLight, nextClass, waitingClasses } from './lease-queue.ts'
import type { WaitingClass } from './lease-queue.ts'

export function reclaimForWaiting(tables: LeaseTables): void {
  if (tables.draining) return
  const classes = waitingClasses(tables)
  if (classes.length === 0) return
  const expected = comingFree(tables)
  const shares = new Map(tables.shares)
  for (let entry = nextClass(classes); entry !== undefined; entry = nextClass(classes)) {
    const victims = victimsFor(tables, entry, expected, shares)
    if (victims === undefined) {
      entry.next = entry.requests.length
      continue
    }
    if (victims.length > 0) headOf(entry).awaitsReturns = true
    for (const lease of victims) {
      shares.set(lease.classKey, (shares.get(lease.classKey) ?? 0) - 1)
      for (const [name, units] of tables.heldBy(lease)) expected.set(name, (expected.get(name) ?? 0) + units)
      reclaim(tables, lease)
    }
    for (const [name, units] of headOf(entry).resources) expected.set(name, (expected.get(name) ?? 0) - units)
    entry.next++
    entry.share++
  }
  for (const { key, requests } of classes) wantIdle(tables, key, requests[0] as WaitingRequest)
}

/** Nobody keeps for long what he has no use for while others lack it. */
function wantIdle(tables: LeaseTables, classKey: string, head: WaitingRequest): void {
  const lacks = head.resources.filter(([name, units]) => units > tables.ledger.freeUnits(name)).map(([name]) => name)
  for (const lease of tables.leases.values()) {
    if (lease.kind !== 'task' || lease.state !== 'granted' || lease.wanted || lease.classKey === classKey) continue
    if (!tables.heldBy(lease).some(([name]) => lacks.includes(name))) continue
    lease.wanted = true
    tables.deps.effects.reclaim(lease, true)
  }
}

/** How long leases of its priority are left alone when this one waits, and how long it waits before it asks for any. */
export function turnBefore(tables: LeaseTables, request: WaitingRequest): number {
  const { options } = tables.deps
  if (!request.isFirst) return options.reclaimAfterMs
  return isLight(tables, request) ? options.reclaimForLightAfterMs : options.reclaimForFirstAfterMs
}

export function reclaimAll(tables: LeaseTables): void {
  for (const lease of tables.leases.values()) if (lease.state === 'granted') reclaim(tables, lease)
}

function reclaim(tables: LeaseTables, lease: Lease): void {
  lease.state = 'reclaiming'
  tables.deps.effects.reclaim(lease, false)
}

/** Free units by name, with what is on its way back. */
function comingFree(tables: LeaseTables): Map<string, number> {
  const expected = new Map<string, number>()
  for (const [name] of tables.ledger.total) expected.set(name, tables.ledger.freeUnits(name))
  for (const lease of tables.leases.values()) {
    if (lease.state === 'granted') continue
    for (const [name, units] of tables.heldBy(lease)) expected.set(name, (expected.get(name) ?? 0) + units)
  }
  return expected
}

/** The leases that make the head of this class fit, [] when it will fit anyway, undefined when nothing can be done. */
function victimsFor(
  tables: LeaseTables,
  entry: WaitingClass,
  expected: ReadonlyMap<string, number>,
  shares: ReadonlyMap<string, number>,
): Lease[] | undefined {
  const head = headOf(entry)
  const missing = new Map<string, number>()
  for (const [name, units] of head.resources) {
    const lacking = units - (expected.get(name) ?? 0)
    if (lacking > 0) missing.set(name, lacking)
  }
  if (missing.size === 0) return []
  if (!attainable(tables, head)) return undefined
  const turnMs = turnBefore(tables, head)
  const waitedLong = tables.now() - head.waitsSinceMs >= turnMs
  const left = new Map(shares)
  const victims: Lease[] = []
  for (const lease of candidates(tables, left)) {
    if (lease.classKey === entry.key || lease.priority > entry.priority) continue
    if (lease.priority === entry.priority) {
      const share = left.get(lease.classKey) ?? 0
      const hadTurn = tables.now() - lease.grantedAtMs >= turnMs
      if (!waitedLong || !hadTurn || (entry.share > 0 && share < entry.share + 2)) continue
    }
    const helps = tables.heldBy(lease).filter(([name]) => (missing.get(name) ?? 0) > 0)
    if (helps.length === 0) continue
    victims.push(lease)
    left.set(lease.classKey, (left.get(lease.classKey) ?? 0) - 1)
    for (const [name, units] of helps) missing.set(name, (missing.get(name) ?? 0) - units)
    if ([...missing.values()].every((units) => units <= 0)) return victims
  }
  return undefined
}

/** Lowest priority first, then the class that has most, then the oldest lease. */
function candidates(tables: LeaseTables, shares: ReadonlyMap<string, number>): Lease[] {
  return [...tables.leases.values()]
    .filter((lease) => lease.kind === 'task' && lease.state === 'granted')
    .sort(
      (a, b) => a.priority - b.priority || (shares.get(b.classKey) ?? 0) - (shares.get(a.classKey) ?? 0) || a.id - b.id,
    )
}
