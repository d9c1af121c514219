/** How many CPUs a pool may count on. */
import { clusterCpus, isLocal, onClusterCpus } from '../../lib/cluster-size.ts'

/** Whether the program works in a cluster, and not on this machine alone. */
export function hasAddress(): boolean {
  return !isLocal()
}

/**
 * Calls `listener` with the CPUs of the cluster (of this machine without an address) as soon as they are known and
 * whenever they change. Where they cannot be learnt it is called with `undefined` once: whoever asks for a worker then
 * gets the reason. Returns how to stop.
 */
export function followClusterCpus(listener: (cpus: number | undefined) => void): () => void {
  let stopped = false
  const stop = onClusterCpus((cpus) => {
    if (!stopped) listener(cpus)
  })
  clusterCpus().then(
    (cpus) => {
      if (!stopped) listener(cpus)
    },
    () => {
      if (!stopped) listener(undefined)
    },
  )
  return () => {
    stopped = true
    stop()
  }
}
