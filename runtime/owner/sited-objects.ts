/**
 * The objects of an owner, with the line of the program that made each: that called `put`, or submitted the task. Only
 * where the environment variable OUTPOOL_SITES is 1: it takes a stack for each call. The nodes at which values are
 * stored are told, for `outpool memory`.
 */
import { type NodeId, objectKey, type ObjectNumber, type ProcessAddress } from '../base/ids.ts'
import { isOwnFile } from '../code/own-modules.ts'
import { MessageType } from '../protocol/messages.ts'
import type { NodeLinks } from './node-links.ts'
import { ObjectTable, type Outcome } from './object-table.ts'
import type { TaskTable } from './task-table.ts'

/** Frames that are looked at: those of Outpool come first. */
const mostFrames = 30
const frame = /^\s+at .*?\(?((?:file:\/\/|\/).+?:\d+:\d+)\)?$/

/** The table of an owner's objects, with or without that. `nodes` is called when there is something to tell. */
export function objectTableOf(table: TaskTable, self: ProcessAddress, nodes: () => NodeLinks): ObjectTable {
  if (process.env['OUTPOOL_SITES'] !== '1') return new ObjectTable(table)
  return new SitedObjects(table, (node, number, site) => {
    const key = objectKey({ owner: self.process, number })
    nodes().send(node, [MessageType.madeAt, key, site], () => {})
  })
}

class SitedObjects extends ObjectTable {
  readonly #tell: (node: NodeId, number: ObjectNumber, site: string) => void
  /** Of objects that are not there yet. */
  readonly #sites = new Map<ObjectNumber, string>()

  constructor(table: TaskTable, tell: (node: NodeId, number: ObjectNumber, site: string) => void) {
    super(table)
    this.#tell = tell
  }

  override allocate(count: number): ObjectNumber {
    const first = super.allocate(count)
    const site = callSite()
    for (let number = first; site !== '' && number < first + count; number++) this.#sites.set(number, site)
    return first
  }

  override settle(number: ObjectNumber, outcome: Outcome): void {
    super.settle(number, outcome)
    const site = this.#sites.get(number)
    this.#sites.delete(number)
    if (outcome[0] !== 'stored' || site === undefined) return
    for (const [node, process] of outcome[2]) if (node === process) this.#tell(node, number, site)
  }

  override settleInline(number: ObjectNumber, bytes: Uint8Array, alive: boolean): void {
    this.#sites.delete(number)
    super.settleInline(number, bytes, alive)
  }
}

/** `file:line:column` of the first caller that is no part of Outpool or Node; '' where there is none. */
function callSite(): string {
  const before = Error.stackTraceLimit
  Error.stackTraceLimit = mostFrames
  const { stack = '' } = new Error()
  Error.stackTraceLimit = before
  for (const line of stack.split('\n')) {
    const place = frame.exec(line)?.[1]
    if (place === undefined) continue
    const url = place.startsWith('/') ? `file://${place}` : place
    if (!isOwnFile(url)) return url.slice('file://'.length)
  }
  return ''
}
