/**
 * The work of a driver that others cannot simply dial, or of one beside such nodes: large values both ways, to and from
 * all nodes.
 */
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import type { FailureCluster, RunOptions } from '../support.ts'
import { nothingHeld } from './scale.ts'

export interface ApartOptions {
  /** Of a large value. */
  readonly bytes: number
  readonly times: number
}

export interface Apart {
  /** Values that were others than they should be. */
  readonly wrong: readonly string[]
  readonly retried: number
  /** Nodes that ran no task. */
  readonly idle: readonly string[]
  /** Tables of the driver's owner that were not empty in the end. */
  readonly left: Readonly<Record<string, number>>
}

/** How it is where everything works. */
export const nothingWrong: Apart = { wrong: [], retried: 0, idle: [], left: {} }

/** Returns when the nodes have back what was lent. `how.address` is the driver's home. */
export async function workApart(
  cluster: FailureCluster,
  nodes: readonly DaemonFacts[],
  how: RunOptions & { readonly address: string },
  options: ApartOptions = { bytes: 4_000_000, times: 2 },
): Promise<Apart> {
  const driver = cluster.run('apart', { ...options, nodes: nodes.length }, { ...how, execArgv: ['--expose-gc'] })
  const { wrong, retried, used } = await driver.next<Pick<Apart, 'wrong' | 'retried'> & { used: string[] }>('outcomes')
  const { left } = await driver.next<Pick<Apart, 'left'>>('end')
  await nothingHeld(cluster, nodes[0] as DaemonFacts)
  return { wrong, retried, idle: nodes.map(({ id }) => id as string).filter((id) => !used.includes(id)), left }
}
