/** Which other nodes a node can connect to, tried now: the answer to `/reach`, see node-http.ts. */
import type { NodeId } from '../base/ids.ts'
import { someAtOnce } from '../base/some-at-once.ts'
import type { NodeManager } from '../node/node-manager.ts'
import type { TokenSource } from '../transport/tokens.ts'
import { findNode } from './join.ts'

/** One row of the answer. */
export interface Reached {
  readonly node: string
  readonly url: string
  readonly ms: number
  /** '' when it was reached. */
  readonly error: string
}

/** How many nodes one request makes this one connect to, and how many of them at once. */
const mostReached = 200
const reachedAtOnce = 16

/** The part of `/reach?most=&turn=`; what is no number counts as the default. */
export function wantedPart(query: URLSearchParams): { readonly most: number; readonly turn: number } {
  const most = Number(query.get('most') ?? mostReached)
  const turn = Number(query.get('turn') ?? 0)
  return {
    most: Number.isSafeInteger(most) && most > 0 ? Math.min(most, mostReached) : mostReached,
    turn: turn >= 0 && turn < 1 ? turn : 0,
  }
}

export async function reachOthers(
  manager: NodeManager,
  token: TokenSource,
  { most, turn }: { readonly most: number; readonly turn: number },
): Promise<readonly Reached[]> {
  const living = manager.nodes().filter(({ state, url }) => state !== 'dead' && url !== '')
  const urls = new Map<string, string>(living.map(({ id, url }) => [id, url]))
  const chosen = neighbours([...urls.keys()], manager.id, most, turn)
  return someAtOnce(chosen, reachedAtOnce, (node) => tryNode(node, urls.get(node) ?? '', token))
}

/**
 * At most `most` of the others, the same for all who know the same nodes: on a ring of them, in the order of their ids,
 * those at the same distances from each. So each is tried by as many as it tries. `turn`, from 0 to below 1, gives other
 * distances.
 */
export function neighbours(ids: readonly string[], own: NodeId, most: number, turn: number): string[] {
  const ring = [...new Set([...ids, own])].sort()
  const others = ring.length - 1
  const first = ring.indexOf(own)
  const count = Math.min(most, others)
  return Array.from({ length: count }, (_, i) => {
    const distance = 1 + Math.floor(((i + turn) * others) / count)
    return ring[(first + distance) % ring.length] as string
  })
}

async function tryNode(node: string, url: string, token: TokenSource): Promise<Reached> {
  const begun = performance.now()
  const row = (error: string): Reached => ({ node, url, ms: Math.round(performance.now() - begun), error })
  try {
    const found = await findNode(url, token, { isProbe: true })
    return row(found.id === node ? '' : `node ${found.id} answers there`)
  } catch (error) {
    return row((error as Error).message)
  }
}
