/** What a node manager says of itself in its welcome, to peers whose token was right. */
import { hostname } from 'node:os'
import type { Probe } from './run-folder.ts'

export interface NodeInfo {
  readonly hostname: string
  readonly head: boolean
  /** Of the head's one port; '' in local mode. */
  readonly headUrl: string
  readonly runFolder: string
  /** A file in the run folder: who can read it is on the same machine. */
  readonly probe: Probe
}

export function nodeInfo(facts: Omit<NodeInfo, 'hostname'>): Record<string, unknown> {
  return { hostname: hostname(), ...facts }
}

/** undefined where the welcome is not that of a node manager. */
export function parseNodeInfo(info: Readonly<Record<string, unknown>>): NodeInfo | undefined {
  const { hostname: host, head, headUrl, runFolder, probe } = info
  if (typeof host !== 'string' || typeof headUrl !== 'string' || typeof runFolder !== 'string') return undefined
  if (typeof probe !== 'object' || probe === null) return undefined
  const { path, nonce } = probe as Partial<Record<keyof Probe, unknown>>
  if (typeof path !== 'string' || typeof nonce !== 'string') return undefined
  return { hostname: host, head: head === true, headUrl, runFolder, probe: { path, nonce } }
}
