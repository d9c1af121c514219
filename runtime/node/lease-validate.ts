/** The invariants of the lease machine; on in all tests and after every event of the simulation. */
import type { LeaseTables } from './lease-tables.ts'

/** Throws an Error that names the broken invariant. */
export function validateLeases(tables: LeaseTables): void {
  tables.ledger.validate()
  validateRequests(tables)
  validateWorkers(tables)
  const shares = new Map<string, number>()
  const count = (key: string): Map<string, number> => shares.set(key, (shares.get(key) ?? 0) + 1)
  for (const request of tables.waiting.values()) if (request.lease !== 0) count(request.classKey)
  for (const lease of tables.leases.values()) if (lease.state !== 'ending') count(lease.classKey)
  check(shares.size === tables.shares.size, 'a class without leases has a share')
  for (const [key, share] of shares)
    check(tables.share(key) === share, `class ${key} has ${share} leases, not its share`)
}

function validateRequests(tables: LeaseTables): void {
  let holding = tables.leases.size
  for (const request of tables.waiting.values()) {
    if (request.lease === 0) continue
    holding++
    check(tables.ledger.has(request.lease), `the allocated request ${request.requestId} holds nothing`)
    check(!tables.leases.has(request.lease), `lease ${request.lease} is granted and waits`)
  }
  check(holding === tables.ledger.size, `${tables.ledger.size} holdings are booked for ${holding} leases`)
  const granted = new Set<string>()
  for (const lease of tables.leases.values()) {
    const key = `${lease.owner} ${lease.requestId}`
    check(!granted.has(key), `request ${key} was granted twice`)
    check(!tables.waiting.has(key), `request ${key} is granted and waits`)
    granted.add(key)
    check(tables.ledger.has(lease.id), `lease ${lease.id} holds nothing`)
    const worker = tables.workers.get(lease.worker)
    check(worker !== undefined, `lease ${lease.id} is on a worker that is gone`)
    check(worker?.leases.has(lease.id) === true, `worker ${lease.worker} does not know its lease ${lease.id}`)
    check(worker?.job === lease.job, `lease ${lease.id} is on a worker of another job`)
    check((lease.state === 'ending') === (worker?.state === 'ending'), `lease ${lease.id} ends without its worker`)
    if (lease.kind === 'pinned') check(worker?.leases.size === 1, `the pinned lease ${lease.id} shares its worker`)
  }
}

function validateWorkers(tables: LeaseTables): void {
  for (const worker of tables.workers.values()) {
    const { state } = worker
    if (state === 'leased') check(worker.leases.size > 0, `worker ${worker.id} is leased to nobody`)
    if (state === 'idle' || state === 'starting')
      check(worker.leases.size === 0, `worker ${worker.id} is ${state} and leased`)
    if (state === 'starting') check(worker.job === undefined, `worker ${worker.id} has a job before it is ready`)
    check(worker.epoch <= tables.deps.options.maxEpoch, `worker ${worker.id} has had too many leases`)
    const epochs = new Set<number>()
    for (const id of worker.leases) {
      const lease = tables.leases.get(id)
      check(lease !== undefined, `worker ${worker.id} serves lease ${id}, which is gone`)
      if (lease === undefined) continue
      check(
        !epochs.has(lease.epoch) && lease.epoch <= worker.epoch,
        `worker ${worker.id} has epoch ${lease.epoch} twice`,
      )
      epochs.add(lease.epoch)
    }
  }
}

function check(holds: boolean, text: string): void {
  if (!holds) throw new Error(`leases: ${text}`)
}
