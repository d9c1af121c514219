/** What the node manager answers to the processes that are linked to it. */
import { ProtocolError } from '../base/errors.ts'
import { parseObjectKey } from '../base/ids.ts'
import { recallUnstarted } from '../objects/claim-page.ts'
import { type PullReport, reportOf } from '../objects/pull-failures.ts'
import { MessageType } from '../protocol/messages.ts'
import type { LeaseRequest, Pull, Recall, Replicate, WorkerEnd } from '../protocol/messages.ts'
import { lostText } from '../transport/link.ts'
import type { Connection, ConnectionHandlers } from './connections.ts'
import type { NodeParts } from './node-parts.ts'
import { statusOf } from './process-questions.ts'
import { freeAll, storeHandlers, userGone } from './store-handlers.ts'

/** `parts` is called when something comes, when all parts are there. */
export function connectionHandlers(parts: () => NodeParts): ConnectionHandlers {
  return {
    ...leaseHandlers(parts),
    ...objectHandlers(parts),
    ...storeHandlers(parts),
    ...codeHandlers(parts),
    ...jobHandlers(parts),
    isOwnWorker: (worker) => parts().pool.has(worker),
    workerLinked({ process, link }) {
      const { change, grants, chaos } = parts()
      chaos.workerLinked(link)
      change(() => grants.workerReady(process))
    },
    linked({ link, process }) {
      if (link.peer.kind !== 'driver') return
      parts().ways.dialBacks.back(process)
      parts().logs.linked(process, link)
    },
    gone(connection, { message }) {
      const { change, grants, jobs, tables, pool, connections, ways } = parts()
      change(() => grants.ownerGone(connection.key))
      if (!connection.ownWorker) userGone(parts(), connection)
      jobs.linkGone(connection.link)
      tables.linkGone(connection.link)
      const { process } = connection
      if (connections.find(process) !== undefined) return
      ways.dialBacks.gone(process, 'it has lost its link to its home')
      // A worker that nobody can speak to any more is of no use, alive or not.
      if (connection.ownWorker && pool.has(process) && !pool.isLeaving(process)) {
        change(() => grants.workerEnding(process))
        pool.end(process, lostText(connection.link.peer, message), false)
      }
    },
    nodesRequest({ link }, requestId) {
      link.send([MessageType.nodes, requestId, parts().grants.rows()])
    },
    tableRequest({ link }, message) {
      parts().tables.forward(link, message)
    },
    processQuery(connection, requestId, node, process) {
      connection.link.send([MessageType.processStatus, requestId, statusOf(parts(), node, process)])
    },
    nodeDrain({ link }, requestId, deadlineMs, reason) {
      // A timer of more than 31 bits would fire at once.
      const waitMs = Math.min(Math.max(0, deadlineMs), 2 ** 31 - 1)
      parts().ports.events.drainRequested(waitMs, reason, (clean) => {
        link.send([MessageType.nodeDrained, requestId, clean])
        link.flush()
      })
    },
    counts({ process }, [, , counts]) {
      parts().counting.counted(process, counts)
    },
    chaos({ link }, requestId, order) {
      void parts().chaos.order(link, requestId, order)
    },
  }
}

type LeaseHandlers = Pick<
  ConnectionHandlers,
  'leaseRequest' | 'leaseCancel' | 'leaseReturn' | 'workerEnd' | 'recall' | 'holds' | 'blocked' | 'resumed'
>

function leaseHandlers(parts: () => NodeParts): LeaseHandlers {
  return {
    leaseRequest(connection, message) {
      requestLease(parts(), connection, message)
    },
    leaseCancel({ key }, requestId) {
      const { change, grants } = parts()
      change(() => grants.cancel(key, requestId))
    },
    leaseReturn({ key }, leaseId, endWorker) {
      const { change, grants } = parts()
      change(() => grants.return(key, leaseId, endWorker))
    },
    workerEnd(connection, message) {
      void endWorker(parts(), connection, message)
    },
    recall({ link }, [, requestId, worker, epoch, sequences]: Recall) {
      const page = parts().pool.page(worker)
      const recalled = page === undefined ? [] : recallUnstarted(page, epoch, sequences)
      link.send([MessageType.recalled, requestId, recalled])
    },
    holds(worker, holds) {
      const { change, grants } = parts()
      change(() => grants.workerHolds(worker, holds))
    },
    blocked(worker, epoch) {
      const { change, grants } = parts()
      change(() => grants.workerBlocked(worker, epoch))
    },
    resumed(worker, epoch) {
      const { change, grants } = parts()
      change(() => grants.workerResumed(worker, epoch))
    },
  }
}

function requestLease(parts: NodeParts, connection: Connection, message: LeaseRequest): void {
  const { change, grants, jobs, options } = parts
  const [, requestId, job, kind, resources, strategy, priority, environment, visited, argumentBytes] = message
  const { link, process, key } = connection
  if (jobs.hasEnded(job)) {
    const text = `job ${job} is over`
    return link.send([MessageType.leaseRefused, requestId, 'draining', text])
  }
  const home = link.peer.node === options.id || jobs.isHome(process)
  const ask = { requestId, job, kind, resources, strategy, priority, environment, visited, argumentBytes }
  change(() => grants.request(key, process, ask, home))
}

