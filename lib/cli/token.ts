/** `outpool token`: which tokens the nodes of a cluster have, and moving all of them to another one while they run. */
import { ClusterTokens } from '../../runtime/cluster/cluster-tokens.ts'
import { nodeTokens, spreadTokens } from '../../runtime/cluster/spread-tokens.ts'
import type { NodeTokens } from '../../runtime/cluster/spread-tokens.ts'
import { newToken } from '../../runtime/cluster/token.ts'
import { fingerprint } from '../../runtime/cluster/token-requests.ts'
import type { TokenRing } from '../../runtime/transport/tokens.ts'
import { clusterAddress } from './cluster-address.ts'
import type { ClusterFlags } from './cluster-address.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { renderTable } from './tables.ts'

export interface RotateFlags extends ClusterFlags {
  /** Whether the old token goes at once. */
  readonly retire?: boolean
}

export async function tokenStatus(flags: ClusterFlags): Promise<void> {
  const address = clusterAddress(flags)
  const tokens = new ClusterTokens()
  report(flags, tokens, await nodeTokens(address, tokens))
}

export async function rotateToken(flags: RotateFlags): Promise<void> {
  const address = clusterAddress(flags)
  const tokens = keptTokens()
  const { shown: old, accepted } = tokens.ring
  const [other] = accepted.filter((token) => token !== old)
  if (other !== undefined)
    throw new CommandError(
      `the cluster is between two tokens: ${tokens.source} holds ${fingerprint(old)} and also ${fingerprint(other)}; ` +
        `outpool token retire drops the second one, then rotate again`,
    )
  const next = newToken()
  const say = (text: string): void => void (flags.json || console.log(text))
  say(`1. Every node accepts the new token ${fingerprint(next)} beside ${fingerprint(old)}.`)
  await move(tokens, address, { shown: old, accepted: [old, next] })
  say('2. Every node, its workers and the programs that have it as their home show the new one.')
  const moved = await move(tokens, address, { shown: next, accepted: [next, old] })
  if (flags.retire !== true) {
    report(flags, tokens, moved)
    say(
      `${tokens.source} holds both. Copy it to the machines that have one of their own, give the new token to programs ` +
        'that take theirs from OUTPOOL_TOKEN, then: outpool token retire',
    )
    return
  }
  say('3. Every node refuses the old one.')
  report(flags, tokens, await move(tokens, address, { shown: next, accepted: [next] }))
}

export async function retireToken(flags: ClusterFlags): Promise<void> {
  const address = clusterAddress(flags)
  const tokens = keptTokens()
  const { ring } = tokens
  // Nodes that missed the step before take it now: none may show what is refused afterwards.
  if (ring.accepted.length > 1) await move(tokens, address, ring)
  report(flags, tokens, await move(tokens, address, { shown: ring.shown, accepted: [ring.shown] }))
}

/** Written down here first: whatever happens afterwards, the new token is not lost. */
function move(tokens: ClusterTokens, address: string, ring: TokenRing): Promise<NodeTokens[]> {
  tokens.replace(ring)
  return spreadTokens(address, tokens, ring)
}

function keptTokens(): ClusterTokens {
  const tokens = new ClusterTokens()
  if (tokens.areKept) return tokens
  throw new CommandError(
    `the token comes from ${tokens.source}, so there is no file to put the new one into; write it into a file of mode ` +
      '0600, name that in OUTPOOL_TOKEN_FILE, and unset OUTPOOL_TOKEN',
    exitCodes.usage,
  )
}

function report(flags: ClusterFlags, tokens: ClusterTokens, nodes: readonly NodeTokens[]): void {
  const { shown, accepted } = tokens.ring
  const own = { source: tokens.source, shown: fingerprint(shown), accepted: accepted.map(fingerprint) }
  if (flags.json) return console.log(JSON.stringify({ own, nodes }, undefined, 2))
  const columns = ['node', 'shows', 'accepts'].map((name) => ({ name }))
  const rows = [
    [`here, ${own.source}`, own.shown, own.accepted.join(', ')],
    ...nodes.map((node) => [`${node.node} ${node.url}`, node.shown, node.accepted.join(', ')]),
  ]
  console.log(renderTable(columns, rows))
  for (const { node, kept } of nodes)
    if (!kept) console.log(`${node} was started with OUTPOOL_TOKEN: its next start needs the new token there.`)
}
