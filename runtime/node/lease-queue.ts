/**
 * Who is next, and where it goes. Requests of one class (same owner, kind, resources, priority, environment) wait in
 * order of arrival; between classes the order is
 *
 *   1. higher priority,  2. the class that has fewer leases here,  3. one with little to do (`isLight`),
 *   4. earlier arrival, or its last turn.
 *
 * Without 2 an owner with a thousand requests would hold the whole node against one that came later with its first.
 * It starves nobody: a class is only overtaken while it has more than the other, or by those that have lately had less
 * than their part. Without 3 a short call would wait for a turn of each class before it. Without the turns in 4 an owner
 * whose requests are the oldest would get each lease back that it has just given to others.
 *
 * Big against small: a request that does not fit lets smaller ones pass for `reserveAfterMs`, or until leases have been
 * asked back for it (or those would go to the small ones, only to be asked back at once). After that it reserves:
 * what it needs counts as taken for everybody behind it, so what comes free adds up until it fits. It reserves only
 * where it can succeed, that is, where the node would be big enough if every *task* lease came back; pinned leases may
 * stay for ever, and a reservation against them would keep CPUs idle for nothing.
 */
import type { NodeRow } from '../protocol/messages.ts'
import { explainInfeasible } from '../scheduler/placement.ts'
import { place } from '../scheduler/policy.ts'
import { fits, unitsOf } from '../scheduler/resources.ts'
import type { LeaseTables } from './lease-tables.ts'
import type { LeaseAsk, LeaseOptions, WaitingRequest } from './lease-types.ts'

/** One class that waits here: `requests[next]` is its head. */
export interface WaitingClass {
  readonly key: string
  readonly priority: number
  readonly requests: WaitingRequest[]
  next: number
  /** Its leases, those of this walk included. */
  share: number
  readonly isLight: boolean
}

export function waitingClasses(tables: LeaseTables): WaitingClass[] {
  const classes = new Map<string, WaitingClass>()
  for (const request of tables.waiting.values()) {
    if (request.lease !== 0 || !request.mayRunHere) continue
    const entry = classes.get(request.classKey)
    if (entry !== undefined) entry.requests.push(request)
    else {
      const { classKey: key, priority } = request
      const [share, light] = [tables.share(key), isLight(tables, request)]
      classes.set(key, { key, priority, requests: [request], next: 0, share, isLight: light })
    }
  }
  return [...classes.values()]
}

/** It is the first of a class that had nothing here, and has lately had less than its part. */
export function isLight(tables: LeaseTables, request: WaitingRequest): boolean {
  return request.isFirst && tables.hadLittle(request)
}

/** The class whose head is next by the order above; the walk ends with undefined. */
export function nextClass(classes: readonly WaitingClass[]): WaitingClass | undefined {
  let best: WaitingClass | undefined
  for (const entry of classes) {
    if (entry.next >= entry.requests.length) continue
    if (best === undefined || before(entry, best)) best = entry
  }
  return best
}

function before(a: WaitingClass, b: WaitingClass): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority
  if (a.share !== b.share) return a.share < b.share
  if (a.isLight !== b.isLight) return a.isLight
  return headOf(a).sequence < headOf(b).sequence
}

export function headOf(entry: WaitingClass): WaitingRequest {
  return entry.requests[entry.next] as WaitingRequest
}

/** Books resources for whoever is next, as far as they go. */
export function allocateWaiting(tables: LeaseTables): void {
  if (tables.draining || tables.ledger.debtUnits > 0) return
  const classes = waitingClasses(tables)
  const reserved = new Map<string, number>()
  for (let entry = nextClass(classes); entry !== undefined; entry = nextClass(classes)) {
    const head = headOf(entry)
    const free = head.resources.every(
      ([name, units]) => units <= tables.ledger.freeUnits(name) - (reserved.get(name) ?? 0),
    )
    if (free && tables.allocate(head)) {
      entry.next++
      entry.share++
      continue
    }
    // The others of its class are as big and come later.
    entry.next = entry.requests.length
    const waitedLong = tables.now() - head.waitsSinceMs >= tables.deps.options.reserveAfterMs
    if (!(waitedLong || head.awaitsReturns) || !attainable(tables, head)) continue
    for (const [name, units] of head.resources) reserved.set(name, (reserved.get(name) ?? 0) + units)
  }
}

