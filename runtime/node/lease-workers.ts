/**
 * Which process a request gets, and when processes start and end.
 *
 *   1. starting --ready--> 2. idle (fresh: of no job yet) --grant--> 3. leased --last lease returned--> 2. idle
 *   1, 2, 3 --end--> 4. ending --died--> (gone)          1 --died--> (gone, a failed start)
 *
 * A task request takes an idle worker of its job and environment (the one used last, it is warm), else a fresh one of
 * its environment, else a new one is started. A pinned request takes a fresh one only: what another task left behind in
 * a module must not be seen by an initializer. When `extraWorkersPerCpu` workers per CPU await something, a task is
 * granted on one of them that serves the same job, instead of starting yet another process; a job that has none of
 * those still gets its own, since it could not go on otherwise.
 */
import { heldUpMs } from '../base/clock.ts'
import type { ProcessId } from '../base/ids.ts'
import { leasesPerPage } from '../objects/claim-page.ts'
import type { LeaseTables } from './lease-tables.ts'
import type { WaitingRequest, WorkerEntry } from './lease-types.ts'

/** For workers that were starting meanwhile, in milliseconds. */
const readyGraceMs = 5_000

/** Gives a process to each request that holds resources, as far as there are any. */
export function assignWorkers(tables: LeaseTables): void {
  for (const request of tables.allocated()) {
    const worker = workerFor(tables, request)
    if (worker !== undefined) tables.grant(request, worker)
  }
}

function workerFor(tables: LeaseTables, request: WaitingRequest): WorkerEntry | undefined {
  let own: WorkerEntry | undefined
  let fresh: WorkerEntry | undefined
  for (const worker of tables.workers.values()) {
    if (worker.state !== 'idle' || worker.environment !== request.environment || isWornOut(tables, worker)) continue
    if (worker.job === undefined) fresh ??= worker
    else if (worker.job === request.job && (own === undefined || worker.idleSinceMs >= own.idleSinceMs)) own = worker
  }
  if (request.kind === 'pinned') return fresh
  return own ?? fresh ?? (blockedWorkers(tables) >= extraWorkers(tables) ? sharedWorker(tables, request) : undefined)
}

/** It has served its last lease; it is there as long as it owns something. */
export function isWornOut(tables: LeaseTables, worker: WorkerEntry): boolean {
  return worker.epoch >= tables.deps.options.maxEpoch
}

/** The blocked worker of the same job and environment that serves the fewest leases. */
function sharedWorker(tables: LeaseTables, request: WaitingRequest): WorkerEntry | undefined {
  let best: WorkerEntry | undefined
  for (const worker of tables.workers.values()) {
    if (worker.job !== request.job || worker.environment !== request.environment) continue
    // The claim page has room for so many leases at once, and their epochs may leave gaps.
    if (worker.leases.size >= leasesPerPage - 1) continue
    if (worker.epoch + leasesPerPage > tables.deps.options.maxEpoch) continue
    if (!tables.allBlocked(worker) || isPinned(tables, worker)) continue
    if (best === undefined || worker.leases.size < best.leases.size) best = worker
  }
  return best
}

function isPinned(tables: LeaseTables, worker: WorkerEntry): boolean {
  for (const id of worker.leases) if (tables.leases.get(id)?.kind === 'pinned') return true
  return false
}

function blockedWorkers(tables: LeaseTables): number {
  return tables.countWorkers((worker) => tables.allBlocked(worker))
}

function extraWorkers(tables: LeaseTables): number {
  return tables.deps.options.extraWorkersPerCpu * tables.cpus
}

/** Starts what allocated requests lack, then what is to be there ahead of them. */
export function startWorkers(tables: LeaseTables): void {
  if (tables.draining) return
  const lacking = new Map<string, WaitingRequest[]>()
  for (const request of tables.allocated()) {
    const others = lacking.get(request.environment)
    if (others === undefined) lacking.set(request.environment, [request])
    else others.push(request)
  }
  for (const [environment, requests] of lacking) {
    const starting = tables.countWorkers((worker) => worker.state === 'starting' && worker.environment === environment)
    for (const { job } of requests.slice(starting)) {
      if (!mayStart(tables, environment)) break
      makeRoom(tables, job)
      startWorker(tables, environment)
    }
  }
  if (tables.spawnClasses.get('')?.givenUp === true) return
  let live = tables.countWorkers((worker) => worker.state !== 'ending')
  while (live++ < tables.deps.options.prestart && mayStart(tables, '')) startWorker(tables, '')
}

function mayStart(tables: LeaseTables, environment: string): boolean {
  if (tables.countWorkers((worker) => worker.state === 'starting') >= tables.deps.options.maxStarting) return false
  return tables.now() >= (tables.spawnClasses.get(environment)?.notBeforeMs ?? 0)
}

function startWorker(tables: LeaseTables, environment: string): void {
  const id = tables.deps.newWorkerId()
  const idle = {
    id,
    environment,
    state: 'starting',
    job: undefined,
    epoch: 0,
    idleSinceMs: tables.now(),
    holds: false,
    late: false,
  } as const
  tables.workers.set(id, { ...idle, leases: new Set() })
  tables.deps.effects.startWorker(id, environment)
}