/** Answers when the process and its group are gone, also for one that was gone before. */
async function endWorker(parts: NodeParts, connection: Connection, message: WorkerEnd): Promise<void> {
  const { pool, grants, change } = parts
  const [, requestId, worker, epoch, reason] = message
  const { link } = connection
  if (pool.has(worker) && !grants.holdsLease(worker, epoch)) {
    // That lease is over; whoever has the worker now shall keep it.
    const page = pool.page(worker)
    const text = `the lease with epoch ${epoch} had ended before; the worker goes on for others`
    const startedUpTo = page === undefined ? null : page.startedUpTo(epoch)
    return link.send([MessageType.workerEnded, requestId, [null, null, pool.pidOf(worker), text], startedUpTo])
  }
  change(() => grants.workerEnding(worker))
  const ended = await pool.ended(worker, reason)
  if (ended !== undefined) parts.deaths.owned(worker, ended.exit, reason)
  if (ended !== undefined) return link.send([MessageType.workerEnded, requestId, ended.exit, ended.startedUpTo(epoch)])
  const unknown = `worker ${worker} is not known to node ${parts.options.id} (any more); asked because: ${reason}`
  link.send([MessageType.workerEnded, requestId, [null, null, 0, unknown], null])
}

function objectHandlers(
  parts: () => NodeParts,
): Pick<ConnectionHandlers, 'pull' | 'prefetch' | 'free' | 'replicate' | 'madeAt'> {
  return {
    pull(connection, message) {
      void pull(parts(), connection, message)
    },
    prefetch({ link }, [, job, key, sizeBytes, holders]) {
      const { jobs, puller } = parts()
      if (jobs.hasEnded(job)) return
      jobs.noteOwner(job, parseObjectKey(key).owner, link.peer.node)
      // Whoever needs it asks again, and is told why it cannot be had.
      puller.pull(key, sizeBytes, holders, true).catch(() => {})
    },
    madeAt(key, site) {
      parts().sites.add(key, site)
    },
    replicate(connection, message) {
      void replicate(parts(), connection, message)
    },
    free(keys) {
      if (parts().sites.size > 0) parts().sites.freed(keys)
      const { ports, puller } = parts()
      for (const key of keys) puller.unwanted(key)
      if (ports.arena !== undefined) return freeAll(ports.arena, keys)
      for (const key of keys)
        ports.store.delete(key).catch((error: unknown) => {
          ports.events.warn(`freeing object ${key} failed: ${(error as Error).message}`)
        })
    },
  }
}

function codeHandlers(parts: () => NodeParts): Pick<ConnectionHandlers, 'codeNeed' | 'codeMade'> {
  return {
    codeNeed(worker, requestId, key) {
      parts().code.need(worker, requestId, key)
    },
    codeMade(worker, [, key, sizeBytes, error, again]) {
      if (error === '') parts().code.made(worker, key, sizeBytes)
      else parts().code.notMade(worker, key, error, again)
    },
  }
}

async function pull(parts: NodeParts, connection: Connection, message: Pull): Promise<void> {
  const [, requestId, key, sizeBytes, holders, ownerNode] = message
  const { puller, jobs, grants } = parts
  let error = ''
  let report: PullReport = { absent: [], unreached: [] }
  try {
    const job = connection.ownWorker ? grants.jobOf(connection.process) : connection.process
    if (job !== undefined && !jobs.hasEnded(job)) jobs.noteOwner(job, parseObjectKey(key).owner, ownerNode)
    await puller.pull(key, sizeBytes, holders)
  } catch (cause) {
    error = (cause as Error).message
    report = reportOf(cause) ?? report
  }
  const { absent, unreached, why = '' } = report
  connection.link.send([MessageType.pulled, requestId, error, absent, unreached, why])
}

/** Copies of what others keep may be dropped when memory is short: this one is kept from then on. */
async function replicate(parts: NodeParts, connection: Connection, message: Replicate): Promise<void> {
  const [, requestId, job, key, sizeBytes, holders] = message
  const { puller, jobs, ports, options } = parts
  let error = jobs.hasEnded(job) ? `job ${job} is over` : ''
  try {
    if (error === '') {
      jobs.noteOwner(job, parseObjectKey(key).owner, connection.link.peer.node)
      await puller.pull(key, sizeBytes, holders)
      // Files are never dropped.
      if (ports.arena?.keep(key) === false) error = `node ${options.id} has dropped it again`
    }
  } catch (cause) {
    error = (cause as Error).message
  }
  connection.link.send([MessageType.replicated, requestId, error])
}

function jobHandlers(parts: () => NodeParts): Pick<ConnectionHandlers, 'jobStart' | 'jobEnd'> {
  return {
    jobStart({ link, process }, requestId, job, info) {
      const { jobs, cluster } = parts()
      if (job !== process || jobs.hasEnded(job))
        return link.close(new ProtocolError(`job ${job} cannot be started (again) by process ${process}`))
      jobs.started(job, link)
      cluster.jobStart(job, info, {
        started: () => link.send([MessageType.jobStarted, requestId]),
        unanswered: (reason) => link.send([MessageType.headAway, requestId, reason]),
      })
    },
    jobEnd({ process }, job, reason) {
      // Only its driver ends a job here; nodes hear of it from the head.
      if (job === process) parts().jobs.end(job, reason)
    },
  }
}