/** Whether the node is big enough for it once every task lease is back. */
export function attainable(tables: LeaseTables, request: LeaseAsk): boolean {
  return request.resources.every(
    ([name, units]) => units <= unitsOf(tables.ledger.total, name) - pinnedUnits(tables, name),
  )
}

function pinnedUnits(tables: LeaseTables, name: string): number {
  let sum = 0
  for (const lease of tables.leases.values())
    if (lease.kind === 'pinned' && lease.state !== 'ending') sum += unitsOf(tables.heldBy(lease), name)
  for (const request of tables.waiting.values())
    if (request.kind === 'pinned' && request.lease !== 0) sum += unitsOf(request.resources, name)
  return sum
}

/** Sends requests that found nothing here elsewhere, refuses them, or lets them wait. */
export function placeWaiting(tables: LeaseTables): void {
  for (const request of [...tables.waiting.values()]) {
    if (request.lease !== 0 || request.placed) continue
    request.placed = true
    if (request.home) placeHome(tables, request)
    else if (!mayQueueRedirected(tables, request)) refuseBusy(tables, request)
  }
}

function placeHome(tables: LeaseTables, request: WaitingRequest): void {
  const { node, effects } = tables.deps
  const { resources, strategy, visitedNow: visited, argumentBytes } = request
  const placement = place(
    { resources, strategy, visited, argumentBytes },
    { self: node, rows: placingRowsOf(tables), freeHere: false },
  )
  request.infeasibleSinceMs = placement.kind === 'never' ? (request.infeasibleSinceMs ?? tables.now()) : undefined
  let target: NodeRow | undefined
  if (placement.kind === 'node') target = tables.view.row(placement.node)
  else if (placement.kind === 'later' && !placement.here) {
    // It can only ever run elsewhere, so that is where it has to stand in the queue.
    for (const id of placement.nodes) {
      const row = visited.includes(id) ? undefined : tables.view.row(id)
      if (row !== undefined && (target === undefined || row.queued < target.queued)) target = row
    }
  }
  if (target !== undefined) redirect(tables, request, target)
  else if (tables.draining && placement.kind !== 'never') {
    // What only this node could run waits here for another that can, and is told so when none comes in time.
    tables.dropWaiting(request)
    const text = `node ${node} is draining, and no other node can take this now`
    effects.refuse(request.owner, request.requestId, 'draining', text)
  }
}

/** A request that this node could grant goes to one that is free and has more of its arguments. */
export function sendToArguments(tables: LeaseTables, request: WaitingRequest): void {
  const { resources, strategy, visited, argumentBytes } = request
  if (tables.draining || !tables.ledger.canAcquire(resources)) return
  const view = { self: tables.deps.node, rows: placingRowsOf(tables), freeHere: true }
  const placement = place({ resources, strategy, visited, argumentBytes }, view)
  const target = placement.kind === 'node' ? tables.view.row(placement.node) : undefined
  if (target !== undefined) redirect(tables, request, target)
}

function redirect(tables: LeaseTables, request: WaitingRequest, { id }: NodeRow): void {
  tables.dropWaiting(request)
  tables.view.redirected(id, request.resources, tables.now())
  tables.deps.effects.redirect(request.owner, request.requestId, id)
}

/**
 * A redirected request queues only where it is served soon: nobody waits before it, and the task leases here would do.
 * Otherwise its home, which sent it here and so is the last node that it visited, keeps it and sends it on. One that its
 * home could never run waits here, until another node has room for it.
 */