/**
 * An idle worker makes room for one that a job needs: one of that job, which cannot use it now, else one of another. Of
 * those as many stay as there are CPUs, and one of each job that waits: programs that take turns would otherwise start
 * their workers anew at each.
 */
function makeRoom(tables: LeaseTables, job: ProcessId): void {
  const running = tables.countWorkers((worker) => worker.state !== 'ending' && !tables.allBlocked(worker))
  if (running < Math.max(tables.cpus, tables.deps.options.prestart)) return
  const idle = [...tables.workers.values()]
    .filter((worker) => worker.state === 'idle' && !worker.holds)
    .sort((a, b) => a.idleSinceMs - b.idleSinceMs)
  let gone = idle.find((worker) => worker.job === job)
  if (gone === undefined && idle.length > tables.cpus) gone = idle.find((worker) => !isNeeded(tables, worker))
  if (gone !== undefined) tables.endWorker(gone, 'another worker needs its place', true)
}

/** Whether it is the last worker of a job that waits here. */
function isNeeded(tables: LeaseTables, { id, job }: WorkerEntry): boolean {
  for (const other of tables.workers.values())
    if (other.job === job && other.id !== id && other.state !== 'ending') return false
  for (const request of tables.waiting.values()) if (request.job === job) return true
  return false
}

/** False when the worker is not one that was starting. */
export function markReady(tables: LeaseTables, worker: WorkerEntry): boolean {
  if (worker.state !== 'starting' || worker.late) return false
  worker.state = 'idle'
  worker.idleSinceMs = tables.now()
  tables.spawnClasses.delete(worker.environment)
  return true
}

/** Removes a dead worker with its leases; a start that failed is counted. */
export function markDied(tables: LeaseTables, worker: WorkerEntry, text: string, killed: boolean): void {
  const failedStart = worker.state === 'starting'
  for (const id of [...worker.leases]) {
    const lease = tables.leases.get(id)
    if (lease !== undefined) tables.dropLease(lease)
  }
  tables.workers.delete(worker.id)
  if (!failedStart) return
  const what = worker.late ? `it was not ready within ${tables.deps.options.startTimeoutMs} ms and ${text}` : text
  // That signal was ours: a start that hangs is one that failed.
  countFailedStart(tables, worker.environment, what, killed && !worker.late)
}

function countFailedStart(tables: LeaseTables, environment: string, text: string, killed: boolean): void {
  const { options, effects, random } = tables.deps
  const entry = tables.failedSpawns(environment)
  const attempts = killed ? ++entry.killed : ++entry.failures
  // Who kills workers does not wait for that, but a machine without memory needs some time.
  const backoffMs = killed
    ? Math.min(10 * options.spawnBackoffMs, 2 ** (attempts - 1))
    : options.spawnBackoffMs * 2 ** (attempts - 1)
  entry.notBeforeMs = tables.now() + backoffMs * (0.5 + random.next() / 2)
  if (attempts === 1 && !killed && !entry.givenUp) effects.reportSpawnFailure(environment, text)
  if (attempts < (killed ? options.maxKilledSpawns : options.maxSpawnFailures)) return
  if (killed && !entry.givenUp) effects.reportSpawnFailure(environment, text)
  entry.failures = entry.killed = 0
  entry.givenUp = true
  // Where other workers of that environment run, those that only wait for resources may still be served by them.
  const served = tables.countWorkers(
    (worker) => worker.environment === environment && (worker.state === 'idle' || worker.state === 'leased'),
  )
  for (const request of [...tables.waiting.values()]) {
    if (request.environment !== environment || (served > 0 && request.lease === 0)) continue
    if (!request.mayRunHere) continue
    tables.dropWaiting(request)
    const what = `workers do not start on node ${tables.deps.node} (${attempts} attempts): ${text}`
    effects.refuse(request.owner, request.requestId, 'spawn-failed', what)
  }
}

/**
 * Kills workers that hang before they are ready. Where this node was held up itself (in local mode the program may keep its
 * event loop busy), what they said meanwhile is still unread: they get some more time.
 */
export function killLate(tables: LeaseTables): void {
  for (const worker of tables.workers.values()) {
    if (worker.state !== 'starting' || worker.late) continue
    const overMs = tables.now() - worker.idleSinceMs - tables.deps.options.startTimeoutMs
    if (overMs > heldUpMs) worker.idleSinceMs += overMs + readyGraceMs
    if (overMs < 0 || overMs > heldUpMs) continue
    worker.late = true
    tables.deps.effects.endWorker(worker.id, 'it was not ready in time', false)
  }
}

/** Ends idle workers above the number that is kept, the longest idle ones first. */
export function reapIdle(tables: LeaseTables): void {
  const { options } = tables.deps
  const idle = [...tables.workers.values()]
    .filter((worker) => worker.state === 'idle' && !worker.holds)
    .sort((a, b) => a.idleSinceMs - b.idleSinceMs)
  let above = idle.length - options.prestart
  for (const worker of idle) {
    if (above-- <= 0 || tables.now() - worker.idleSinceMs < options.idleReapMs) return
    tables.endWorker(worker, 'it was idle', true)
  }
}
