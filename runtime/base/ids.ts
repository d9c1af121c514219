/**
 * Identities. A *process incarnation* is 8 random bytes, written as 16 hex digits; it is never reused, so a late
 * message of a dead process can always be told from one of its successor. A task is its owner's incarnation and a
 * 48-bit counter; the objects that a task returns take the numbers `task, task + 1, ...`, so an owner keys its tables
 * by plain numbers.
 */
import { randomBytes } from './random-bytes.ts'

/** One life of one process (driver, worker, node manager or control store): 16 hex digits. */
export type ProcessId = string & { readonly __brand: 'ProcessId' }

/** A node is named by the incarnation of its node manager. */
export type NodeId = ProcessId

/** Position of a task, or of one of its results, in its owner's 48-bit counter. */
export type TaskNumber = number
export type ObjectNumber = number

/** The name of an object anywhere in the cluster. */
export interface ObjectId {
  readonly owner: ProcessId
  readonly number: ObjectNumber
}

/** Where a process can be reached: the node that relays to it, and its own incarnation. */
export interface ProcessAddress {
  readonly node: NodeId
  readonly process: ProcessId
}

export const maxTaskNumber: number = 2 ** 48 - 1

const processIdPattern = /^[0-9a-f]{16}$/

export function newProcessId(random: (size: number) => Uint8Array = randomBytes): ProcessId {
  return Buffer.from(random(8)).toString('hex') as ProcessId
}

export function isProcessId(value: unknown): value is ProcessId {
  return typeof value === 'string' && processIdPattern.test(value)
}

/** The printable name of an object: `owner:number`, as logs and `ObjectRef` show it. */
export function objectKey(id: ObjectId): string {
  return `${id.owner}:${id.number.toString(16)}`
}

export function parseObjectKey(key: string): ObjectId {
  const [owner, number] = key.split(':')
  const parsed = Number.parseInt(number ?? '', 16)
  if (!isProcessId(owner) || !Number.isSafeInteger(parsed))
    throw new TypeError(`not an object id: ${JSON.stringify(key)}`)
  return { owner, number: parsed }
}

export function sameAddress(a: ProcessAddress, b: ProcessAddress): boolean {
  return a.process === b.process && a.node === b.node
}
