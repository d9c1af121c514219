/** Gives every node of a running cluster other tokens, one step of a move at a time (runtime/transport/tokens.ts). */
import { OutpoolError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import type { TokenRing, TokenSource } from '../transport/tokens.ts'
import { askNodeJson } from './ask-node.ts'
import { clusterStatus } from './status.ts'
import type { NodeSummary } from './status.ts'
import type { TokenFacts } from './token-requests.ts'

export interface NodeTokens extends TokenFacts {
  readonly node: NodeId
  readonly url: string
}

/**
 * Resolves when every living node has `ring`, those that joined meanwhile included. Rejects with OutpoolError naming the
 * nodes that have not, and why; the others have it then, which harms nobody: each step accepts what the one before shows.
 */
export async function spreadTokens(address: string, token: TokenSource, ring: TokenRing): Promise<NodeTokens[]> {
  const done = new Map<NodeId, NodeTokens>()
  for (;;) {
    const nodes = await livingNodes(address, token)
    const missing = nodes.filter(({ id }) => !done.has(id))
    if (missing.length === 0) return nodes.flatMap(({ id }) => done.get(id) ?? [])
    const body = JSON.stringify(ring)
    for (const facts of await askAll(missing, token, body)) done.set(facts.node, facts)
  }
}

/** What every living node has. Rejects with OutpoolError when one cannot be asked. */
export async function nodeTokens(address: string, token: TokenSource): Promise<NodeTokens[]> {
  return askAll(await livingNodes(address, token), token)
}

async function livingNodes(address: string, token: TokenSource): Promise<readonly NodeSummary[]> {
  const status = await clusterStatus(address, token)
  if (!status.fromHead)
    throw new OutpoolError(
      `the head does not answer (${status.problem}), so nobody knows all nodes; start it again, then repeat this`,
    )
  return status.nodes.filter(({ state }) => state !== 'dead')
}

async function askAll(nodes: readonly NodeSummary[], token: TokenSource, body?: string): Promise<NodeTokens[]> {
  const answers = await Promise.allSettled(
    nodes.map(async ({ id, url }): Promise<NodeTokens> => {
      const facts = await askNodeJson<TokenFacts>(url, '/token', token, body === undefined ? {} : { body })
      return { ...facts, node: id, url }
    }),
  )
  const problems = answers.flatMap((answer, i) =>
    answer.status === 'rejected' ? [`node ${nodes[i]?.id}: ${(answer.reason as Error).message}`] : [],
  )
  if (problems.length > 0)
    throw new OutpoolError(
      `${problems.length} of ${nodes.length} nodes did not take part, so the move stops here, with every node still ` +
        `accepting the others:\n  ${problems.join('\n  ')}\nMend or stop them, then repeat this.`,
    )
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
}
