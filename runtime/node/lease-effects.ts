/** The instructions of the lease machine, carried out: messages to owners and workers, processes started and ended. */
import type { ProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import type { LeaseEffects } from './lease-types.ts'
import type { NodeParts } from './node-parts.ts'

/** `parts` is called when an instruction comes, when all parts are there. */
export function leaseEffects(parts: () => NodeParts): LeaseEffects {
  return {
    grant(lease, others) {
      const { connections, pool, jobs, options } = parts()
      const { id, owner, requestId, worker, epoch, process, job, kind } = lease
      const asking = connections.get(owner)?.link
      pool.noteEpoch(worker, epoch)
      jobs.noteOwner(job, process, asking?.peer.node)
      jobs.noteOwner(job, worker, options.id)
      connections.find(worker)?.send([MessageType.leaseStart, epoch, process, job, kind, others])
      const paths = [pool.socketPath(worker), pool.pagePath(worker), pool.pidOf(worker)] as const
      asking?.send([MessageType.leaseGranted, requestId, id, epoch, worker, ...paths])
    },
    redirect(owner, requestId, node) {
      parts().connections.get(owner)?.link.send([MessageType.leaseRedirected, requestId, node])
    },
    refuse(owner, requestId, code, text) {
      parts().connections.get(owner)?.link.send([MessageType.leaseRefused, requestId, code, text])
    },
    reclaim({ id, owner }, whenIdle) {
      parts().connections.get(owner)?.link.send([MessageType.leaseReclaim, id, whenIdle])
    },
    startWorker(worker, environment) {
      parts().pool.start(worker, environment)
    },
    endWorker(worker, reason, graceful) {
      parts().pool.end(worker, reason, graceful)
    },
    reportSpawnFailure(_environment, text) {
      const { options } = parts()
      tellPeople(parts(), `a worker of node ${options.id} could not start: ${text}`)
    },
    reportInfeasible(job, text) {
      tellPeople(parts(), text, job)
    },
  }
}

/** A line in the log of the node, and on stderr of the programs that are linked to it, or of that one of them. */
export function tellPeople({ connections, ports, options }: NodeParts, what: string, job?: ProcessId): void {
  ports.events.warn(what)
  // In local mode that was the driver's own stderr.
  if (options.url === '') return
  for (const { link } of connections.all())
    if (link.peer.kind === 'driver' && (job === undefined || link.peer.process === job))
      link.send([MessageType.log, [['stderr', 0, options.id, 'outpool', what]]])
}
