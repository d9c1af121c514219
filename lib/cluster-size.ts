/** Whether there is a cluster, and how many CPUs it has. */
import type { ProcessRuntime } from '../runtime/owner/current.ts'
import { ensureRuntime } from './runtime.ts'

/** Whether there is no cluster: a node in this program, and nothing else. */
export function isLocal(): boolean {
  return ensureRuntime().local
}

/** CPUs of all nodes that are alive; those of this machine's node in local mode. */
export async function clusterCpus(): Promise<number> {
  const { home } = await joinedRuntime()
  const rows = await home.nodes()
  let units = 0
  for (const row of rows) {
    if (row.state !== 'alive') continue
    for (const [name, amount] of row.total) if (name === 'CPU') units += amount
  }
  return Math.max(1, Math.floor(units / 10_000))
}

/** Tells the number of CPUs whenever nodes come or go. Returns what ends it. */
export function onClusterCpus(listener: (cpus: number) => void): () => void {
  return ensureRuntime().onNodes(() => {
    clusterCpus().then(listener, () => {})
  })
}

async function joinedRuntime(): Promise<ProcessRuntime> {
  const runtime = ensureRuntime()
  await runtime.host.home.connected()
  return runtime
}