function mayQueueRedirected(tables: LeaseTables, request: WaitingRequest): boolean {
  if (tables.draining || !request.mayRunHere) return false
  if (!mayWaitAtHome(tables, request)) return !hasRoomElsewhere(tables, request)
  for (const other of tables.waiting.values())
    if (other !== request && other.lease === 0 && other.priority >= request.priority) return false
  return attainable(tables, request)
}

export function mayWaitAtHome(tables: LeaseTables, request: WaitingRequest): boolean {
  const sender = request.visited.at(-1)
  const home = sender === undefined ? undefined : tables.view.row(sender)
  return home !== undefined && home.state === 'alive' && fits(home.total, request.resources)
}

function hasRoomElsewhere(tables: LeaseTables, { resources, strategy, visited }: WaitingRequest): boolean {
  const { node } = tables.deps
  const view = { self: node, rows: placingRowsOf(tables), freeHere: false }
  return place({ resources, strategy, visited: [...visited, node] }, view).kind === 'node'
}

function refuseBusy(tables: LeaseTables, request: WaitingRequest): void {
  tables.dropWaiting(request)
  const { node, effects } = tables.deps
  if (tables.draining) effects.refuse(request.owner, request.requestId, 'draining', `node ${node} is draining`)
  else effects.refuse(request.owner, request.requestId, 'busy', `node ${node} has nothing free`)
}

/** Those that nobody could ever run: their programs are told of them, and after their bounded wait they are refused. */
export function settleInfeasible(tables: LeaseTables): void {
  const { options, effects } = tables.deps
  const nowMs = tables.now()
  const waiting = [...tables.waiting.values()]
  const due = waiting.filter((request) => nowMs >= infeasibleDueMs(request, options))
  if (due.length === 0) return
  const told = new Set(waiting.filter(({ infeasibleTold }) => infeasibleTold).map(({ classKey }) => classKey))
  for (const request of due) {
    const { owner, requestId, job, classKey, infeasibleSinceMs: sinceMs = nowMs } = request
    const leftMs = sinceMs + options.infeasibleTimeoutMs - nowMs
    if (leftMs > 0) {
      request.infeasibleTold = true
      const waits = `what a program asks for waits ${Math.ceil(leftMs / 1_000)} s more, as no node can take it`
      if (!told.has(classKey)) effects.reportInfeasible(job, `${waits}: ${whyNever(tables, request)}`)
      told.add(classKey)
    } else {
      tables.dropWaiting(request)
      effects.refuse(owner, requestId, 'infeasible', whyNever(tables, request))
    }
  }
}

/** When something is done next with a request that nobody could ever run; infinity for others. */
export function infeasibleDueMs(
  { infeasibleSinceMs: sinceMs, infeasibleTold }: WaitingRequest,
  { infeasibleTimeoutMs, infeasibleToldMs }: LeaseOptions,
): number {
  if (sinceMs === undefined) return Number.POSITIVE_INFINITY
  return sinceMs + (infeasibleTold ? infeasibleTimeoutMs : Math.min(infeasibleToldMs, infeasibleTimeoutMs))
}

function whyNever(tables: LeaseTables, { resources, strategy }: WaitingRequest): string {
  const view = { self: tables.deps.node, rows: rowsOf(tables), freeHere: false }
  const placement = place({ resources, strategy, visited: [] }, view)
  return placement.kind === 'never' ? placement.text : explainInfeasible(resources, view.rows)
}

/** All rows, this node's own as it is now. */
export function rowsOf(tables: LeaseTables): NodeRow[] {
  return withOwn(tables, tables.view.rows())
}

function placingRowsOf(tables: LeaseTables): NodeRow[] {
  return withOwn(tables, tables.view.placingRows())
}

function withOwn(tables: LeaseTables, all: readonly NodeRow[]): NodeRow[] {
  const own = tables.deps.ownRow()
  const rows = all.filter((row) => row.id !== own.id)
  rows.push({ ...own, available: tables.ledger.available(), state: tables.draining ? 'draining' : own.state })
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1))
}
